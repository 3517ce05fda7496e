"""Time as a shared file system tells it: the clocks of nodes differ, by a day where one is wrong.

A file is touched, and the time that it has then is taken for now; from there on the monotonic clock counts. Where the
file system gives files the times of whoever writes (Lustre), or nothing may be written, that is this node's clock.

Lock order: `FileClock._lock` is a leaf; no lock is held across I/O.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

NAME = "clock"
# The monotonic clock of a machine that sleeps stands still.
SYNC_S = 60.0


class Touched(Protocol):
    """The directory that has the file."""

    def touch(self, name: str) -> None: ...
    def create(self, name: str) -> int: ...
    def modified(self, name: str) -> float: ...


class FileClock:
    """Seconds since the epoch by the clock of a file system. Safe to use from many threads.

    Args:
        clock, wall: monotonic and calendar seconds of this node.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic, wall: Callable[[], float] = time.time) -> None:
        self._clock, self._wall = clock, wall
        self._lock = threading.Lock()
        self._ahead: float | None = None  # of the monotonic clock; None: not known
        self._synced = float("-inf")

    def now(self) -> float:
        """Seconds since the epoch."""
        with self._lock:
            ahead = self._ahead
        return self._wall() if ahead is None else self._clock() + ahead

    @property
    def is_due(self) -> bool:
        """Whether `sync` should be called."""
        return self._clock() - self._synced > SYNC_S

    def sync(self, directory: Touched) -> None:
        """Ask the file system of `directory`. Raises OSError; FileExistsError never."""
        self._synced = self._clock()
        try:
            directory.touch(NAME)
        except FileNotFoundError:
            with suppress(FileExistsError):
                os.close(directory.create(NAME))
            directory.touch(NAME)
        told = directory.modified(NAME)
        with self._lock:
            self._ahead = told - self._clock()
