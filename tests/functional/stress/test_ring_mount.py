"""Mounts that read through a ring of real caches, of which some die, hang or lie in the middle of it."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from mountnd.stores.via import rendezvous
from mountnd.stores.via.parts import SLICE, parts
from tests.support.caches import Node, cache_server
from tests.support.children import killed_after
from tests.support.cli import ROOT, run_mountnd
from tests.support.mounts import Mounted, kernel_mount
from tests.support.proxy import proxied
from tests.support.quirky import Quirky
from tests.support.servers import script_server
from tests.support.tree import MIB

from . import synthetic_server
from .readers import counters

pytestmark = pytest.mark.kernel

SOURCE = f"s3://{synthetic_server.BUCKET}"
FILES, SIZE = 2, 9 * MIB + 4321
# Far above what a node that hangs may cost (some seconds, a few times), far below what waiting for it each time would.
SOON_S = 90.0

# Reads files to their end, and compares: MNT SIZE NUMBER...; says when a third of the first was read.
READER = """
import os, sys
from tests.functional.stress.synthetic_server import body, name
mnt, size = sys.argv[1], int(sys.argv[2])
for number in map(int, sys.argv[3:]):
    with open(os.path.join(mnt, name(number)), "rb", buffering=0) as file:
        for start in range(0, size, 128 << 10):
            stop = min(start + (128 << 10), size)
            assert file.read(stop - start) == body(number, start, stop), (number, start)
            if start < size // 3 <= stop:
                print("begun", flush=True)
"""


@pytest.fixture
def server() -> Iterator[str]:
    with script_server(Path(synthetic_server.__file__), str(FILES), str(SIZE)) as port:
        yield f"http://127.0.0.1:{port}"


def sent(server: str) -> int:
    """Bytes of files that the server has sent."""
    with urllib.request.urlopen(server + synthetic_server.SENT, timeout=20) as answer:
        return int(answer.read())


@contextlib.contextmanager
def nodes(where: Path, server: str, count: int) -> Iterator[list[Node]]:
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(cache_server(where / f"node{n}", SOURCE, server)) for n in range(count)]


@contextlib.contextmanager
def mount(where: Path, server: str, via: str) -> Iterator[Mounted]:
    where.mkdir()
    with kernel_mount(where, server, [SOURCE], {"via": via, "memory": 64 * MIB}) as mounted:
        yield mounted


@contextlib.contextmanager
def reading(mounted: Mounted) -> Iterator[subprocess.Popen[bytes]]:
    """A process that reads all files through it; it has begun."""
    words = [str(mounted.path), str(SIZE), *map(str, range(FILES))]
    process = subprocess.Popen(
        [sys.executable, "-c", READER, *words], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        with killed_after(SOON_S, process):
            assert process.stdout.readline() == b"begun\n"
        yield process
    finally:
        process.kill()
        process.communicate(timeout=20)


def ended_well(process: subprocess.Popen[bytes]) -> None:
    _, err = process.communicate(timeout=SOON_S)
    assert process.returncode == 0, err.decode()


def via(running: list[Node]) -> str:
    return ",".join(node.url for node in running)


def one_to_come(running: list[Node], server: str) -> Node:
    """The node that has the second slice of the last file, which nobody has read yet when the first is begun."""
    place, key = server.removeprefix("http://"), synthetic_server.name(FILES - 1)
    seeds = [rendezvous.seed(node.url) for node in running]
    part = next(parts(seeds, f"{place}/{synthetic_server.BUCKET}/{key}", SLICE, 2 * SLICE))
    return running[part.nodes[0]]


def test_each_byte_leaves_the_source_once(tmp_path: Path, server: str) -> None:
    """By mounts that have no disk cache in common, and read at the same time."""
    with nodes(tmp_path, server, 3) as running, contextlib.ExitStack() as stack:
        made = [stack.enter_context(mount(tmp_path / str(n), server, via(running))) for n in range(3)]
        readers = [stack.enter_context(reading(mounted)) for mounted in made]
        for reader in readers:
            ended_well(reader)
        assert FILES * SIZE <= sent(server) <= 1.02 * FILES * SIZE
        for mounted in made:
            count = counters(mounted)
            assert count["via.bytes"] >= FILES * SIZE and "via.source.bytes" not in count
        # Of six slices one of three nodes, whose names have chance ports, has none in a quarter of all runs.
        kept = [node.cached() for node in running]
        assert FILES * SIZE <= sum(kept) <= 1.02 * FILES * SIZE, "one node has each"


@pytest.mark.parametrize("how", ["killed", "stopped", "all killed"])
def test_nodes_that_die_or_hang_in_the_middle_of_a_read(tmp_path: Path, server: str, how: str) -> None:
    with nodes(tmp_path, server, 3) as running, mount(tmp_path / "m", server, via(running)) as mounted:
        with reading(mounted) as reader:
            for node in running if how == "all killed" else [one_to_come(running, server)]:
                node.stop() if how == "stopped" else node.kill()
            ended_well(reader)
        failed = counters(mounted)
        assert failed.get("via.failed.requests", 0) >= 1
        if how != "all killed":
            assert failed.get("via.source.bytes", 0) < FILES * SIZE / 2, "its share goes to the others"
        assert run_mountnd("stats", mounted.path).stdout.count("left out") >= 1


@pytest.mark.parametrize("action", ["shift", "short"])
def test_a_node_that_lies(tmp_path: Path, server: str, action: str) -> None:
    """All that it answers is wrong; what programs read is right."""
    with proxied(server) as liar, mount(tmp_path / "m", server, liar.url) as mounted:
        liar.rule(action)
        with reading(mounted) as reader:
            ended_well(reader)
        assert counters(mounted)["via.source.bytes"] >= FILES * SIZE


def test_what_is_passed_by_is_said(tmp_path: Path, quirky: Quirky) -> None:
    """When it is mounted, and by `explain`."""
    quirky.hold({"a.txt": b"text"})
    keys = {"AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE", "AWS_SECRET_ACCESS_KEY": "secret"}
    os.environ.update(keys)
    try:
        with kernel_mount(
            tmp_path, quirky.url, ["s3://bkt"], {"anonymous": None, "via": "http://127.0.0.1:9"}
        ) as mounted:
            assert (mounted.path / "a.txt").read_bytes() == b"text"
            assert "passed by: its requests are signed" in " ".join(mounted.log.split())
            told = " ".join(run_mountnd("explain", mounted.path / "a.txt").stdout.split())
            assert "http://127.0.0.1:9: passed by" in told
    finally:
        for name in keys:
            del os.environ[name]
