"""Gets blocks from stores: single flight per block, one GET for neighbours, demand before prefetch.

A flight is one GET on its way: it begins when somebody asks for blocks that nobody has, and whoever
asks for one of them until it has finished waits for the same flight. A prefetch that somebody comes to
wait for is promoted to demand. Failed prefetches are counted and forgotten.

Lock order: `Fetcher.lock` before the lock of `Workers`. No lock is held across I/O.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from threading import Lock
from typing import Any, TypeVar

from ...errors import StoreError
from ...stats import GETS_HEDGED, PREFETCH_CANCELLED, PREFETCH_REFUSED, Stats
from ...stores.base import ObjectId, Store
from ...usage.log import UsageLog
from ...waits import GRACE_S, later
from ...workers import Task, Workers
from .. import geometry
from ..disk.base import DiskTier, SharedTier
from ..geometry import SHIFT, BlockRange, Extent
from ..memory import Block, MemoryTier
from .budget import LongPrefetches, PrefetchBudget
from .flight import Flight, Owners
from .hedging import HedgePolicy
from .launching import SHORT, Launcher
from .link import Link
from .loader import Loader
from .turns import DemandBudget
from .warmup import ConnectionWarmup

T = TypeVar("T")

# A longer read is split: it waits for the slowest byte, and several connections bring it sooner. What a policy adds to
# a shorter one comes with it by one GET.
DEMAND_PIECE = 512 << 10
# While connections are new, what is fetched ahead of a reader comes block by block where it is no longer than this: a
# block takes three round trips where TCP starts, two take four. (nibabel's first volume at 30 ms 0.155 s instead of
# 0.18; but where all first pieces were so short, `tar` of a small data set took 1.37 s instead of 1.2.)
COLD_PIECE = 128 << 10


class Fetcher:
    """The memory tier, and what is on its way into it.

    Args:
        memory: limit in bytes, for cached and in-flight blocks.
        timeout: seconds one GET may take, retries included.
        beginners: see `Launcher`.
    """

    def __init__(
        self,
        stores: Mapping[str, Store],
        workers: Workers,
        stats: Stats,
        *,
        memory: int,
        timeout: float,
        disk: DiskTier | None = None,
        shared: SharedTier | None = None,
        clock: Callable[[], float] = time.monotonic,
        usage: UsageLog,
        beginners: Workers | None = None,
    ) -> None:
        self.lock = Lock()
        self.memory = MemoryTier(memory, stats)
        self.timeout, self.clock, self.stats = timeout, clock, stats
        self._workers = workers
        self._loader = Loader(stores, self.memory, disk, stats, timeout, clock, usage, shared)
        self._long_prefetches = LongPrefetches()
        self._flights: dict[tuple[ObjectId, int], Flight] = {}
        self.budget = PrefetchBudget(memory, clock)
        self.turns = DemandBudget(memory, clock)
        self._owners = Owners()
        self._hedging = {source: HedgePolicy() for source in stores}
        self.links = {source: Link() for source in stores}
        self._warmup = {source: ConnectionWarmup(clock) for source in stores}
        self._launcher = Launcher(
            self.lock,
            workers,
            beginners,
            self.memory,
            self._loader,
            stats,
            clock,
            self._learn,
            self._finish,
            self.links,
        )

    def store(self, id: ObjectId) -> Store:
        """What the object is fetched from."""
        return self._loader.store(id)

    def close(self) -> None:
        """Begin no more. Idempotent."""
        self._launcher.close()

    @property
    def is_busy(self) -> bool:
        """Whether anything is on its way for readers."""
        return bool(self._flights)

    def submit_prefetch(self, call: Callable[..., T], *args: Any) -> Task[T]:
        """Have a worker make a call, behind those that readers wait for. Raises RuntimeError once these are closed."""
        return self._workers.submit(call, *args, demand=False)

    def renewals(self, id: ObjectId) -> int:
        """How often the keys have changed that the object is fetched with."""
        return self._loader.store(id).renewals.count

    def here(self, id: ObjectId) -> tuple[set[int], set[int]]:
        """The indexes of the blocks of an object that are in memory, and of those on their way. It counts as no use."""
        with self.lock:  # for a copy alone: all of memory's blocks may be some hundred thousand
            held, coming = list(self.memory.lru), list(self._flights)
        return {i for one, i in held if one == id}, {i for one, i in coming if one == id}

    def usage(self) -> tuple[int, int]:
        """Bytes of memory in use, and how many requests wait or are under way."""
        with self.lock:
            return self.memory.used, len(set(self._flights.values()))

    # -- with the lock held by the caller -------------------------------------------------------

    def held(self, id: ObjectId) -> Callable[[int], bool]:
        """Tells of the index of a block whether that is here, or on its way."""
        lru, flights = self.memory.lru, self._flights
        return lambda i: (id, i) in lru or (id, i) in flights

    def demand(
        self, id: ObjectId, size: int, need: BlockRange, wanted: Extent, *, cut: bool = True
    ) -> list[Block | Flight]:
        """For each block of `need`: the block, or the flight that brings it.

        Starts GETs for what `wanted` lacks, or only for `need` where what is fetched ahead of readers leaves no room.
        Long ones are cut, or shared out by the store, unless many more are under way beside them (`cut`).

        The caller must pass every flight it was given to `stop_waiting`, once.
        """
        lru, flights = self.memory.lru, self._flights
        wider = geometry.covering(wanted.start, wanted.stop, size)
        gaps = geometry.missing(need, self.held(id))
        ahead = 0
        if wider.first < need.first or wider.stop > need.stop:
            span = BlockRange(min(wider.first, need.first), max(wider.stop, need.stop))
            more = geometry.missing(span, self.held(id))
            ahead = (_blocks(more) - _blocks(gaps)) << SHIFT
            if self.budget.reserve(ahead):
                gaps = more
            else:
                ahead = 0
        length = (need.stop - need.first) << SHIFT
        for gap in gaps:
            whole = gap == (0, geometry.block_count(size)) and not self.links[id.source].is_near
            most = self._warmup[id.source].cut(min(length, _blocks([gap]) << SHIFT), DEMAND_PIECE, whole=whole)
            shared = cut and self._launcher.shares(id, size, gap)
            is_cut = cut and length > most and not shared
            for piece in geometry.split(gap, most) if is_cut else (self._widened(id, size, gap),):
                new = Flight(id, size, piece, demand=True)
                new.alone, new.shared = not cut, shared
                new.reserved, ahead = ahead, 0
                self._start(new)
        parts: list[Block | Flight] = []
        joined: set[Flight] = set()
        for i in range(*need):
            flight = flights.get((id, i))
            if flight is None:
                parts.append(lru[id, i])
                continue
            parts.append(flight)
            if flight not in joined:
                joined.add(flight)
                flight.waiters += 1
                if not flight.demand:
                    flight.demand = True
                    if not flight.tasks:
                        self._submit(flight)
                    self._launcher.promote(flight)
        return parts

    def stop_waiting(self, flights: Iterable[Flight]) -> None:
        """The caller of `demand` no longer waits for these."""
        for f in flights:
            f.waiters -= 1
            self._leave(f)

    def cancel(self, owner: object) -> None:
        """`owner` closed: cancel its prefetches that have not started, unless others want them; those under way end
        where they take longer than a moment."""
        self.budget.deactivate(owner)
        for f in self._owners.leave(owner):
            if not (f.owners or f.waiters or f.demand) and f.started_at is None:
                self._drop(f)
            else:
                self._leave(f)

    def _leave(self, flight: Flight) -> None:
        """If nobody wants it any more, nor in a moment, it is cancelled."""
        if not (flight.finished or flight.is_wanted):
            later(GRACE_S, lambda: self._abandon(flight))

    def _drop(self, flight: Flight) -> None:
        """Cancel it: its connection is closed, if it has one."""
        tasks = list(flight.tasks)
        self._finish(flight)
        if flight.prefetch:
            self.stats.add(PREFETCH_CANCELLED)
        for task in tasks:
            task.cancel()

    def _widened(self, id: ObjectId, size: int, gap: BlockRange) -> BlockRange:
        """`gap`, longer where its GET should warm up a connection."""
        return self._warmup[id.source].widened(gap, geometry.block_count(size), self.held(id))

    def _start(self, flight: Flight) -> None:
        if not self._long_prefetches.queue_if_full(flight):
            self._submit(flight)
        # Of what several connections share none gets warm.
        self._warmup[flight.id.source].started(0 if flight.shared else flight.bytes)
        for i in range(*flight.span):
            self._flights[flight.id, i] = flight

    def _submit(self, flight: Flight) -> None:
        """Have an attempt made. Raises StoreError once the workers are closed."""
        first = not flight.tasks
        self._launcher.launch(flight)
        if first:
            self._long_prefetches.started(flight)

    def _finish(self, flight: Flight) -> None:
        flight.finished = True
        if flight.tasks:
            self._long_prefetches.finished(flight)
            flight.tasks.clear()
        self._warmup[flight.id.source].finished()
        for i in range(*flight.span):
            del self._flights[flight.id, i]
        self.budget.release(flight.reserved)
        self._owners.forget(flight)
        self.turns.came()
        while (waiting := self._long_prefetches.next()) is not None:
            try:
                self._submit(waiting)
            except StoreError:
                return  # the mount is closing

    def _learn(self, source: str, size: int, seconds: float, gets: int) -> None:
        """A GET of `size` bytes took so long, or several side by side."""
        if gets == 1:
            self._hedging[source].record(size, seconds)
        self.links[source].record(size, seconds)

    # -- without the lock -----------------------------------------------------------------------

    def read_ahead(self, id: ObjectId, size: int, extents: Sequence[Extent], owner: object) -> None:
        """As `prefetch`, for an `owner` that reads: it has a share of the budget until it closes or pauses."""
        with self.lock:
            self.budget.activate(owner)
        if self.links[id.source].starts_slowly:
            extents = [part for e in extents for part in _in_blocks(e, size)]
        self.prefetch(id, size, extents, owner)

    def prefetch(self, id: ObjectId, size: int, extents: Sequence[Extent], owner: object) -> None:
        """Fetch what is missing of `extents` when there is nothing more urgent, as far as the budget goes.

        Each extent takes the lock anew: while 24 threads are started for a first window, the demand which
        was sent before it must get its turn.
        """
        begins = all(e.size <= SHORT for e in extents)  # else the long ones would come to idle connections sooner
        for e in extents:
            with self.lock:
                if not self._prefetch_range(id, size, geometry.covering(e.start, e.stop, size), owner, begins):
                    return

    def _prefetch_range(self, id: ObjectId, size: int, span: BlockRange, owner: object, begins: bool) -> bool:
        """Start GETs for what is missing of `span`; False where the budget is spent or the mount closes."""
        lru, flights = self.memory.lru, self._flights
        todo = []
        for i in range(*span):
            flight = flights.get((id, i))
            if flight is not None:
                self._owners.add(flight, owner)
            elif (id, i) not in lru:
                todo.append(i)
        for gap in geometry.block_ranges(todo):
            flight = Flight(id, size, gap, demand=False)
            flight.begins = begins
            if not self.budget.reserve(flight.bytes):
                self.stats.add(PREFETCH_REFUSED)
                return False
            try:
                self._start(flight)
            except StoreError:
                self.budget.release(flight.bytes)
                return False  # the mount is closing
            self._owners.add(flight, owner)
        return True

    def hedge_delay(self, flight: Flight) -> float:
        """Seconds from now after which to `hedge` the flight; infinite where that is of no use."""
        with self.lock:
            if flight.hedged or flight.finished:
                return float("inf")
            limit = self._hedging[flight.id.source].threshold(flight.bytes)
            if flight.started_at is None or flight.held_back:
                return limit
            return flight.started_at + limit - self.clock()

    def hedge(self, flight: Flight) -> None:
        """Send a second GET for a flight that stalls, if it still does; the first answer that comes counts."""
        if self.hedge_delay(flight) > 0:
            return
        with self.lock:
            flight.hedged = True  # or not allowed to be: once is enough
            if flight.finished or not self._hedging[flight.id.source].allow():
                return
            try:
                self._submit(flight)
            except StoreError:
                return
            self.stats.add(GETS_HEDGED)

    def _abandon(self, flight: Flight) -> None:
        with self.lock:
            if not (flight.finished or flight.is_wanted):
                self._drop(flight)


def _in_blocks(e: Extent, size: int) -> Sequence[Extent]:
    """The blocks of a short extent."""
    if e.size > COLD_PIECE:
        return (e,)
    return [geometry.extent(b, size) for b in geometry.split(geometry.covering(e.start, e.stop, size), geometry.BLOCK)]


def _blocks(ranges: Iterable[BlockRange]) -> int:
    return sum(r.stop - r.first for r in ranges)
