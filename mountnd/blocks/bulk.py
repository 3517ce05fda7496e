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

from ..errors import StoreError
from ..stats import BULK_BYTES, BYTES_FETCHED, GET_TIME, GETS, PREFETCH_FAILED
from ..stores.base import Deadline, ObjectId
from ..workers import cancels
from . import geometry
from .disk.base import DiskRoom, DiskTier
from .disk.chunk_file import disk_bytes
from .fetch.fetcher import Fetcher
from .fetch.loader import COALESCE_GAP
from .geometry import BlockRange
from .memory import PinnedBlocks
from .pace import Pace

# GETs at once. More than some 30 long ones carry no more (`fetch/budget.py`), and the pool runs at most 40 prefetches:
# readers' own need some. While somebody reads through the mount it is a few, so that most of the line is his.
GETS_AT_ONCE, BESIDE_READERS = 32, 8
# Of memory's limit; the rest stays for readers.
MEMORY_PART = 4
# One GET, retries included.
SECONDS = 300.0


Done = Callable[[BaseException | None], object]


class NoMemory(StoreError):
    """Readers use all of it at the moment."""

    transient = True
    reason = "memory"


class Bulk:
    """Fetches pieces of objects into the disk tier. Safe to use from many threads."""

    def __init__(self, fetcher: Fetcher, disk: DiskTier) -> None:
        self._fetcher, self._disk = fetcher, disk
        self._pace = Pace(fetcher.clock)

    @property
    def gets_at_once(self) -> int:
        """How many pieces may be under way now."""
        return BESIDE_READERS if self._fetcher.is_busy else GETS_AT_ONCE

    @property
    def bytes_at_once(self) -> int:
        """How many bytes may be under way now."""
        return self._pace.at_once(self._fetcher.memory.limit // MEMORY_PART)

    def cut(self, gap: BlockRange) -> tuple[BlockRange, BlockRange]:
        """The next piece of what is absent of an object, and the rest, which may be empty."""
        stop = min(gap.stop, gap.first + max(1, self._pace.piece >> geometry.SHIFT))
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

    def fetch(self, id: ObjectId, size: int, piece: BlockRange, done: Done) -> None:
        """Fetch a piece and keep it. Raises StoreError once the mount closes.

        `done`: called once, on any thread, with what went wrong: StoreError, OSError of the disk, None.
        """
        try:
            task = self._fetcher.submit_prefetch(self._fetch, id, size, piece, done)
        except RuntimeError:
            raise StoreError("the mount is closing") from None
        task.future.add_done_callback(partial(_ended, done))

    def _fetch(self, id: ObjectId, size: int, piece: BlockRange, done: Done) -> None:
        """On a worker: the GETs of a piece, each handed to the disk tier."""
        fetcher = self._fetcher
        with fetcher.lock:
            held = fetcher.memory.pinned(id, piece)
        parts = [*held]  # of what is read now: as good as fetched
        here = {i for part in held for i in range(*part.span)}
        parts += [self._get(id, size, gap) for gap in geometry.missing(piece, here.__contains__)]
        kept = _All(len(parts), done)
        for part in parts:
            self._disk.keep(id, size, part).add_done_callback(kept)

    def _get(self, id: ObjectId, size: int, gap: BlockRange) -> PinnedBlocks:
        fetcher = self._fetcher
        with fetcher.lock:
            blocks = fetcher.memory.allocate([geometry.block_size(i, size) for i in range(*gap)], overdraft=False)
            if blocks is None:
                raise NoMemory("readers use all of the memory")
            into, views = fetcher.memory.views(blocks), [fetcher.memory.view(block) for block in blocks]
        where = geometry.extent(gap, size)
        deadline = Deadline(max(SECONDS, fetcher.timeout))
        cancels(deadline.cancel)
        self._pace.asked()
        stats, begun = fetcher.stats.of(id.source), fetcher.clock()
        stats.add(GETS)
        try:
            fetcher.store(id).read(id, where.start, into, deadline=deadline)
        except BaseException:
            stats.add(PREFETCH_FAILED)
            raise
        took = fetcher.clock() - begun
        self._pace.came(where.size)
        stats.add(GET_TIME, round(took * 1e6))
        stats.add(BYTES_FETCHED, where.size)
        stats.add(BULK_BYTES, where.size)
        return PinnedBlocks(gap, views, blocks)


class _All:
    """Calls `done` when so many futures are, with the error of the first that failed."""

    def __init__(self, count: int, done: Done) -> None:
        self._left, self._done = count, done
        self._error: BaseException | None = None

    def __call__(self, future: Future[None]) -> None:  # on the disk tier's one thread
        self._error = self._error or future.exception()
        self._left -= 1
        if not self._left:
            self._done(self._error)


def _ended(done: Done, future: Future[None]) -> None:
    """A worker is through with a piece: where that was no success, nobody else will tell."""
    if future.cancelled():
        done(StoreError("the mount is closing"))
    elif (error := future.exception()) is not None:
        done(error)
