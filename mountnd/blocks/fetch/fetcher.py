"""Gets blocks from stores: single flight per block, one GET for neighbours, demand before prefetch.

A flight is one GET on its way: it begins when somebody asks for blocks that nobody has, and whoever
asks for one of them until it lands waits for the same flight. A prefetch that somebody comes to wait
for is promoted to demand. Failed prefetches are counted and forgotten.

Lock order: `Fetcher.lock` before the lock of `Workers`. No lock is held across I/O.
"""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from threading import Lock

from ...errors import StoreError
from ...stats import Stats
from ...stores.base import ObjectId, Store
from ...workers import Workers
from .. import counters, geometry
from ..disk.base import Tier
from ..geometry import BLOCK, Extent, Run
from ..memory import Block, Memory
from .budget import Budget
from .flight import Flight
from .hedging import Stalls
from .lanes import Lanes
from .loader import Origin
from .warmup import WARMING, Warmth

# A longer demand is cut: its reader waits for the slowest byte, and several connections bring it sooner.
DEMAND_PIECE = 512 << 10
WARMING_BLOCKS = WARMING // BLOCK


class Fetcher:
    """Memory and what is on its way into it.

    Args:
        memory: limit in bytes, for cached and in-flight blocks.
        timeout: seconds one GET may take, retries included.
    """

    def __init__(
        self,
        stores: Mapping[str, Store],
        workers: Workers,
        stats: Stats,
        *,
        memory: int,
        timeout: float,
        disk: Tier | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.lock = Lock()
        self.memory = Memory(memory, stats)
        self.timeout, self.clock, self.stats = timeout, clock, stats
        self._workers = workers
        self._origin = Origin(stores, self.memory, disk, stats, timeout, clock)
        self._lanes = Lanes()
        self._flights: dict[tuple[ObjectId, int], Flight] = {}
        self.budget = Budget(memory, clock)
        self._owned: dict[object, set[Flight]] = {}
        self._stalls = {source: Stalls() for source in stores}
        self._warmth = {source: Warmth(clock) for source in stores}

    # -- with the lock held by the caller -------------------------------------------------------

    def demand(self, id: ObjectId, size: int, need: Run, wanted: Extent) -> list[Block | Flight]:
        """For each block of `need`: the block, or the flight that brings it. Missing ones of `wanted` begin to fly.

        The caller must `release` every flight it was given, once.
        """
        lru, flights = self.memory.lru, self._flights
        run = geometry.covering(wanted.start, wanted.stop, size)
        run = Run(min(run.first, need.first), max(run.stop, need.stop))
        for gap in geometry.missing(run, lambda i: (id, i) in lru or (id, i) in flights):
            for piece in geometry.split(gap, DEMAND_PIECE):
                self._start(Flight(id, size, self._widened(id, size, piece), demand=True))
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
                        self._send(flight)
                    for task in flight.tasks:
                        self._workers.promote(task)
        return parts

    def release(self, flights: Iterable[Flight]) -> None:
        """Waiting for these is over."""
        for f in flights:
            f.waiters -= 1

    def forget(self, owner: object) -> None:
        """`owner` closed: drop its prefetches that have not begun, unless others want them."""
        self.budget.closed(owner)
        for f in self._owned.pop(owner, ()):
            f.owners.discard(owner)
            if not (f.owners or f.waiters or f.demand) and f.began is None:
                for task in f.tasks:
                    task.future.cancel()
                self._land(f)
                self.stats.add(counters.PREFETCH_CANCELLED)

    def _widened(self, id: ObjectId, size: int, gap: Run) -> Run:
        """`gap`, or where that warms its connection, as much as does from there on. Never at the start of an object.

        There a header may be all that is wanted.
        """
        if not gap.first or gap.stop - gap.first >= WARMING_BLOCKS or not self._warmth[id.source].wanted:
            return gap
        stop = gap.stop
        end = min(gap.first + WARMING_BLOCKS, geometry.count(size))
        while stop < end and (id, stop) not in self.memory.lru and (id, stop) not in self._flights:
            stop += 1
        return Run(gap.first, stop)

    def _start(self, flight: Flight) -> None:
        if not self._lanes.hold(flight):
            self._send(flight)
        self._warmth[flight.id.source].began(flight.bytes)
        for i in range(*flight.run):
            self._flights[flight.id, i] = flight

    def _send(self, flight: Flight) -> None:
        """Give the flight to a worker, whose hands it is in from then on. Raises StoreError once closed."""
        try:
            task = self._workers.submit(self._fly, flight, demand=flight.demand)
        except RuntimeError:
            raise StoreError("the mount is closing") from None
        if not flight.tasks:
            self._lanes.sent(flight)
        flight.attempts += 1
        flight.tasks.append(task)
        task.future.add_done_callback(lambda future: self._dropped(flight) if future.cancelled() else None)

    def _own(self, flight: Flight, owner: object) -> None:
        flight.owners.add(owner)
        self._owned.setdefault(owner, set()).add(flight)

    def _land(self, flight: Flight) -> None:
        flight.landed = True
        if flight.tasks:
            self._lanes.landed(flight)
            flight.tasks.clear()
        self._warmth[flight.id.source].ended()
        for i in range(*flight.run):
            del self._flights[flight.id, i]
        if flight.prefetch:
            self.budget.done(flight.bytes)
        for owner in flight.owners:
            if (flights := self._owned.get(owner)) is not None:
                flights.discard(flight)
                if not flights:
                    del self._owned[owner]
        while (held := self._lanes.next()) is not None:
            try:
                self._send(held)
            except StoreError:
                return  # the mount is closing

    # -- without the lock -----------------------------------------------------------------------

    def read_ahead(self, id: ObjectId, size: int, extents: Sequence[Extent], owner: object) -> None:
        """As `prefetch`, for an `owner` that reads: it has a share of the budget until it closes or rests."""
        with self.lock:
            self.budget.reads(owner)
        self.prefetch(id, size, extents, owner)

    def prefetch(self, id: ObjectId, size: int, extents: Sequence[Extent], owner: object) -> None:
        """Fetch what is missing of `extents` when there is nothing more urgent, as far as the budget goes.

        Each extent takes the lock anew: while 24 threads are started for a first window, the demand which
        was sent before it must get its turn.
        """
        for e in extents:
            with self.lock:
                if not self._plan(id, size, geometry.covering(e.start, e.stop, size), owner):
                    return

    def _plan(self, id: ObjectId, size: int, run: Run, owner: object) -> bool:
        """Let the missing blocks of `run` fly; False where the budget is spent or the mount closes."""
        lru, flights = self.memory.lru, self._flights
        todo = []
        for i in range(*run):
            flight = flights.get((id, i))
            if flight is not None:
                self._own(flight, owner)
            elif (id, i) not in lru:
                todo.append(i)
        for gap in geometry.runs(todo):
            flight = Flight(id, size, self._widened(id, size, gap), demand=False)
            if not self.budget.plan(flight.bytes):
                self.stats.add(counters.PREFETCH_REFUSED)
                return False
            try:
                self._start(flight)
            except StoreError:
                self.budget.done(flight.bytes)
                return False  # the mount is closing
            self._own(flight, owner)
        return True

    def patience(self, flight: Flight) -> float:
        """Seconds from now after which to `hedge` the flight; infinite where that is of no use."""
        with self.lock:
            if flight.hedged or flight.landed:
                return float("inf")
            limit = self._stalls[flight.id.source].limit(flight.bytes)
            return limit if flight.began is None else flight.began + limit - self.clock()

    def hedge(self, flight: Flight) -> None:
        """Ask a second time for a flight that stalls, if it still does; the first answer that comes counts."""
        if self.patience(flight) > 0:
            return
        with self.lock:
            flight.hedged = True  # or refused: once is enough
            if flight.landed or not self._stalls[flight.id.source].spend():
                return
            try:
                self._send(flight)
            except StoreError:
                return
            self.stats.add(counters.HEDGED)

    # -- on a worker's thread, without the lock -------------------------------------------------

    def _fly(self, flight: Flight) -> None:
        """One GET, and the flight's end; a second GET for the same flight ends unseen."""
        with self.lock:
            if flight.landed:
                return
            flight.began = self.clock()
            demand = flight.demand
            flight.retry = not demand
            blocks = self.memory.allocate(
                [geometry.length(i, flight.size) for i in range(*flight.run)], overdraft=demand
            )
            if blocks is None:
                self._land(flight)
        if blocks is None:
            self.stats.add(counters.PREFETCH_REFUSED)
            flight.future.set_result(None)
            return
        try:
            seconds = self._origin.fill(flight, blocks, demand=demand)
        except BaseException as e:
            # The future keeps the traceback, its frames keep their locals, and these would keep the room taken.
            del blocks
            traceback.clear_frames(e.__traceback__)
            self.stats.add(counters.GETS_FAILED if demand else counters.PREFETCH_FAILED)
            self._failed(flight, e)
        else:
            self._arrived(flight, blocks, seconds)

    def _arrived(self, flight: Flight, blocks: list[Block], seconds: float) -> None:
        with self.lock:
            if seconds:
                self._stalls[flight.id.source].took(flight.bytes, seconds)
            flight.attempts -= 1
            if flight.landed:  # the other attempt was faster
                return
            for i, block in enumerate(blocks, flight.run.first):
                self.memory.put((flight.id, i), block)
            self._land(flight)
            self.memory.trim()
        flight.future.set_result(blocks)

    def _failed(self, flight: Flight, error: BaseException) -> None:
        with self.lock:
            flight.attempts -= 1
            if flight.attempts or flight.landed:
                return
            self._land(flight)
        flight.future.set_exception(error)

    def _dropped(self, flight: Flight) -> None:
        """The workers closed before they came to it."""
        if not flight.future.done():
            flight.future.cancel()
