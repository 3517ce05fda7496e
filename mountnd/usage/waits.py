"""The longest waits of programs, and what they waited for. A heap of a fixed size."""

from __future__ import annotations

import heapq
import itertools
import threading
import time
from collections.abc import Callable
from typing import NamedTuple

# Waits kept: more than anybody reads.
MOST = 64
# What takes less is no wait that a person would notice.
LEAST_S = 0.02


class Wait(NamedTuple):
    """One wait.

    Attributes:
        at: when it began, in seconds since the epoch; seconds: how long it took.
        what: what the program wanted: `read`, `look-up` or `listing`.
        where: what is waited for, as `SlowestWaits.note` was given it.
        offset, size: of a read, in bytes (the offset is 0 where the wait was for a turn).
        cause: what took most of the time: `request` (to the source), `queue` (until a thread or a connection was free
            for it), `disk` (the disk cache), `turn` (memory was full of what readers wait for) or `names`.
        status: HTTP status of the last answer, 0 where there is none; request_id: the provider's name of that request.
        retries: requests that failed before it.
        error: why it ended in vain, as `StoreError.reason`; "" where it did not.
    """

    at: float
    seconds: float
    what: str
    where: object
    offset: int = 0
    size: int = 0
    cause: str = "names"
    status: int = 0
    request_id: str = ""
    retries: int = 0
    error: str = ""


class SlowestWaits:
    """Args:
    wall: seconds since the epoch.

    Attributes:
        floor: a wait of fewer seconds would not be kept.
    """

    def __init__(self, most: int = MOST, *, wall: Callable[[], float] = time.time) -> None:
        self._most, self._wall = most, wall
        self._lock = threading.Lock()
        self._numbers = itertools.count()
        self._heap: list[tuple[float, int, Wait]] = []
        self.floor = LEAST_S

    def note(self, wait: Wait) -> None:
        """A wait that has just ended; its `at` is made here."""
        if wait.seconds <= self.floor:
            return
        row = (wait.seconds, next(self._numbers), wait._replace(at=self._wall() - wait.seconds))
        with self._lock:
            if len(self._heap) < self._most:
                heapq.heappush(self._heap, row)
            else:
                heapq.heappushpop(self._heap, row)
            if len(self._heap) == self._most:
                self.floor = max(LEAST_S, self._heap[0][0])

    def longest(self) -> list[Wait]:
        """All that are kept, the longest first."""
        with self._lock:
            return [wait for _, _, wait in sorted(self._heap, key=lambda row: (-row[0], row[1]))]
