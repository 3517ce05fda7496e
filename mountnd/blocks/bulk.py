"""Whole objects from the store to the disk tier, past memory: what `mountnd prefetch` fetches.

A piece of an object is one GET into blocks of memory's arena, which are written to disk at once and then free again:
so it counts against memory's limit, evicts little of what readers use, and is kept when its future completes, not some
time later. What memory holds already is written without being fetched. GETs run as prefetches: whatever a reader waits
for goes first.

Lock: the fetcher's, for memory alone. No lock is held across I/O.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from concurrent.futures import Future
from functools import partial
from typing import NamedTuple

from ..errors import StoreError
from ..stats import BULK_BYTES, BYTES_FETCHED, GET_TIME, GETS, NODE_VAIN, NODE_WAITS, PREFETCH_FAILED
from ..stores.base import Deadline, ObjectId
from ..workers import cancels
from . import geometry
from .disk.base import DiskRoom, DiskTier, Hold, SharedTier
from .disk.chunk_file import disk_bytes
from .fetch.fetcher import Fetcher
from .fetch.loader import COALESCE_GAP
from .fetch.sharing import NODES_PATIENCE_S, SharedFetch
from .geometry import BlockRange
from .memory import Block, PinnedBlocks
from .pace import Pace

# GETs at once in a mount: the pool runs at most 40 prefetches, of which readers' own need some. While somebody reads
# through it they are a few, so that most of the line is his. Where nobody can read they may be more: short ones are a
# matter of round trips. Of long ones more than some 24 carry no more (`fetch/budget.py`), and each is a connection that
# TCP has to start.
GETS_AT_ONCE, BESIDE_READERS, GETS_ALONE, LONG_GETS = 32, 8, 64, 24
# Of memory's limit; the rest stays for readers.
MEMORY_PART = 4
# One GET, retries included: how long a network may be gone.
SECONDS = 120.0


Done = Callable[[Sequence[BaseException | None]], object]


class Piece(NamedTuple):
    """Blocks of an object of `size` bytes."""

    id: ObjectId
    size: int
    span: BlockRange


class NoMemory(StoreError):
    """Readers use all of it at the moment."""

    transient = True


class Bulk:
    """Fetches pieces of objects into the disk tier. Safe to use from many threads.

    Args:
        gets_at_once: GETs under way while nobody reads.
        shared: what nodes share: looked at first, and given what is fetched.
    """

    def __init__(
        self, fetcher: Fetcher, disk: DiskTier, gets_at_once: int = GETS_AT_ONCE, shared: SharedTier | None = None
    ) -> None:
        self._fetcher, self._disk, self._gets, self._shared = fetcher, disk, gets_at_once, shared
        self._pace = Pace(fetcher.clock)

    def gets_at_once(self, *, long: bool = False) -> int:
        """How many GETs may be under way now, for one more, a long one or not."""
        if long:
            return min(LONG_GETS, self.gets_at_once())
        return self._pace.gets(min(self._gets, BESIDE_READERS) if self._fetcher.is_busy else self._gets)

    @property
    def bytes_at_once(self) -> int:
        """How many bytes may be under way now."""
        return self._pace.at_once(self._fetcher.memory.limit // MEMORY_PART)

    def cut(self, gap: BlockRange, left: int) -> tuple[BlockRange, BlockRange]:
        """The next piece of what is absent of an object, and the rest, which may be empty.

        `left`: bytes that are to be asked for in all, these included.
        """
        stop = min(gap.stop, gap.first + max(1, self._pace.piece(left) >> geometry.SHIFT))
        return BlockRange(gap.first, stop), BlockRange(stop, gap.stop)

    def absent(self, id: ObjectId, size: int, span: BlockRange) -> list[BlockRange]:
        """What the disk tier lacks of `span`, with the little between two gaps; the rest counts as used now."""
        return geometry.coalesced(self._disk.absent(id, size, span), COALESCE_GAP)

    def chunks(self, id: ObjectId, size: int, span: BlockRange) -> list[str]:
        """The names of the files that hold `span`."""
        return self._disk.chunks(id, size, span)

    def names(self) -> Collection[str]:
        """The files that are there. Raises OSError."""
        return self._disk.names()

    def pinned(self) -> Collection[str]:
        """The files that are pinned."""
        return self._disk.pinned()

    def cost(self, size: int, span: BlockRange) -> int:
        """Bytes on disk that `span` takes, at most."""
        return disk_bytes(size, span)

    def room(self, own: Collection[str]) -> DiskRoom:
        """How much the disk tier may hold. `own`: files that do not count as pinned. Raises OSError."""
        return self._disk.room(own)

    def pin(self, name: str, asked: Sequence[str], chunks: Iterable[str]) -> None:
        """Have files stay until `name` is unpinned. Raises OSError."""
        self._disk.pin(name, asked, chunks)

    def fetch(self, pieces: Sequence[Piece], done: Done) -> None:
        """Fetch pieces, one after the other, and keep them. Raises StoreError once the mount closes.

        `done`: called once, on any thread, with what went wrong with each: StoreError, OSError of the disk, None.
        """
        try:
            task = self._fetcher.submit_prefetch(self._fetch, pieces, done)
        except RuntimeError:
            raise StoreError("the mount is closing") from None
        task.future.add_done_callback(partial(_ended, pieces, done))

    def _fetch(self, pieces: Sequence[Piece], done: Done) -> None:
        """On a worker: the GETs, and what they brought handed to the disk tier."""
        errors: list[BaseException | None] = [None] * len(pieces)
        parts: list[tuple[ObjectId, int, PinnedBlocks]] = []
        for at, (id, size, span) in enumerate(pieces):
            try:
                parts += [(id, size, blocks) for blocks in self._load(id, size, span)]
            except Exception as e:
                errors[at] = e.with_traceback(None)  # its frames would keep the blocks

        def kept(future: Future[None]) -> None:
            error = future.exception()
            done([own or error for own in errors] if error else errors)

        self._disk.keep(parts).add_done_callback(kept)

    def _load(self, id: ObjectId, size: int, span: BlockRange) -> list[PinnedBlocks]:
        """What memory holds of a piece, and the rest of it fetched. Raises StoreError."""
        fetcher = self._fetcher
        with fetcher.lock:
            held = fetcher.memory.pinned(id, span)
        here = {i for part in held for i in range(*part.span)}
        return [*held, *(self._get(id, size, gap) for gap in geometry.missing(span, here.__contains__))]

    def _get(self, id: ObjectId, size: int, gap: BlockRange) -> PinnedBlocks:
        """Blocks of an object, from what nodes share or the store. Raises StoreError."""
        fetcher, shared = self._fetcher, self._shared
        with fetcher.lock:
            blocks = fetcher.memory.allocate([geometry.block_size(i, size) for i in range(*gap)], overdraft=False)
            if blocks is None:
                raise NoMemory("readers use all of the memory")
            views = [fetcher.memory.view(block) for block in blocks]
        load = _BulkLoad(fetcher, self._pace, shared, id, size, PinnedBlocks(gap, views, blocks))
        if shared is None or not shared.takes(id.source):
            load.get(gap, None)
            return load.all
        gaps = load.look([gap])
        if gaps and (leases := shared.leases(id.source)) is not None:
            stats = fetcher.stats.of(id.source)
            SharedFetch(leases, load, stats, patience=NODES_PATIENCE_S, waits=NODE_WAITS, vain=NODE_VAIN).run(
                id, size, gaps
            )
        else:
            for one in gaps:
                load.get(one, None)
        return load.all


class _BulkLoad:
    """One piece being loaded. `all`: its blocks."""

    __slots__ = ("_fetcher", "_id", "_pace", "_shared", "_size", "all")

    def __init__(
        self, fetcher: Fetcher, pace: Pace, shared: SharedTier | None, id: ObjectId, size: int, all: PinnedBlocks
    ) -> None:
        self._fetcher, self._pace, self._shared, self._id, self._size = fetcher, pace, shared, id, size
        self.all = all

    def look(self, spans: Sequence[BlockRange]) -> list[BlockRange]:
        """Fill what nodes share of some blocks; the others."""
        assert self._shared is not None
        gaps: list[BlockRange] = []
        for span in spans:
            held = self._shared.load(self._id, self._size, span, self.all.views[self._own(span)])
            gaps += geometry.missing(span, held.__contains__) if held else [span]
        return geometry.coalesced(gaps, COALESCE_GAP)

    def get(self, gap: BlockRange, hold: Hold | None) -> None:
        """Fetch blocks by one GET, and have nodes share them. Raises StoreError."""
        fetcher, id = self._fetcher, self._id
        where, own = geometry.extent(gap, self._size), self._own(gap)
        blocks: Sequence[Block] = self.all.pin[own]  # type: ignore[index]
        deadline = Deadline(max(SECONDS, fetcher.timeout))
        cancels(deadline.cancel)
        self._pace.asked()
        stats, begun = fetcher.stats.of(id.source), fetcher.clock()
        stats.add(GETS)
        try:
            fetcher.store(id).read(id, where.start, fetcher.memory.views(blocks), deadline=deadline)
        except BaseException:
            stats.add(PREFETCH_FAILED)
            raise
        took = fetcher.clock() - begun
        self._pace.came(where.size, took)
        stats.add(GET_TIME, round(took * 1e6))
        stats.add(BYTES_FETCHED, where.size)
        stats.add(BULK_BYTES, where.size)
        if self._shared is not None:
            written = hold.share() if hold is not None else None
            self._shared.keep(id, self._size, PinnedBlocks(gap, self.all.views[own], blocks), written)

    def hold_back(self, waits: bool) -> None:
        """Nobody waits for it in particular."""

    def _own(self, part: BlockRange) -> slice:
        return slice(part.first - self.all.span.first, part.stop - self.all.span.first)


def _ended(pieces: Sequence[Piece], done: Done, future: Future[None]) -> None:
    """A worker is through with pieces: where it has never begun, or a GET is not what failed, nobody else tells."""
    if future.cancelled():
        done([StoreError("the mount is closing")] * len(pieces))
    elif (error := future.exception()) is not None:
        done([error] * len(pieces))
