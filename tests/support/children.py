"""Programs that may hang, each a process of its own that can be killed.

A process waiting on a mount whose server is silent cannot be interrupted by its own threads: a page fault
holds its GIL, and a read in Python's main thread keeps its signals waiting.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any

from .waiting import wait_until


def run_python(code: str, *args: str | bytes, seconds: float = 60.0) -> str:
    """What Python `code` prints. Raises AssertionError when it fails, or takes longer than `seconds`."""
    return run_program([sys.executable, "-c", code, *args], seconds=seconds)


def run_program(
    argv: Sequence[str | bytes], *, seconds: float = 60.0, check: bool = True, cwd: str | None = None
) -> str:
    """What a program prints. Raises AssertionError when it exits other than 0, or takes longer than `seconds`."""
    with child(argv, cwd=cwd) as process:
        try:
            out, err = (part.decode("utf-8", "surrogateescape") for part in process.communicate(timeout=seconds))
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{list(argv)!r} did not end within {seconds} s") from None
        assert not check or process.returncode == 0, f"{list(argv)!r}: {process.returncode}\n{out}\n{err}"
        return out


@contextlib.contextmanager
def child(argv: Sequence[str | bytes], cwd: str | None = None) -> Iterator[subprocess.Popen[bytes]]:
    """A process with the default action for SIGINT, killed at the end."""
    process = subprocess.Popen(
        ["env", "--default-signal=INT", *argv],
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "LC_ALL": "C.UTF-8"},
    )
    try:
        yield process
    finally:
        process.kill()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(10)
        for pipe in (process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()


@contextlib.contextmanager
def killed_after(seconds: float, process: subprocess.Popen[Any]) -> Iterator[None]:
    """Within it `process` is killed after `seconds`, so that reading from its pipes comes to an end."""
    timer = threading.Timer(seconds, process.kill)
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()


def read_until(text: str, process: subprocess.Popen[str], stream: IO[str] | None, seconds: float) -> None:
    """Read lines of a process's `stream` up to one that has `text` in it.

    Raises AssertionError when no such line comes within `seconds`.
    """
    assert stream is not None
    lines: list[str] = []
    with killed_after(seconds, process):
        for line in stream:
            lines.append(line)
            if text in line:
                return
    raise AssertionError(f"{process.args!r} never printed {text!r}: {''.join(lines)}")


def seconds_to_end(process: subprocess.Popen[bytes], limit: float) -> float:
    """How long `process` still runs. Raises AssertionError when that is longer than `limit` seconds."""
    start = time.monotonic()
    try:
        process.wait(limit)
    except subprocess.TimeoutExpired:
        raise AssertionError(f"{process.args!r} still runs after {limit} s") from None
    return time.monotonic() - start


def stop(pid: int) -> None:
    """Stop a process, and wait until each of its threads has: until then one may give another answer."""

    def all_stopped() -> bool:
        with contextlib.suppress(OSError):  # a thread that has just ended
            tasks = Path(f"/proc/{pid}/task").glob("*/stat")
            return {task.read_text().rpartition(") ")[2][0] for task in tasks} == {"T"}
        return False

    os.kill(pid, signal.SIGSTOP)
    wait_until(all_stopped, f"all threads of process {pid} stopped")


# Prints the errno (0: none) of each of its reads, and what they took altogether: PATH OFFSET SIZE [OFFSET SIZE ...]
TIMED_READ = """
import os, sys, time
start, path, places = time.monotonic(), sys.argv[1], list(map(int, sys.argv[2:]))
found = []
try:
    fd = os.open(path, os.O_RDONLY)
except OSError as e:
    print("open", e.errno, time.monotonic() - start)
    sys.exit()
for offset, size in zip(places[::2], places[1::2]):
    try:
        found.append(0 if len(os.pread(fd, size, offset)) == size else -1)
    except OSError as e:
        found.append(e.errno)
print("read", *found, time.monotonic() - start)
"""
