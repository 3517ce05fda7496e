"""Nodes that share a directory: mounts of the synthetic server, each with a disk cache of its own."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.support.mounts import Mounted, kernel_mount
from tests.support.tree import MIB

from . import synthetic_server
from .readers import counters
from .whole_files import ended_well, reading

SOURCE = f"s3://{synthetic_server.BUCKET}"


@contextlib.contextmanager
def node(where: Path, server: str, shared: Path, name: str | int, **options: object) -> Iterator[Mounted]:
    """A mount with a disk cache of its own, as a node has one."""
    at = where / f"node-{name}"
    at.mkdir(exist_ok=True)
    with kernel_mount(at, server, [SOURCE], {"memory": 48 * MIB, "shared_cache": shared} | options) as mount:
        yield mount


@contextlib.contextmanager
def nodes(where: Path, server: str, shared: Path, count: int, **options: object) -> Iterator[list[Mounted]]:
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(node(where, server, shared, n, **options)) for n in range(count)]


def read_all(numbers: Sequence[int], *mounts: Mounted, size: int, seconds: float = 120.0) -> None:
    """Read whole files of `size` bytes through each of these mounts at once, and compare."""
    with reading(*((mount, numbers) for mount in mounts), size=size) as processes:
        for process in processes:
            ended_well(process, seconds)


def count(mount: Mounted, name: str) -> int:
    """A counter of a mount."""
    return counters(mount).get(name, 0)


def blocks(shared: Path) -> Path:
    """Where a shared directory has its blocks."""
    return shared / "blocks"
