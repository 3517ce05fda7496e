"""What the daemon's memory comes to when many files are read at once: at most `--memory` and 200 MiB, at any moment."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.cli import ROOT
from tests.support.mounts import kernel_mount
from tests.support.servers import script_server
from tests.support.tree import MIB

from . import synthetic_server

pytestmark = pytest.mark.kernel

HANDLES, PROCESSES = 200, 4
SIZE = 5 * MIB + 12_345
# Beside the blocks: Python and its libraries (70 MiB), threads' stacks, answers on their way, and what the transport
# has in its buffers.
REST = 200 * MIB
SAMPLE_S = 0.02
READ_S = 170.0  # below the watchdog's

# Opens its share of the files, holds them all open, and reads them on in turns from two threads, comparing each read:
# MNT FIRST COUNT SIZE STEP
READER = """
import os, sys, threading
from tests.functional.stress.synthetic_server import body, name
mnt, (first, count, size, step) = sys.argv[1], map(int, sys.argv[2:])
mine = range(first, first + count)
fds = {i: os.open(os.path.join(mnt, name(i)), os.O_RDONLY) for i in mine}
wrong = []
def work(mine):
    for start in range(0, size, step):
        for i in mine:
            stop = min(start + step, size)
            got = os.pread(fds[i], stop - start, start)
            if got != body(i, start, stop):
                wrong.append((i, start, len(got)))
threads = [threading.Thread(target=work, args=(mine[k::2],)) for k in range(2)]
for t in threads: t.start()
for t in threads: t.join()
print(wrong[:5])
sys.exit(bool(wrong))
"""


def status(pid: int, field: str) -> int:
    """`VmRSS` (resident now) or `VmHWM` (at most so far) of a process, in bytes."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith(field))


@contextlib.contextmanager
def sampled(pid: int) -> Iterator[list[int]]:
    """The resident memory of a process, looked at all the while, in bytes."""
    seen, stop = [status(pid, "VmRSS")], threading.Event()

    def look() -> None:
        while not stop.wait(SAMPLE_S):
            seen.append(status(pid, "VmRSS"))

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield seen
    finally:
        stop.set()
        thread.join()


@contextlib.contextmanager
def readers(mnt: Path, step: int) -> Iterator[list[subprocess.Popen[str]]]:
    share = HANDLES // PROCESSES
    made: list[subprocess.Popen[str]] = []
    try:
        for n in range(PROCESSES):
            argv = [sys.executable, "-c", READER, str(mnt), *map(str, (n * share, share, SIZE, step))]
            made.append(subprocess.Popen(argv, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True))
        yield made
    finally:
        for process in made:
            process.kill()
            process.communicate(timeout=20)


@pytest.mark.parametrize("memory", [64 * MIB, 192 * MIB])
def test_memory_stays_under_its_limit_with_200_files_read_at_once(tmp_path: Path, memory: int) -> None:
    with (
        script_server(Path(synthetic_server.__file__), str(HANDLES), str(SIZE)) as port,
        kernel_mount(
            tmp_path, f"http://127.0.0.1:{port}", [f"s3://{synthetic_server.BUCKET}"], {"memory": memory}
        ) as mount,
    ):
        pid = mount.process.pid
        with sampled(pid) as seen, readers(mount.path, 256 << 10) as processes:
            for process in processes:
                out, _ = process.communicate(timeout=READ_S)
                assert process.returncode == 0, out
        peak = max(*seen, status(pid, "VmHWM"))
    print(
        f"--memory {memory / MIB:.0f} MiB, {HANDLES} files read at once: {seen[0] / MIB:.0f} MiB resident before, "
        f"{peak / MIB:.0f} MiB at most, {(peak - memory) / MIB:+.0f} MiB beside --memory"
    )
    assert peak <= memory + REST


def test_the_threads_of_a_mount_share_the_memory_that_malloc_keeps(tmp_path: Path) -> None:
    """What is free in an arena serves no thread of another one; by default there are eight for each core."""
    with (
        script_server(Path(synthetic_server.__file__), str(HANDLES), str(SIZE)) as port,
        kernel_mount(tmp_path, f"http://127.0.0.1:{port}", [f"s3://{synthetic_server.BUCKET}"], {}) as mount,
        readers(mount.path, 256 << 10) as processes,
    ):
        for process in processes:
            out, _ = process.communicate(timeout=READ_S)
            assert process.returncode == 0, out
        # Two arenas, one of which is the process's own heap; the other one may have grown by a few of this size.
        assert malloc_heaps(mount.process.pid) <= 5


def malloc_heaps(pid: int) -> int:
    """What glibc's arenas beside the first consist of: reservations of 64 MiB, aligned to their size."""
    size, found = 64 * MIB, 0
    for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
        place, rights, *_, inode = line.split()[:5]
        found += rights == "rw-p" and inode == "0" and int(place.partition("-")[0], 16) % size == 0
    return found
