"""Programs that read whole files of the synthetic server through mounts and compare them, and what it has sent."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Sequence

from tests.support.children import killed_after
from tests.support.cli import ROOT
from tests.support.mounts import Mounted
from tests.support.tree import MIB

from . import synthetic_server

READ_S = 120.0

# Reads files to their end, and compares, once its stdin is closed: MNT SIZE STEP NUMBER...
READER = """
import os, sys
from tests.functional.stress.synthetic_server import body, name
print("ready", flush=True)
sys.stdin.read()
mnt, size, step = sys.argv[1], *map(int, sys.argv[2:4])
for number in map(int, sys.argv[4:]):
    fd = os.open(os.path.join(mnt, name(number)), os.O_RDONLY)
    for start in range(0, size, step):
        stop = min(start + step, size)
        assert os.pread(fd, stop - start, start) == body(number, start, stop), (number, start)
    os.close(fd)
"""


def sent(server: str) -> int:
    """Bytes of files that the server has sent."""
    with urllib.request.urlopen(server + synthetic_server.SENT, timeout=20) as answer:
        return int(answer.read())


@contextlib.contextmanager
def reading(
    *jobs: tuple[Mounted, Sequence[int]], size: int, step: int = MIB
) -> Iterator[list[subprocess.Popen[bytes]]]:
    """A process for each mount that reads these files through it; they begin together."""
    started = []
    try:
        for mount, numbers in jobs:
            words = [str(mount.path), str(size), str(step), *map(str, numbers)]
            pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
            started.append(subprocess.Popen([sys.executable, "-c", READER, *words], cwd=ROOT, **pipes))
        for process in started:
            assert process.stdout is not None
            with killed_after(READ_S, process):
                assert process.stdout.readline() == b"ready\n"
        for process in started:
            assert process.stdin is not None
            process.stdin.close()
            process.stdin = None
        yield started
    finally:
        for process in started:
            process.kill()
            process.communicate(timeout=20)


def ended_well(process: subprocess.Popen[bytes], seconds: float = READ_S) -> None:
    _, err = process.communicate(timeout=seconds)
    assert process.returncode == 0, err.decode()
