"""The real command in the background, as a person starts it, and a mountpoint that is cleaned up after the test."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from mountnd.daemon import mounts, rundir

from .waiting import wait_until

ROOT = Path(__file__).parents[2]
# The command itself waits at most 20 s for a tree, or 10 s for a daemon's end; a busy machine needs far more.
COMMAND_S = 120.0
MOUNTND = (sys.executable, "-m", "mountnd")


def environment() -> dict[str, str]:
    """This process's, with the checkout to be imported from."""
    return {**os.environ, "PYTHONPATH": str(ROOT)}


def run_mountnd(
    *args: str | Path, cwd: Path | str = "/", within: Sequence[str] = (), env: Mapping[str, str | None] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run `mountnd ARGS` to its end. A daemon that kept its streams would make this wait.

    `within`: a command that runs it (`sh -c 'exec "$@" >&-' sh`); `env`: variables to set, or to leave out (None).
    """
    environ = {**environment(), **(env or {})}
    return subprocess.run(
        [*within, *MOUNTND, *map(str, args)],
        cwd=cwd,
        env={name: value for name, value in environ.items() if value is not None},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=COMMAND_S,
        check=False,
    )


def is_mounted(path: Path) -> bool:
    """Whether a mount of mountnd's stands at `path`."""
    mount = mounts.mount_at(path)
    return mount is not None and mount.fstype == mounts.FSTYPE


def wait_mounted(path: Path) -> None:
    """Wait until a mount of mountnd's stands at `path`."""
    wait_until(lambda: is_mounted(path), f"a mount at {path}", COMMAND_S)


def daemon_record(path: Path) -> rundir.Record:
    """The record of the mount at `path`."""
    record = rundir.find(path)
    assert record is not None, f"no record of {path}"
    return record


@contextmanager
def mountpoint(path: Path) -> Iterator[Path]:
    """A path to mount on; whatever stands there afterwards is taken away, and its daemon with it."""
    try:
        yield path
    finally:
        seen = rundir.find(path)  # also of a daemon that has not mounted yet, or no longer
        for _ in range(3):
            if mounts.mount_at(path) is None:
                break
            seen = rundir.find(path) or seen
            subprocess.run(["fusermount3", "-u", "-z", str(path)], check=False, capture_output=True, timeout=20)
        if seen is not None and seen.alive() and not mounts.wait_exit(seen.pid, 10):
            os.kill(seen.pid, signal.SIGKILL)
