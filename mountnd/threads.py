"""Making threads where the system may grant none: a limit of processes, which counts threads, or of memory."""

from __future__ import annotations

import threading

from .errors import MountError


def start(thread: threading.Thread) -> None:
    """Start a thread. Raises MountError where the system grants none."""
    try:
        thread.start()
    except (RuntimeError, MemoryError):
        raise MountError(
            "the system grants no more threads: a limit of processes (ulimit -u) or of memory is reached. "
            "End some programs, or raise it"
        ) from None


def check_room(count: int) -> None:
    """Raises MountError where the system does not grant so many threads more."""
    go = threading.Event()
    try:
        for _ in range(count):
            start(threading.Thread(target=go.wait, daemon=True))
    finally:
        go.set()
