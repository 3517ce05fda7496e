"""Loads what memory does not hold: from the node's disk tier, from that of several nodes, and from the store.

Where other mounts share a tier and fetch at the same time, `sharing` decides who fetches what: first among the mounts
of the node, then whoever of them it is among those of all nodes. These wait for nobody while they hold leases, so
nobody waits in a circle.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from ...stats import BYTES_FETCHED, GET_TIME, GETS, GETS_DEMAND, NODE_VAIN, NODE_WAITS, PREFETCHED, Stats
from ...stores.base import Deadline, ObjectId, ShortRead, Store
from ...usage.log import UsageLog
from ...workers import cancels
from .. import geometry
from ..disk.base import DiskTier, Hold, SharedTier
from ..geometry import BlockRange
from ..memory import ON_DISK, UNREAD, Block, MemoryTier, PinnedBlocks
from .flight import Brought, Flight
from .sharing import NODES_PATIENCE_S, SharedFetch

# Leases that are held until blocks are written: none, or one.
Holds = tuple[Hold, ...]

# Gaps with at most so many blocks on disk between them are fetched by one GET: a request costs a round trip.
COALESCE_GAP = 2


class Loader:
    """Loads a flight's blocks, or begins to. Safe to use from many threads.

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
        shared: SharedTier | None = None,
    ) -> None:
        self._stores, self.memory, self.disk, self.stats = stores, memory, disk, stats
        self.shared = shared
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
        if not disk:
            load.fetch(flight.span, ())
            return load.seconds
        gaps = [flight.span]
        if self.disk is not None:
            gaps = load.look(gaps)
            if gaps and (leases := self.disk.leases(flight.id.source)) is not None:
                SharedFetch(leases, load, self.stats.of(flight.id.source)).run(flight.id, flight.size, gaps)
                return load.seconds
        for gap in gaps:
            load.get(gap, None)
        return load.seconds

    def waits_for_none(self, source: str) -> bool:
        """Whether nobody else may be fetching the same of a source."""
        if self.shared is not None and self.shared.takes(source):
            return False
        return self.disk is None or not self.disk.leases(source)

    def may_begin(self, flight: Flight) -> bool:
        """Whether `begin` may be of use: no tier holds anything of the flight, and nobody else fetches it. May look at
        the disk."""
        id = flight.id
        if not self.waits_for_none(id.source):
            return False
        if self.disk is not None and not self.disk.lacks(id, flight.size, flight.span):
            return False
        flight.disk_answered = True
        return True

    def begin(
        self,
        flight: Flight,
        blocks: Sequence[Block],
        *,
        demand: bool,
        sharing: int,
        done: Callable[[float | None], object],
    ) -> Deadline | None:
        """As `load`, of what no tier holds, without a thread that waits for the source.

        Returns None where that cannot be; nothing was asked for then. Else the deadline of the GET, by which it can be
        cancelled; `done` is called once, perhaps before this returns, with the seconds of the GET, or None where it
        failed.
        """
        return _Load(self, flight, blocks, demand=demand).begin(sharing, done)


class _Load:
    """One flight being loaded: what the node's own tier lacks. (No closures: what fails keeps its frames' functions,
    and these would keep the blocks.)

    Attributes:
        seconds: what its GET took, 0 where it took none or several.
    """

    __slots__ = ("_blocks", "_demand", "_flight", "_loader", "_views", "seconds")

    def __init__(self, loader: Loader, flight: Flight, blocks: Sequence[Block], *, demand: bool) -> None:
        self._loader, self._flight, self._blocks, self._demand = loader, flight, blocks, demand
        kept = loader.disk is not None or loader.shared is not None
        self._views = [loader.memory.view(b) for b in blocks] if kept else []
        self.seconds = 0.0

    def look(self, spans: Sequence[BlockRange]) -> list[BlockRange]:
        """Fill what the disk tier holds; what it does not, joined where little lies between."""
        tier = self._loader.disk
        assert tier is not None
        return self.look_into(tier, spans, ())

    def look_into(self, tier: DiskTier | SharedTier, spans: Sequence[BlockRange], holds: Holds) -> list[BlockRange]:
        """Fill what a tier holds, as `look` does. What a lower one holds is saved in the upper one; `holds` are shared
        until that is done."""
        flight, first = self._flight, self._flight.span.first
        gaps: list[BlockRange] = []
        for span in spans:
            held = tier.load(flight.id, flight.size, span, self._views[span.first - first : span.stop - first])
            for i in held:
                self._blocks[i - first].mark = ON_DISK
            for part in geometry.block_ranges(sorted(held)):
                self._loader.usage.from_disk(flight.id, flight.size, *geometry.extent(part, flight.size))
                if tier is not self._loader.disk:
                    self._save(part, holds)
            gaps += geometry.missing(span, held.__contains__) if held else [span]
        if not gaps:
            flight.brought = Brought(from_disk=True)
        return geometry.coalesced(gaps, COALESCE_GAP)

    def get(self, gap: BlockRange, hold: Hold | None) -> None:
        """Get `gap` from what nodes share, or fetch it; have it saved. `hold` is shared until that is done. Raises
        StoreError."""
        holds: Holds = () if hold is None else (hold,)
        id, size, shared = self._flight.id, self._flight.size, self._loader.shared
        if shared is None or not shared.takes(id.source):
            self.fetch(gap, holds)
            return
        gaps = self.look_into(shared, [gap], holds)
        if gaps and (leases := shared.leases(id.source)) is not None:
            below, stats = _SharedLoad(self, shared, holds), self._loader.stats.of(id.source)
            SharedFetch(leases, below, stats, patience=NODES_PATIENCE_S, waits=NODE_WAITS, vain=NODE_VAIN).run(
                id, size, gaps
            )
            return
        for one in gaps:
            self.fetch(one, holds)

    def fetch(self, gap: BlockRange, holds: Holds, shared: Hold | None = None) -> None:
        """Fetch `gap` by one GET, and have it saved. `holds` are shared until it is in the node's own tier, `shared`
        until it is in that of the nodes. Raises StoreError."""
        loader, flight = self._loader, self._flight
        flight.disk_answered = True
        start, views = self._wanted(gap)
        self._count_gets(1)
        began = loader.clock()
        spent = began - flight.begun_at if flight.begun_at is not None else 0.0
        deadline = Deadline(max(loader.timeout - spent, loader.timeout / 4))
        cancels(deadline.cancel)
        try:
            loader.store(flight.id).read(flight.id, start, views, deadline=deadline)
        finally:
            self._tell(deadline)
        self._came(gap, loader.clock() - began, holds, shared)

    def begin(self, sharing: int, done: Callable[[float | None], object]) -> Deadline | None:
        """As `fetch`, of all of it, without waiting; see `Loader.begin`."""
        loader, flight = self._loader, self._flight
        start, views = self._wanted(flight.span)
        began = loader.clock()
        deadline = Deadline(loader.timeout)

        def came(whole: bool) -> None:
            seconds = None
            try:
                if whole or deadline.told.status:
                    self._count_gets(deadline.told.gets)
                self._tell(deadline)
                if whole:
                    self._came(flight.span, loader.clock() - began, (), None)
                    seconds = self.seconds
            finally:
                done(seconds)

        read = ShortRead(flight.id, start, views, deadline, came, sharing)
        return deadline if loader.store(flight.id).begin_read(read) else None

    def _wanted(self, gap: BlockRange) -> tuple[int, list[memoryview]]:
        """From which byte on `gap` is asked for, and into what."""
        where = geometry.extent(gap, self._flight.size)
        return where.start, self._loader.memory.views(self._blocks[self._own(gap)])

    def _count_gets(self, count: int) -> None:
        stats = self._loader.stats.of(self._flight.id.source)
        stats.add(GETS, count)
        if self._demand:
            stats.add(GETS_DEMAND, count)

    def _tell(self, deadline: Deadline) -> None:
        told = deadline.told
        self._flight.brought = Brought(False, told.status, told.request_id, told.retries, told.gets)

    def _came(self, gap: BlockRange, took: float, holds: Holds, shared: Hold | None) -> None:
        """`gap` has come by one GET, in so many seconds."""
        loader, flight = self._loader, self._flight
        id, stats = flight.id, loader.stats.of(flight.id.source)
        own, where = self._own(gap), geometry.extent(gap, flight.size)
        self.seconds = took if gap == flight.span else 0.0
        for _ in range(flight.brought.gets if flight.brought is not None else 1):
            stats.add(GET_TIME, round(took * 1e6))
            stats.get_times.record(took)
        stats.add(BYTES_FETCHED, where.size)
        loader.usage.fetched(id, flight.size, *where, ahead=flight.prefetch)
        for b in self._blocks[own]:
            b.mark = UNREAD if flight.prefetch else 0
        if flight.prefetch:
            stats.add(PREFETCHED, where.size)
        if loader.shared is not None and loader.shared.takes(id.source):
            written = None if shared is None else shared.share()
            loader.shared.save(id, flight.size, self._pinned(gap), written)
        self._save(gap, holds)

    def _save(self, part: BlockRange, holds: Holds) -> None:
        """Have blocks saved in the node's own tier."""
        loader, flight = self._loader, self._flight
        if loader.disk is not None:
            written = holds[0].share() if holds else None
            loader.disk.save(flight.id, flight.size, self._pinned(part), written)

    def _pinned(self, part: BlockRange) -> PinnedBlocks:
        own = self._own(part)
        return PinnedBlocks(part, self._views[own], self._blocks[own])

    def _own(self, part: BlockRange) -> slice:
        return slice(part.first - self._flight.span.first, part.stop - self._flight.span.first)

    def hold_back(self, waits: bool) -> None:
        """It begins, or ends, to wait for what others fetch: a GET that follows is not late."""
        self._flight.held_back = waits
        self._flight.started_at = self._loader.clock()


class _SharedLoad:
    """What a flight lacks of the tier that nodes share, while leases of the node's own are held."""

    __slots__ = ("_holds", "_load", "_tier")

    def __init__(self, load: _Load, tier: SharedTier, holds: Holds) -> None:
        self._load, self._tier, self._holds = load, tier, holds

    def look(self, spans: Sequence[BlockRange]) -> list[BlockRange]:
        return self._load.look_into(self._tier, spans, self._holds)

    def get(self, gap: BlockRange, hold: Hold | None) -> None:
        self._load.fetch(gap, self._holds, hold)

    def hold_back(self, waits: bool) -> None:
        self._load.hold_back(waits)
