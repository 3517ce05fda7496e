"""How much is fetched at once: bytes that readers wait for, bytes ahead of them, each one's share, and long GETs.

The one place for these numbers; readahead policies cut their windows by them. Pure but for the clock it is given.
The caller holds its lock around every method; `PrefetchBudget.share` may be read without.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import NamedTuple

from .flight import Flight

# A stream that asked for more within this time counts as being read, and has its share of the window.
ACTIVE_S = 2.0
# Long GETs at once over all streams: 24-28 connections carried most (30 ms, 2 cores), more than 32 less, 64 less than
# 32. Several streams share them by larger pieces, not by more: four of 256 MiB took 0.2 s longer with 570 GETs than
# with 400. The second number is what each of many streams still cuts its window for.
MAX_GETS, MIN_GETS = 28, 4
# How long a reader waits for others to be served before it: longer than that it does not wait for their sake. A read
# that has taken so long does not hold up others: its server may be silent.
TURN_S = 1.0


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


class Turn:
    """One read that needs bytes from elsewhere. `granted`: completes when it may ask for them."""

    __slots__ = ("began", "granted", "size")

    def __init__(self, size: int) -> None:
        self.size, self.began = size, 0.0
        self.granted: Future[None] = Future()


class DemandBudget:
    """Bytes that readers wait for, over all streams.

    What a read needs stays in memory until all of it is there, whatever the limit. The kernel asks for up to 1 MiB at
    once, for each file that is read: hundreds of them side by side would take hundreds of megabytes. So those beyond
    the limit take turns, in order.

    Args:
        memory: bytes that all blocks may take. Half of it is for this, as prefetches have the other one.
    """

    __slots__ = ("_clock", "_limit", "_served", "_waiting")

    def __init__(self, memory: int, clock: Callable[[], float]) -> None:
        self._limit, self._clock = memory // 2, clock
        self._served: dict[Turn, None] = {}  # in the order in which they began
        self._waiting: dict[Turn, None] = {}

    def enter(self, size: int) -> Turn:
        """A read of `size` bytes begins. If it must wait, then for `granted`, and at most TURN_S; then `begin` it."""
        turn = Turn(size)
        if self._waiting or not self._fits(size):
            self._waiting[turn] = None
        else:
            self.begin(turn)
        return turn

    def begin(self, turn: Turn) -> None:
        """It is served now, also when it was not its turn yet."""
        if not turn.granted.done():
            self._waiting.pop(turn, None)
            turn.began = self._clock()
            self._served[turn] = None
            turn.granted.set_result(None)

    def leave(self, turn: Turn) -> None:
        """It has its bytes, or does not want them any more."""
        self._served.pop(turn, None)
        self._waiting.pop(turn, None)
        while (following := next(iter(self._waiting), None)) is not None and self._fits(following.size):
            self.begin(following)

    def _fits(self, size: int) -> bool:
        counted = [turn.size for turn in self._served if self._clock() - turn.began < TURN_S]
        return not counted or sum(counted) + size <= self._limit


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
