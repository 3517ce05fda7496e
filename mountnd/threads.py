"""Making threads where the system may grant none: a limit of processes, which counts threads, or of memory."""

from __future__ import annotations

import _thread
import threading
from collections.abc import Callable
from typing import TypeVar

from .errors import MountError

T = TypeVar("T")


def start(thread: threading.Thread) -> None:
    """Start a thread. Raises MountError where the system grants none."""
    granted(thread.start)


def check_room(count: int) -> None:
    """Raises MountError where the system does not grant so many threads more."""
    go = threading.Event()
    try:
        for _ in range(count):
            # Not `Thread.start`, which waits for each to run: on a busy machine that took half a second (measured).
            granted(lambda: _thread.start_new_thread(go.wait, ()))
    finally:
        go.set()


def granted(begin: Callable[[], T]) -> T:
    """`begin()`, which makes a thread or a process. Raises MountError where the system grants none."""
    try:
        return begin()
    except (RuntimeError, MemoryError, BlockingIOError):
        raise MountError(
            "the system grants no more threads: a limit of processes (ulimit -u) or of memory is reached. "
            "End some programs, or raise it"
        ) from None
