"""Where blocks come from that memory does not hold: the disk tier, then the store."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from ...stats import Stats
from ...stores.base import Deadline, Store
from .. import counters, geometry
from ..disk.base import Loan, Tier
from ..memory import FRESH, NEAR, Block, Memory
from .flight import Flight

# Blocks on disk between two gaps are fetched again rather than asked around: a request costs a round trip.
BRIDGE = 2


class Origin:
    """Fills a flight's blocks. Blocks the calling thread; safe to call from many.

    Args:
        timeout: seconds one GET may take, retries included.
    """

    def __init__(
        self,
        stores: Mapping[str, Store],
        memory: Memory,
        disk: Tier | None,
        stats: Stats,
        timeout: float,
        clock: Callable[[], float],
    ) -> None:
        self._stores, self._memory, self._disk, self._stats = stores, memory, disk, stats
        self._timeout, self._clock = timeout, clock

    def fill(self, flight: Flight, blocks: Sequence[Block], *, demand: bool) -> float:
        """Fill and mark `blocks`, the whole run of `flight`: the seconds of its GET, 0 where it took none or several.

        Raises StoreError.
        """
        id, size, run = flight.id, flight.size, flight.run
        disk, stats, memory = self._disk, self._stats.of(id.source), self._memory
        gaps = [run]
        if disk is not None:
            views = [memory.view(b) for b in blocks]
            held = disk.load(id, size, run, views)
            if held:
                for i in held:
                    blocks[i - run.first].mark = NEAR
                gaps = geometry.bridged(geometry.missing(run, held.__contains__), BRIDGE)
        seconds = 0.0
        for gap in gaps:
            part = slice(gap.first - run.first, gap.stop - run.first)
            where = geometry.extent(gap, size)
            stats.add(counters.GETS)
            if demand:
                stats.add(counters.GETS_DEMAND)
            began = self._clock()
            store = self._stores[id.source]
            store.read(id, where.start, memory.views(blocks[part]), deadline=Deadline(self._timeout))
            seconds = self._clock() - began if gap == run else 0.0
            stats.add(counters.FETCHED, where.size)
            for b in blocks[part]:
                b.mark = FRESH if flight.prefetch else 0
            if flight.prefetch:
                stats.add(counters.PREFETCHED, where.size)
            if disk is not None:
                disk.keep(id, size, Loan(gap, views[part], blocks[part]))
        return seconds
