"""What this room offers: `Blocks` for a mount, a `Stream` for each open file.

A hit takes the lock once, copies outside it, and wakes no thread.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from ..errors import StoreError
from ..stats import BYTES_ASKED, BYTES_FROM_MEMORY, Stats
from ..stores.base import ObjectId, Store
from ..usage.log import HandleUsage, UsageLog
from ..usage.waits import SlowestWaits
from ..workers import Waiter, Workers
from . import geometry
from .begun import BegunRead
from .bulk import GETS_AT_ONCE, Bulk
from .checking import Checking
from .disk.base import DiskTier, SharedTier
from .fetch.budget import Share
from .fetch.fetcher import Fetcher
from .geometry import SHIFT, BlockRange, Extent
from .memory import PinnedBlocks
from .misses import Misses, copy_blocks
from .outlook import Held, Outlook, look, outlook
from .readahead.base import Pattern, PolicyFactory, ReadaheadPolicy

# A file that is fetched before it is opened comes in pieces, so that its reader need not wait for all of it.
PREFETCH_PIECE = 1 << 20

# How far to read ahead of a reader whose bytes come from the disk: that takes milliseconds, not round trips. In pieces
# of 2 MiB: with 640 KiB each, handing them from thread to thread took a quarter of the time.
DISK_SHARE = Share(16 << 20, 8)


class Usage(NamedTuple):
    """What is in use: bytes of memory; requests that wait or are under way; bytes of disk, None without a cache; bytes
    of the cache that nodes share, None without one."""

    memory: int
    requests: int
    disk: int | None
    shared: int | None


class Blocks:
    """All bytes of a mount: what is in memory, on its way, and what will be wanted next.

    Args:
        stores: by their `source`.
        memory: limit in bytes for cached and in-flight blocks.
        timeout: seconds a read may wait, retries included.
        disk: the tier below memory, if any; shared: that of several nodes, below it.
        readahead: makes the readahead policy of a handle from the size of its object.
        clock: monotonic seconds.
        usage: told of what is read and fetched; None: one of its own.
        beginners: see `Launcher`.
    """

    def __init__(
        self,
        stores: Mapping[str, Store],
        *,
        memory: int,
        workers: Workers,
        waiter: Waiter,
        timeout: float,
        stats: Stats,
        disk: DiskTier | None = None,
        shared: SharedTier | None = None,
        clock: Callable[[], float] = time.monotonic,
        readahead: PolicyFactory,
        usage: UsageLog | None = None,
        beginners: Workers | None = None,
    ) -> None:
        self.usage = usage or UsageLog()
        self._fetcher = Fetcher(
            stores, workers, stats, memory=memory, timeout=timeout, disk=disk, shared=shared, clock=clock,
            usage=self.usage, beginners=beginners,
        )  # fmt: skip
        self._waiter, self._disk, self._shared, self._readahead = waiter, disk, shared, readahead
        self.memory_limit = memory
        if disk is not None:
            disk.attach(self)
            disk.join(stores)
        if shared is not None:
            shared.attach(self)
            shared.join()

    def open(self, id: ObjectId, size: int) -> Stream:
        """A stream for one handle on an object of `size` bytes. Costs no I/O."""
        if (latency := self._fetcher.store(id).latency) is not None:
            self._fetcher.links[id.source].at_most(latency)
        usage = self.usage.handle(id, size)
        return Stream(self._fetcher, self._waiter, id, size, self._readahead(size), usage, self.usage.waits)

    def held(self, id: ObjectId, size: int) -> Held:
        """What is here of an object of `size` bytes; `cached` of it says how many bytes. Counts as no use."""
        return look(self._fetcher, self._disk, self._shared, id, size)

    def outlook(self, held: Held, source: str, size: int, start: int, stop: int) -> Outlook:
        """What a read of `[start, stop)` would do now, of an object of which that is held. Does nothing of it."""
        return outlook(self._fetcher, self._readahead(size), held, source, size, start, stop)

    def in_use(self) -> Usage:
        """What is in use now. May look at the disk cache's directory."""
        memory, requests = self._fetcher.usage()
        disk = self._disk.used() if self._disk is not None else None
        return Usage(memory, requests, disk, self._shared.used() if self._shared is not None else None)

    def latency(self, source: str) -> float | None:
        """Seconds from a request to its answer, as the shortest of a source's last GETs show; None before any has."""
        link = self._fetcher.links[source]
        return link.latency if link.is_measured else None

    def small(self, source: str) -> int:
        """Bytes up to which an object of a source costs little more whole than its first block."""
        return self._fetcher.links[source].small

    def prefetch(self, id: ObjectId, size: int, start: int, stop: int, owner: object = None) -> None:
        """Fetch `[start, stop)` when there is nothing better to do and room for it. Never raises, never waits.

        `owner`: for whom; `cancel(owner)` drops what has not started by then.
        """
        pieces = geometry.split(geometry.covering(start, stop, size), PREFETCH_PIECE)
        self._fetcher.prefetch(id, size, [geometry.extent(p, size) for p in pieces], owner or self)

    def bulk(self, gets_at_once: int = GETS_AT_ONCE) -> Bulk | None:
        """What fetches whole objects into the disk tier; None where there is no such tier."""
        return None if self._disk is None else Bulk(self._fetcher, self._disk, gets_at_once, self._shared)

    def checking(self, cancelled: Callable[[], bool]) -> Checking:
        """What reads whole objects to compare them with what is known of them, until it is `cancelled`."""
        unnoted = UsageLog()

        def opened(id: ObjectId, size: int) -> Stream:
            usage = unnoted.handle(id, size)
            return Stream(self._fetcher, self._waiter, id, size, self._readahead(size), usage, unnoted.waits)

        return Checking(self._fetcher, opened, self.usage.brought, cancelled)

    def cancel(self, owner: object) -> None:
        """Cancel the prefetches of `owner` that have not started, unless others want them too."""
        with self._fetcher.lock:
            self._fetcher.cancel(owner)

    def pinned(self, id: ObjectId, span: BlockRange) -> list[PinnedBlocks]:
        """What memory still holds of `span`, for the disk tier: it stays there while the result is referred to."""
        with self._fetcher.lock:
            return self._fetcher.memory.pinned(id, span)

    def close(self) -> None:
        """Cancel the prefetches that wait, and close the disk tier. Idempotent."""
        self.cancel(self)
        self._fetcher.close()
        if self._disk is not None:
            self._disk.close()
        if self._shared is not None:
            self._shared.close()


class Stream:
    """Reads of one handle. Safe to use from many threads.

    Attributes:
        id: the version of the object that it reads.
        usage: told of each read.
    """

    def __init__(
        self,
        fetcher: Fetcher,
        waiter: Waiter,
        id: ObjectId,
        size: int,
        readahead: ReadaheadPolicy,
        usage: HandleUsage,
        waits: SlowestWaits,
    ) -> None:
        self.usage = usage
        self._fetcher, self.id, self._size = fetcher, id, size
        self._stats = fetcher.stats.of(id.source)
        self._readahead = readahead  # guarded by the fetcher's lock
        self._misses = Misses(fetcher, waiter, id, size, usage, waits)

    def expect(self, stop: int) -> None:
        """The first read should bring all before byte `stop`: programs read so much of such files. Costs no I/O."""
        fetcher = self._fetcher
        with fetcher.lock:
            self._readahead.on_open(stop, fetcher.links[self.id.source].trip)

    def read_into(self, address: Callable[[], int], size: int, offset: int) -> None:
        """Copy `[offset, offset + size)`, which must lie inside the object, to the memory at `address()`, called when
        they are there.

        Raises StoreError (TimedOut after the mount's timeout) and Interrupted. After a failure the same
        bytes fail at once for a few seconds, with the same error.
        """
        if size <= 0:
            return
        fetcher, id = self._fetcher, self.id
        first, last = offset >> SHIFT, (offset + size - 1) >> SHIFT
        with fetcher.lock:
            lru = fetcher.memory.lru
            try:
                blocks = [lru[id, i] for i in range(first, last + 1)]
            except KeyError:
                blocks = []
            else:
                for b in blocks:
                    if b.mark:
                        self._misses.from_disk = fetcher.memory.mark_read(id, first, blocks, offset + size, self._stats)
                        break
                soon = self._read_on(offset, size)
        if not blocks:
            self._fetch_into(address, size, offset)
            return
        if soon:
            fetcher.read_ahead(id, self._size, soon, self)
        self._stats.add(BYTES_FROM_MEMORY, size)
        copy_blocks(blocks, offset - (first << SHIFT), address(), size)
        self._stats.add(BYTES_ASKED, size)
        self.usage.read(offset, size)

    def close(self) -> None:
        """Cancel what was to be fetched ahead. Idempotent; the stream can still be read (another descriptor may)."""
        with self._fetcher.lock:
            self._fetcher.cancel(self)
            self._readahead.on_cancel()
        self.usage.settle()

    def pattern(self) -> Pattern:
        """How the reads look so far."""
        with self._fetcher.lock:
            return self._readahead.pattern()

    def _read_on(self, offset: int, size: int) -> Sequence[Extent]:
        """With the lock held: tell the policy of a read; what to fetch ahead of the next."""
        share = self._fetcher.budget.share
        return self._readahead.on_read(
            offset, size, DISK_SHARE if self._misses.from_disk and share.ahead > DISK_SHARE.ahead else share
        )

    def _fetch_into(self, address: Callable[[], int], size: int, offset: int) -> None:
        """As `read_into`, where blocks are missing."""
        fetcher, misses, read = self._fetcher, self._misses, BegunRead(self, size, offset)
        end = fetcher.clock() + fetcher.timeout
        try:
            with fetcher.lock:
                misses.enter(read)
            misses.await_turn(read, end)
            with fetcher.lock:
                wanted = self._readahead.on_miss(offset, size)
                read.parts = fetcher.demand(self.id, self._size, read.need, wanted)
                soon = self._read_on(offset, size)
            if soon:
                fetcher.read_ahead(self.id, self._size, soon, self)
            misses.take(read, address, end)
        finally:
            misses.leave(read)

    def begin(self, size: int, offset: int) -> BegunRead:
        """Ask for `[offset, offset + size)`, which must lie inside the object, and for nothing beyond it, without
        waiting. Raises StoreError: a failure that is remembered, or the mount is closing."""
        read = BegunRead(self, size, offset)
        with self._fetcher.lock:
            self._misses.enter(read)
            try:
                if read.turn is None or read.turn.served:
                    self._demand(read)
            except StoreError:
                if read.turn is not None:
                    self._fetcher.turns.leave(read.turn)
                raise
        return read

    def finish(self, read: BegunRead, address: Callable[[], int]) -> None:
        """See `BegunRead.finish`."""
        fetcher, misses = self._fetcher, self._misses
        end = fetcher.clock() + fetcher.timeout
        try:
            if not read.under_way:
                misses.await_turn(read, end)
                with fetcher.lock:
                    self._demand(read)
            misses.take(read, address, end)
        finally:
            misses.leave(read)

    def abandon(self, read: BegunRead) -> None:
        """See `BegunRead.abandon`."""
        with self._fetcher.lock:
            self._fetcher.stop_waiting(read.flights())
        self._misses.leave(read)

    def _demand(self, read: BegunRead) -> None:
        """With the lock held: ask for what a read that was begun needs."""
        wanted = geometry.extent(read.need, self._size)
        read.parts = self._fetcher.demand(self.id, self._size, read.need, wanted, cut=False)
