"""Reader processes on a mount (`verifying_reader`), and what the mount counted for them."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tests.support.children import killed_after, run_program
from tests.support.cli import ROOT, run_mountnd
from tests.support.mounts import Mounted

# A reader that nobody ends (the test failed, and its end failed too) ends by itself.
AT_MOST_S = 150.0
START_S = END_S = 60.0
READER = "tests.functional.stress.verifying_reader"


class ReaderProcess:
    """A process that reads a mount at random and compares each read with the source (`verifying_reader.py`)."""

    def __init__(self, mnt: Path, source: Path, seed: int) -> None:
        argv = [sys.executable, "-m", READER, str(mnt), str(source), str(seed), str(AT_MOST_S)]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        self.process = subprocess.Popen(argv, cwd=ROOT, text=True, **pipes)  # type: ignore[call-overload]

    def wait_until_it_reads(self) -> None:
        with killed_after(START_S, self.process):
            line = self.process.stdout.readline()
        assert line == "ready\n", self.process.communicate(timeout=END_S)

    def end(self) -> dict[str, Any]:
        """Let it come to its end. Returns what it did; raises AssertionError when it met a wrong byte or an error."""
        out, err = self.process.communicate(timeout=END_S)
        assert self.process.returncode == 0, f"{out}{err}"
        report: dict[str, Any] = json.loads(out)
        return report

    def kill(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(END_S)
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            with contextlib.suppress(OSError, ValueError):
                pipe.close()


@contextlib.contextmanager
def readers(source: Path, *mounts: tuple[Path, Sequence[int]]) -> Iterator[list[ReaderProcess]]:
    """For each mountpoint one process for each of its seeds, all of them reading; killed afterwards where not ended."""
    started: list[ReaderProcess] = []
    try:
        for mnt, seeds in mounts:
            started += [ReaderProcess(mnt, source, seed) for seed in seeds]
        for reader in started:
            reader.wait_until_it_reads()
        yield started
    finally:
        for reader in started:
            reader.kill()


def counters(mount: Mounted) -> dict[str, int]:
    """What `mountnd stats --json` says of the whole mount."""
    done = run_mountnd("stats", mount.path, "--json")
    assert done.returncode == 0, done.stderr
    total: dict[str, int] = json.loads(done.stdout)["total"]
    return total


def read_all(mnt: Path, source: Path) -> None:
    """Read every file once, past the kernel's cache, in a process of its own. Raises AssertionError at a wrong byte."""
    code = (
        f"import os, random, sys; from pathlib import Path; from {READER} import Reader\n"
        "reader = Reader(Path(sys.argv[1]), Path(sys.argv[2]), random.Random(0))\n"
        "for name in reader.bodies: reader.read_whole(name, os.O_DIRECT)"
    )
    run_program([sys.executable, "-c", code, str(mnt), str(source)], seconds=AT_MOST_S, cwd=str(ROOT))
