"""Control groups of a test's own: a limit on memory or on the number of processes, for a command that is run in it."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

_TOP = Path("/sys/fs/cgroup")
_FILES = {"memory": ("memory.limit_in_bytes", "memory.max"), "pids": ("pids.max", "pids.max")}


class Group:
    """A control group. `path`: its directory."""

    def __init__(self, path: Path, file: str) -> None:
        self.path, self._file = path, file

    def limit(self, value: int | str) -> None:
        """Set the limit: bytes, or processes and threads; "max" for none (of processes)."""
        (self.path / self._file).write_text(str(value))

    @property
    def within(self) -> Sequence[str]:
        """A command that runs another one in this group: `[*group.within, "cat", ...]`."""
        return ["sh", "-c", f'echo $$ > {self.path}/cgroup.procs && exec "$@"', "sh"]

    def number(self, file: str) -> int:
        """What a file of the group says."""
        return int((self.path / file).read_text())

    def add(self, pid: int) -> None:
        """Move a process, with its threads, into the group."""
        (self.path / "cgroup.procs").write_text(str(pid))

    def killed(self) -> int:
        """How many processes the kernel has ended here for want of memory."""
        for name in ("memory.events", "memory.oom_control"):
            with contextlib.suppress(OSError):
                lines = (self.path / name).read_text().splitlines()
                return next(int(line.split()[1]) for line in lines if line.startswith("oom_kill "))
        raise AssertionError(f"{self.path} does not say")


@contextlib.contextmanager
def control_group(controller: str) -> Iterator[Group]:
    """A new group with this controller, "memory" or "pids". Skips the test where none can be made."""
    old, new = _FILES[controller]
    for top, file in ((_TOP / controller, old), (_TOP, new)):
        path = top / f"mountnd-test-{os.getpid()}-{time.monotonic_ns()}"
        try:
            path.mkdir()
        except OSError:
            continue
        if (path / file).exists():
            break
        path.rmdir()
    else:
        pytest.skip(f"needs to make a control group that limits {controller}")
    try:
        yield Group(path, file)
    finally:
        _remove(path)


def _remove(path: Path) -> None:
    """Once all its processes have ended: those that are left move up, to be ended by whoever started them."""
    for _ in range(100):
        with contextlib.suppress(OSError):
            path.rmdir()
            return
        for pid in (path / "cgroup.procs").read_text().split():
            with contextlib.suppress(OSError):
                (path.parent / "cgroup.procs").write_text(pid)
        time.sleep(0.05)
    raise RuntimeError(f"{path} cannot be removed")
