"""The inflated bytes of one version: who inflates what, so that nothing is inflated twice that is wanted at once.

Bytes are inflated in units (`units.py`); `cursors.py` says by whom.

Lock: `Inflated._lock` comes before those of `Points`, `Units`, `Feed` and `Allowance`; nothing is waited for under it.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, suppress
from functools import partial
from typing import NamedTuple
from weakref import ref

import xxhash

from ..errors import BadAnswer, StoreError, TimedOut
from ..stores.base import Deadline, ObjectId, Store
from ..waits import GRACE_S, later
from ..workers import Workers
from .cursor import Cursor
from .cursors import Cursors, Waiter, Working
from .feed import SLACK, Allowance, ConnectionUse, Feed
from .points import SPACING, Points, SeekPoint
from .unfit import Unfit
from .units import Units, start_of, unit_of

# Seek points that are kept together: those of 64 MiB.
POINTS_AT_ONCE = 16
# Up to the next seek point, or the end, it is known how much is needed: where that is no farther, all up to there is
# fetched, for a round trip costs more (2.7 MB at 30 ms and 90 MB/s). Elsewhere this part more than what is expected:
# images compress about as much here as there.
TO_POINT, GUESS = 3 << 19, 8
# A cursor that nobody came back to for so many seconds is given up: a seek point is near.
IDLE_S = 30.0

_NUMBERS = itertools.count()


class Engine(NamedTuple):
    """What all inflated files share.

    Attributes:
        store: gives the compressed bytes.
        workers: fetch them; `connections`: whether those were in use lately.
        units: what was inflated lately.
        turn: held while zlib works: as many at once as there are processors.
    """

    store: Store
    workers: Workers
    connections: ConnectionUse
    allowance: Allowance
    units: Units
    turn: AbstractContextManager[object]


class Inflated:
    """Reads of one stored version.

    Args:
        id: of what is stored; its size is known.
        whose: 16 bytes that name it.
        size: bytes that it should inflate to, as its header tells.
        points: its seek points so far.
        head: its first stored bytes, as far as they are here.
        learnt: called when there are many more seek points than before, or all.
        given: check sums of the units that readers were given already, by number: they are compared with.

    Attributes:
        points: its seek points; on_disk: whether some of them are kept.
        given_up: set where something was damaged: nothing of it is kept any more.
    """

    def __init__(
        self,
        engine: Engine,
        id: ObjectId,
        whose: bytes,
        size: int,
        points: Points,
        head: bytes,
        learnt: Callable[[Inflated], object] = lambda _: None,
        *,
        on_disk: bool = False,
        given: dict[int, int] | None = None,
    ) -> None:
        self.on_disk, self.given_up = on_disk, threading.Event()
        self.given = {} if given is None else given
        # Its units are its own: those of what was given up before it may be damaged.
        self._units = whose + next(_NUMBERS).to_bytes(8, "little")
        self._engine, self.id, self.whose, self.size, self.points = engine, id, whose, size, points
        self._head, self._learnt = head, learnt
        self._lock = threading.Lock()
        self._cursors = Cursors(points, self._new)  # guarded by the lock
        self._kept_points = len(points)
        self._ended = False

    # -- reading
    def read(self, start: int, views: Sequence[memoryview], deadline: Deadline) -> None:
        """Fill `views` with the inflated bytes from `start` on. Raises Unfit and StoreError."""
        stop = start + sum(map(len, views))
        if stop > self.size:
            raise BadAnswer(f"{self.id.key}: {self.size} bytes, requested up to {stop}", code="InvalidRange")
        at, data, first = start, bytearray(), 0
        digests = {}
        for view in views:
            filled = 0
            while filled < len(view):
                if not first <= at < first + len(data):
                    unit = unit_of(at)
                    first, data = start_of(unit), self._unit(unit, stop, deadline)
                    if unit not in self.given:
                        digests[unit] = xxhash.xxh3_64_intdigest(data)
                n = min(len(view) - filled, first + len(data) - at)
                view[filled : filled + n] = memoryview(data)[at - first : at - first + n]
                filled, at = filled + n, at + n
        for unit, digest in digests.items():
            if self.given.setdefault(unit, digest) != digest:
                raise Unfit("damaged")

    def inflate_all(self, deadline: Deadline) -> None:
        """Inflate to the end, whatever that takes: whether it fits its header. Raises Unfit and StoreError."""
        self._unit(unit_of(self.size - 1), self.size, deadline)

    def close(self) -> None:
        """Drop the cursors that nobody uses. It can still be read."""
        with self._lock:
            idle, self._cursors.idle = self._cursors.idle, []
        _close(idle)

    def has_new_points(self) -> bool:
        """Whether there are seek points that were not there when this was last asked."""
        with self._lock:
            before, self._kept_points = self._kept_points, len(self.points)
            return self._kept_points > before

    @property
    def in_use(self) -> bool:
        """Whether somebody reads it now."""
        return bool(self._cursors.busy or self._cursors.waiters)

    # -- units
    def _unit(self, unit: int, stop: int, deadline: Deadline) -> bytearray:
        """One unit, on the way to the offset `stop`."""
        waiter = Waiter(unit, stop)
        if (data := self._engine.units.get(self._units, unit)) is not None:
            return data
        if not unit and (data := self.points.first) is not None:
            self._engine.units.put(self._units, unit, data)
            return data
        with self._lock:
            if (data := self._engine.units.get(self._units, unit)) is not None:
                return data
            self._cursors.waiters.append(waiter)
            dropped = self._cursors.hand_out()
            if not waiter.given.is_set():
                self._feed_further()
        _close(dropped)
        if not waiter.given.is_set():
            self._wait(waiter, deadline)
        if waiter.data is not None:
            return waiter.data
        if waiter.error is not None:
            raise waiter.error
        assert waiter.working is not None
        return self._inflate_to(waiter.working, unit, stop, deadline)

    def _wait(self, waiter: Waiter, deadline: Deadline) -> None:
        """Wait until a reader is given something. Raises what the deadline says."""
        with deadline.ending(waiter.given.set):
            waiter.given.wait(min(deadline.left(), threading.TIMEOUT_MAX))
        with self._lock:
            if waiter not in self._cursors.waiters:  # it was given something meanwhile
                return
            self._cursors.waiters.remove(waiter)
        raise deadline.over(self.id.key) or TimedOut(f"{self.id.key}: no answer in time", code="Deadline")

    def _inflate_to(self, working: Working, unit: int, stop: int, deadline: Deadline) -> bytearray:
        """Inflate on until a unit is there."""
        cursor, feed, kept = working.cursor, working.feed, False
        check = partial(deadline.check, self.id.key)
        feed.deadline = deadline
        try:
            while True:
                with self._lock:
                    working.at = at = cursor.out if working.data is None else working.at
                    feed_to = self._cursors.reach(at, stop)
                feed.want(*self._stored_at(feed_to, cursor))
                here = unit_of(at)
                end = min(start_of(here + 1), self.size)
                data = working.data = working.data or bytearray(end - at)
                cursor.fill(memoryview(data)[cursor.out - at :], check)
                if cursor.out < end:
                    raise Unfit("size")
                if end == self.size:  # all that the header tells of is there: nothing may follow
                    if cursor.fill(memoryview(bytearray(1)), check):
                        raise Unfit("size")
                    self._ended = True
                working.data = None
                if at == start_of(here):
                    self._give(here, data)
                    if here == unit:
                        kept = True
                        return data
        except Exception:
            kept = deadline.over("") is not None  # it can go on from where it is
            raise
        finally:
            self._release(working, kept=kept)

    def _feed_further(self) -> None:
        """With the lock held: ask at once for what cursors at work go on to, for somebody who has just come."""
        for working in self._cursors.busy:
            reach = self._cursors.reach(working.at, working.stop)
            with suppress(StoreError):  # whoever has the cursor meets it as well
                working.feed.want(*self._stored_at(reach, working.cursor))

    def _give(self, unit: int, data: bytearray) -> None:
        """A unit was inflated: for who waits, and for who is a little late. Raises Unfit where readers were given
        something else: that may be cached by now, and a check sum that is right at last must not hide it."""
        if unit in self.given and self.given[unit] != xxhash.xxh3_64_intdigest(data):
            raise Unfit("damaged")
        if not unit and self.size > SPACING:
            self.points.begins(data)
        with self._lock:
            self._engine.units.put(self._units, unit, data)
            self._cursors.give(unit, data)

    def _release(self, working: Working, *, kept: bool) -> None:
        """A cursor's reader is done with it."""
        kept = kept and not working.cursor.ended
        more = len(self.points) - self._kept_points
        learnt = more >= POINTS_AT_ONCE or (self._ended and more > 0)
        with self._lock:
            dropped = self._cursors.release(working, kept=kept)
            if working in self._cursors.idle:
                later(GRACE_S, partial(self._pause, ref(working), working.turns))
        _close(dropped if kept else [working, *dropped])
        if learnt:
            self._learnt(self)

    def _pause(self, idle: ref[Working], turns: int) -> None:
        """Where nobody has come for a cursor meanwhile, what is under way for it is not wanted; nor is the cursor
        where others have no room."""
        with self._lock:
            working = idle()
            if working not in self._cursors.idle or working.turns != turns:
                return
            if not self._engine.allowance.is_short:
                working.feed.pause()
                later(IDLE_S, partial(self._give_up, idle, turns))
                return
        self._give_up(idle, turns)

    def _give_up(self, idle: ref[Working], turns: int) -> None:
        """Drop a cursor that nobody has come for meanwhile."""
        with self._lock:
            working = idle()
            if working not in self._cursors.idle or working.turns != turns:
                return
            self._cursors.idle.remove(working)
        working.feed.close()

    def _new(self, point: SeekPoint) -> Working:
        """A cursor from a seek point on."""
        engine = self._engine
        feed = Feed(
            engine.store, self.id, engine.workers, engine.allowance, engine.connections, head=self._head,
            start=point.stored,
        )  # fmt: skip
        return Working(Cursor(point, feed, self.points, engine.turn), feed)

    def _stored_at(self, out: int, cursor: Cursor) -> tuple[int, int]:
        """About where in the compressed bytes those end that inflate to `out`, and to the end of its unit; and up to
        where to fetch for them."""
        out = min(start_of(unit_of(out - 1) + 1), self.size)
        before, after = self.points.before(out), self.points.after(out - 1)
        low = (before.out, before.stored) if before.out >= cursor.out else (cursor.out, cursor.stored)
        high = (after.out, after.stored) if after is not None else (self.size, self.id.size)
        share = (out - low[0]) / max(1, high[0] - low[0])
        stored = max(0, high[1] - low[1])
        stop = low[1] + min(int(stored * min(1.0, share)) + 1, stored)
        if high[1] - stop <= TO_POINT:
            return stop, max(stop, high[1])
        return stop, stop + max(SLACK, (stop - low[1]) // GUESS)


def _close(dropped: list[Working]) -> None:
    for working in dropped:
        working.feed.close()
