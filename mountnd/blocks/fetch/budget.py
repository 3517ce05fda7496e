"""How much is fetched at once: bytes ahead of all readers, each reader's share of them, and long GETs side by side.

The one place for these numbers; readahead policies cut their windows by them. Pure but for the clock it is given.
The caller holds its lock around every method; `PrefetchBudget.share` may be read without.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from .flight import Flight

# A stream that asked for more within this time counts as being read, and has its share of the window.
ACTIVE_S = 2.0
# Long GETs at once over all streams: 24-28 connections carried most (30 ms, 2 cores), more than 32 less, 64 less than
# 32. Several streams share them by larger pieces, not by more: four of 256 MiB took 0.2 s longer with 570 GETs than
# with 400. The second number is what each of many streams still cuts its window for.
MAX_GETS, MIN_GETS = 28, 4


class Share(NamedTuple):
    """What one handle may use.

    Args:
        ahead: bytes that it may fetch past its reader.
        gets: GETs at once that its window is cut for.
    """

    ahead: int
    gets: int


class PrefetchBudget:
    """Bytes that are fetched before anybody asks for them, over all streams.

    Args:
        memory: bytes that all blocks may take. Half of it is for what nobody has asked for yet: the other half
            keeps what somebody has.

    Attributes:
        share: what one stream may use now.
        reserved: bytes of prefetches that wait or are under way.
    """

    __slots__ = ("_active", "_clock", "_limit", "reserved", "share")

    def __init__(self, memory: int, clock: Callable[[], float]) -> None:
        self._limit = memory // 2
        self.share = Share(self._limit, MAX_GETS)
        self._clock = clock
        self.reserved = 0
        self._active: dict[object, float] = {}

    def reserve(self, size: int) -> bool:
        """Whether `size` more bytes may be prefetched; if so they count until `release`."""
        if self.reserved + size > self._limit:
            return False
        self.reserved += size
        return True

    def release(self, size: int) -> None:
        """A prefetch of `size` reserved bytes has ended."""
        self.reserved -= size

    def activate(self, owner: object) -> None:
        """`owner` reads ahead now: it has a share until it closes or pauses for `ACTIVE_S`."""
        now = self._clock()
        known = owner in self._active
        self._active[owner] = now
        if not known or len(self._active) > 1:
            for o in [o for o, t in self._active.items() if now - t > ACTIVE_S]:
                del self._active[o]
            self._divide()

    def deactivate(self, owner: object) -> None:
        """`owner` closed: the others share what it had."""
        if self._active.pop(owner, None) is not None:
            self._divide()

    def _divide(self) -> None:
        n = max(1, len(self._active))
        self.share = Share(self._limit // n, max(MIN_GETS, MAX_GETS // n))


class LongPrefetches:
    """Long prefetches: at most `MAX_GETS` of them are under way, the others wait here in order.

    Long ones share the network's bandwidth, and more of them than it takes to fill it make it slower. Short ones are a
    matter of round trips: there the number of workers is the limit, and this does not hold them back.
    """

    __slots__ = ("_running", "_waiting")

    def __init__(self) -> None:
        self._running = 0
        self._waiting: deque[Flight] = deque()

    def queue_if_full(self, flight: Flight) -> bool:
        """Whether the flight must wait; `next` returns it when it need not any longer."""
        if not flight.long_prefetch or self._running < MAX_GETS:
            return False
        self._waiting.append(flight)
        return True

    def started(self, flight: Flight) -> None:
        """A worker was given the flight for the first time."""
        self._running += flight.long_prefetch

    def finished(self, flight: Flight) -> None:
        """A flight that was started is done."""
        self._running -= flight.long_prefetch

    def next(self) -> Flight | None:
        """A flight that waited and may start now, if there is one."""
        while self._waiting and self._running < MAX_GETS:
            flight = self._waiting.popleft()
            if not (flight.finished or flight.tasks):
                return flight
        return None
