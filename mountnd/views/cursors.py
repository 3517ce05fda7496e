"""The cursors of one file, and who is given which. Pure but for the events that it sets; the caller holds its lock.

A reader that needs a unit takes an idle cursor that lies a little before it, or one that is made at the seek point
before it; where a cursor at work will come by, it waits, and is given the unit, or the cursor. So a stream, whose
readahead asks for many parts at once, is inflated by one cursor, in order, and each compressed byte of it is fetched
once; readers of places far from each other go side by side.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from .cursor import Cursor
from .feed import Feed
from .points import Points, SeekPoint
from .units import start_of

# A cursor so little before a seek point is as good as the point: its compressed bytes are on their way. And what begins
# so little behind what somebody reads is read in the same go, by one cursor that passes on.
NEAR, GAP = 1 << 20, 4 << 20
# Cursors of one file, at work or idle.
CURSORS = 8


class Working:
    """A cursor and what feeds it.

    Attributes:
        at: where the bytes begin that it gives next; stop: where the reader ends who has it.
        data: what was inflated of a unit when its reader was cancelled, from `at` on.
        turns: how many readers have had it.
    """

    __slots__ = ("__weakref__", "at", "cursor", "data", "feed", "stop", "turns")

    def __init__(self, cursor: Cursor, feed: Feed) -> None:
        self.cursor, self.feed = cursor, feed
        self.at = self.stop = cursor.out
        self.data: bytearray | None = None
        self.turns = 0


class Waiter:
    """A reader that waits for a unit, on its way to the offset `stop`: it is given the `data`, or a cursor for it, or
    the error why there is none."""

    __slots__ = ("data", "error", "given", "stop", "unit", "working")

    def __init__(self, unit: int, stop: int) -> None:
        self.unit, self.stop = unit, stop
        self.given = threading.Event()
        self.data: bytearray | None = None
        self.error: Exception | None = None
        self.working: Working | None = None


class Cursors:
    """Args:
        make: a cursor from a seek point on.

    Attributes:
        idle, busy: the cursors; waiters: who waits.
    """

    def __init__(self, points: Points, make: Callable[[SeekPoint], Working]) -> None:
        self._points, self._make = points, make
        self.idle: list[Working] = []
        self.busy: list[Working] = []
        self.waiters: list[Waiter] = []

    def hand_out(self) -> list[Working]:
        """Give cursors to those who wait and need not wait for one at work, in the order of what they want. Returns
        cursors that were given up for that."""
        dropped = []
        for waiter in sorted(self.waiters, key=lambda one: one.unit):
            start = start_of(waiter.unit)
            point = self._points.before(start)
            near = min(point.out - NEAR, start - GAP)
            idle = [one for one in self.idle if near <= one.at <= start]
            working = max(idle, key=lambda one: one.at, default=None)
            comes = [one.at for one in self.busy if one.at <= start and self._comes_by(one, start, point)]
            if comes and (working is None or max(comes) > working.at):
                continue
            if working is not None:
                self.idle.remove(working)
            elif len(self.busy) < CURSORS:
                if self.idle and len(self.idle) + len(self.busy) >= CURSORS:
                    dropped.append(self.idle.pop(0))
                try:
                    working = self._make(point)
                except Exception as e:
                    self.waiters.remove(waiter)
                    waiter.error = e
                    waiter.given.set()
                    continue
            else:
                break
            working.stop = waiter.stop
            self.busy.append(working)
            self.waiters.remove(waiter)
            waiter.working = working
            waiter.given.set()
        return dropped

    def give(self, unit: int, data: bytearray) -> None:
        """A unit was inflated: all who wait for it are given it."""
        for waiter in [waiter for waiter in self.waiters if waiter.unit == unit]:
            self.waiters.remove(waiter)
            waiter.data = data
            waiter.given.set()

    def release(self, working: Working, *, kept: bool) -> list[Working]:
        """A reader is done with its cursor, which can go on from where it is, if it is `kept`. As `hand_out`."""
        self.busy.remove(working)
        if kept:
            working.at = working.cursor.out if working.data is None else working.at
            working.turns += 1
            self.idle.append(working)
        return self.hand_out()

    def reach(self, at: int, stop: int) -> int:
        """Up to where a cursor at `at` will go that is on its way to `stop`: for those, too, who wait for what comes
        right behind it."""
        for waiter in sorted(self.waiters, key=lambda one: one.unit):
            if at <= start_of(waiter.unit) <= stop + GAP:
                stop = max(stop, waiter.stop)
        return stop

    def _comes_by(self, working: Working, start: int, point: SeekPoint) -> bool:
        """Whether a cursor at work is nearer than a seek point, or goes there anyway."""
        return working.at >= point.out - NEAR or start <= self.reach(working.at, working.stop)
