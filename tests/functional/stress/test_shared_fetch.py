"""Mounts of one node, a process each, that read the same at once: a byte is fetched once, counted by the server.

And one of them may be stopped or killed at any moment: the others read on.
"""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from mountnd.blocks.disk import lease_files
from mountnd.stats import BYTES_FETCHED
from tests.support.children import stop
from tests.support.mounts import Mounted, kernel_mount
from tests.support.servers import script_server
from tests.support.tree import MIB
from tests.support.waiting import wait_until

from . import synthetic_server
from .readers import counters
from .whole_files import ended_well, reading, sent

pytestmark = pytest.mark.kernel

SOURCE = f"s3://{synthetic_server.BUCKET}"
MOUNTS, FILES, SIZE = 4, 3, 24 * MIB + 4321
# What the mounts of a node may fetch together, for each byte of the data.
GOAL = 1.05
# What a reader may take when another mount stalls: far above what it takes, and far below what each of the leases that
# are held would add, were each of them waited for.
SOON_S = 30.0


@pytest.fixture
def server() -> Iterator[str]:
    with script_server(Path(synthetic_server.__file__), str(FILES), str(SIZE)) as port:
        yield f"http://127.0.0.1:{port}"


@contextlib.contextmanager
def mounts(where: Path, server: str, count: int) -> Iterator[list[Mounted]]:
    """So many mounts with one cache directory."""
    with contextlib.ExitStack() as stack:
        made = []
        for n in range(count):
            at = where / str(n)
            at.mkdir()
            options = {"cache_dir": where / "cache", "memory": 64 * MIB}
            made.append(stack.enter_context(kernel_mount(at, server, [SOURCE], options)))
        yield made


def await_leases(where: Path) -> None:
    """Wait until something is being fetched under a lease."""
    folder = where / "cache" / "blocks" / lease_files.FOLDER
    wait_until(lambda: folder.exists() and any(folder.iterdir()), "a lease", pause=0.001)


@pytest.mark.parametrize("step", [128 << 10, MIB])
def test_a_byte_is_fetched_once(tmp_path: Path, server: str, step: int) -> None:
    numbers = range(FILES)
    with mounts(tmp_path, server, MOUNTS) as made:
        with reading(*((mount, numbers) for mount in made), size=SIZE, step=step) as processes:
            for process in processes:
                ended_well(process)
        total = sent(server)
        assert sum(counters(mount).get(BYTES_FETCHED, 0) for mount in made) == pytest.approx(total, rel=0.02)
    print(f"{total / FILES / SIZE:.3f} bytes sent for each byte, to {MOUNTS} mounts")
    assert FILES * SIZE <= total <= GOAL * FILES * SIZE
    assert list((tmp_path / "cache" / "blocks" / lease_files.FOLDER).iterdir()) == []


@pytest.mark.parametrize("end", [signal.SIGSTOP, signal.SIGKILL])
def test_a_mount_that_stalls_or_dies_holds_up_nobody(tmp_path: Path, server: str, end: signal.Signals) -> None:
    """In mid-fetch, with leases held; who reads the same through another mount reads on, and so does the one after."""
    with (
        mounts(tmp_path, server, 3) as (first, second, third),
        reading((first, [0]), (second, [0]), size=SIZE) as (_, process),
    ):
        await_leases(tmp_path)
        if end == signal.SIGSTOP:
            stop(first.process.pid)
        else:
            first.kill()
        try:
            ended_well(process, SOON_S)
            with reading((third, [1, 0]), size=SIZE) as (after,):
                ended_well(after, SOON_S)
        finally:
            if end == signal.SIGSTOP:
                first.process.send_signal(signal.SIGCONT)


def test_what_two_that_died_have_left_holds_up_nobody(tmp_path: Path, server: str) -> None:
    with mounts(tmp_path, server, 2) as (first, second), reading((first, [0]), (second, [0]), size=SIZE):
        await_leases(tmp_path)
        for mount in (first, second):
            mount.kill()
    options = {"cache_dir": tmp_path / "cache"}
    (at := tmp_path / "next").mkdir()
    with kernel_mount(at, server, [SOURCE], options) as mount, reading((mount, [0]), size=SIZE) as (process,):
        ended_well(process, SOON_S)
