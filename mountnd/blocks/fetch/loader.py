"""Loads what memory does not hold: from the disk tier, and what is not there from the store."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from ...stats import BYTES_FETCHED, GET_TIME, GETS, GETS_DEMAND, PREFETCHED, Stats
from ...stores.base import Deadline, ObjectId, Store
from ...usage.log import UsageLog
from ...workers import cancels
from .. import geometry
from ..disk.base import DiskTier
from ..memory import ON_DISK, UNREAD, Block, MemoryTier, PinnedBlocks
from .flight import Brought, Flight

# Gaps with at most so many blocks on disk between them are fetched by one GET: a request costs a round trip.
COALESCE_GAP = 2


class Loader:
    """Loads a flight's blocks on the calling thread. Safe to use from many threads.

    Args:
        timeout: seconds one GET may take, retries included.
    """

    def __init__(
        self,
        stores: Mapping[str, Store],
        memory: MemoryTier,
        disk: DiskTier | None,
        stats: Stats,
        timeout: float,
        clock: Callable[[], float],
        usage: UsageLog,
    ) -> None:
        self._stores, self._memory, self._disk, self._stats, self._usage = stores, memory, disk, stats, usage
        self._timeout, self._clock = timeout, clock

    def store(self, id: ObjectId) -> Store:
        """What the object is fetched from."""
        return self._stores[id.source]

    def load(self, flight: Flight, blocks: Sequence[Block], *, demand: bool, disk: bool) -> float:
        """Fill and mark `blocks`, all those of `flight`. Returns the seconds of its GET, 0 if it took none or several.

        Args:
            demand: somebody waits for it.
            disk: whether to look there first.

        Raises StoreError.
        """
        id, size, span = flight.id, flight.size, flight.span
        tier, stats, memory = self._disk, self._stats.of(id.source), self._memory
        gaps = [span]
        views = [memory.view(b) for b in blocks] if tier is not None else []
        if tier is not None and disk:
            held = tier.load(id, size, span, views)
            flight.disk_answered = True
            if held:
                for i in held:
                    blocks[i - span.first].mark = ON_DISK
                for part in geometry.block_ranges(sorted(held)):
                    self._usage.from_disk(id, size, *geometry.extent(part, size))
                gaps = geometry.coalesced(geometry.missing(span, held.__contains__), COALESCE_GAP)
        seconds = 0.0
        if not gaps:
            flight.brought = Brought(from_disk=True)
        for gap in gaps:
            own = slice(gap.first - span.first, gap.stop - span.first)
            where = geometry.extent(gap, size)
            stats.add(GETS)
            if demand:
                stats.add(GETS_DEMAND)
            began = self._clock()
            deadline = Deadline(self._timeout)
            cancels(deadline.cancel)
            try:
                self.store(id).read(id, where.start, memory.views(blocks[own]), deadline=deadline)
            finally:
                told = deadline.told
                flight.brought = Brought(False, told.status, told.request_id, told.retries)
            took = self._clock() - began
            seconds = took if gap == span else 0.0
            stats.add(GET_TIME, round(took * 1e6))
            stats.add(BYTES_FETCHED, where.size)
            self._usage.fetched(id, size, *where, ahead=flight.prefetch)
            for b in blocks[own]:
                b.mark = UNREAD if flight.prefetch else 0
            if flight.prefetch:
                stats.add(PREFETCHED, where.size)
            if tier is not None:
                tier.save(id, size, PinnedBlocks(gap, views[own], blocks[own]))
        return seconds
