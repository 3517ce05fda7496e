"""A program that mounts, and whatever it leaves behind taken away."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from mountnd.daemon import mounts, rundir

ROOT = Path(__file__).parents[3]
END_S = 40.0


@dataclass
class Place:
    """`path` is where to mount; `start` runs the small program there."""

    path: Path
    runtime: Path
    started: list[subprocess.Popen[str]] = field(default_factory=list)

    def start(self, how: str, *rest: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.unit.daemon.small_mount", how, str(self.path), *rest],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.started.append(process)
        return process

    def run(self, how: str, *rest: str) -> tuple[int, str]:
        """Exit code and what was printed."""
        process = self.start(how, *rest)
        # The daemon must not hold the pipes: else this waits for it.
        out, err = process.communicate(timeout=END_S)
        return process.returncode, out + err

    @property
    def mounted(self) -> bool:
        found = mounts.mount_at(self.path)
        return found is not None and found.fstype == mounts.FSTYPE

    @property
    def record(self) -> rundir.Record | None:
        return rundir.find(self.path)

    def daemon(self) -> rundir.Record:
        record = self.record
        there = sorted(path.name for path in (self.runtime / "mountnd").iterdir())
        assert record is not None, f"mounted: {self.mounted}; in the run directory: {there}"
        return record


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    if not os.access("/dev/fuse", os.R_OK | os.W_OK):
        pytest.skip("/dev/fuse cannot be opened")
    runtime = tmp_path / "runtime"
    runtime.mkdir(mode=0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(runtime))
    monkeypatch.setenv(rundir.VARIABLE, str(runtime / "mountnd"))
    here = Place(tmp_path.resolve() / "mnt", runtime)
    yield here
    for process in here.started:
        process.kill()
        process.communicate()
    for _ in range(3):
        if mounts.mount_at(here.path) is None:
            break
        subprocess.run(["fusermount3", "-u", "-z", str(here.path)], check=False, capture_output=True)
    left = here.record
    if left is not None and left.alive() and not mounts.wait_exit(left.pid, 5):
        os.kill(left.pid, signal.SIGKILL)
