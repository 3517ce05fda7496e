"""Loads what memory does not hold: from the disk tier, and what is not there from the store.

Where other mounts share the tier and fetch at the same time, `sharing` decides who fetches what.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from ...stats import BYTES_FETCHED, GET_TIME, GETS, GETS_DEMAND, PREFETCHED, Stats
from ...stores.base import Deadline, ObjectId, Store
from ...usage.log import UsageLog
from ...workers import cancels
from .. import geometry
from ..disk.base import DiskTier, Hold
from ..geometry import BlockRange
from ..memory import ON_DISK, UNREAD, Block, MemoryTier, PinnedBlocks
from .flight import Brought, Flight
from .sharing import SharedFetch

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
        self._stores, self.memory, self.disk, self.stats = stores, memory, disk, stats
        self.timeout, self.clock, self.usage = timeout, clock, usage

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
        load = _Load(self, flight, blocks, demand=demand)
        gaps = [flight.span]
        if self.disk is not None and disk:
            gaps = load.look(gaps)
            if gaps and (leases := self.disk.leases(flight.id.source)) is not None:
                SharedFetch(leases, load, self.stats.of(flight.id.source)).run(flight.id, flight.size, gaps)
                return load.seconds
        for gap in gaps:
            load.get(gap, None)
        return load.seconds


class _Load:
    """One flight being loaded. (No closures: what fails keeps its frames' functions, and these would keep the blocks.)

    Attributes:
        seconds: what its GET took, 0 where it took none or several.
    """

    __slots__ = ("_blocks", "_demand", "_flight", "_loader", "_views", "seconds")

    def __init__(self, loader: Loader, flight: Flight, blocks: Sequence[Block], *, demand: bool) -> None:
        self._loader, self._flight, self._blocks, self._demand = loader, flight, blocks, demand
        self._views = [loader.memory.view(b) for b in blocks] if loader.disk is not None else []
        self.seconds = 0.0

    def look(self, spans: Sequence[BlockRange]) -> list[BlockRange]:
        """Fill what the disk tier holds; what it does not, joined where little lies between."""
        tier, flight, first = self._loader.disk, self._flight, self._flight.span.first
        assert tier is not None
        gaps: list[BlockRange] = []
        for span in spans:
            held = tier.load(flight.id, flight.size, span, self._views[span.first - first : span.stop - first])
            for i in held:
                self._blocks[i - first].mark = ON_DISK
            for part in geometry.block_ranges(sorted(held)):
                self._loader.usage.from_disk(flight.id, flight.size, *geometry.extent(part, flight.size))
            gaps += geometry.missing(span, held.__contains__) if held else [span]
        if not gaps:
            flight.brought = Brought(from_disk=True)
        return geometry.coalesced(gaps, COALESCE_GAP)

    def get(self, gap: BlockRange, hold: Hold | None) -> None:
        """Fetch `gap` by one GET, and have it saved; `hold` is shared until that is done. Raises StoreError."""
        loader, flight = self._loader, self._flight
        id, stats = flight.id, loader.stats.of(flight.id.source)
        own = slice(gap.first - flight.span.first, gap.stop - flight.span.first)
        flight.disk_answered = True
        where = geometry.extent(gap, flight.size)
        stats.add(GETS)
        if self._demand:
            stats.add(GETS_DEMAND)
        began = loader.clock()
        deadline = Deadline(loader.timeout)
        cancels(deadline.cancel)
        try:
            loader.store(id).read(id, where.start, loader.memory.views(self._blocks[own]), deadline=deadline)
        finally:
            told = deadline.told
            flight.brought = Brought(False, told.status, told.request_id, told.retries)
        took = loader.clock() - began
        self.seconds = took if gap == flight.span else 0.0
        stats.add(GET_TIME, round(took * 1e6))
        stats.get_times.record(took)
        stats.add(BYTES_FETCHED, where.size)
        loader.usage.fetched(id, flight.size, *where, ahead=flight.prefetch)
        for b in self._blocks[own]:
            b.mark = UNREAD if flight.prefetch else 0
        if flight.prefetch:
            stats.add(PREFETCHED, where.size)
        if loader.disk is not None:
            written = None if hold is None else hold.share()
            loader.disk.save(id, flight.size, PinnedBlocks(gap, self._views[own], self._blocks[own]), written)

    def hold_back(self, waits: bool) -> None:
        """It begins, or ends, to wait for what others fetch: a GET that follows is not late."""
        self._flight.held_back = waits
        self._flight.started_at = self._loader.clock()
