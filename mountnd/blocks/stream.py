"""The bytes room's door: `Blocks` for a mount, a `Stream` for a handle.

A hit takes the lock once, copies outside it, and wakes no thread.
"""

from __future__ import annotations

import copy
import ctypes
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from ..errors import StoreError
from ..stats import Stats
from ..stores.base import ObjectId, Store
from ..workers import Waiter, Workers
from . import counters, geometry
from .disk.base import Loan, Tier
from .fetch.fetcher import Fetcher
from .fetch.flight import Flight
from .geometry import SHIFT, Run
from .memory import Block
from .readahead.window import DEFAULT, Limits, Readahead, Share

# How long a failed extent is remembered for its handle. The kernel asks again page by page when a
# readahead failed; without this each page would wait for the whole deadline once more.
FAILED_S = 5.0

# A whole file that is fetched before it is opened comes in pieces, so that its reader waits for none of it long.
PREFETCH_PIECE = 1 << 20

# How far to read ahead of a reader whose bytes come from the disk: that takes milliseconds, not round trips. In pieces
# of 2 MiB: with 640 KiB each, to hand them from thread to thread took a quarter of the time.
NEAR_SHARE = Share(16 << 20, 8)

_memmove: Final = ctypes.memmove  # releases the GIL while it copies


class Blocks:
    """All bytes of a mount: what is in memory, on its way, and what will be wanted next.

    Args:
        stores: by their `source`.
        memory: limit in bytes for cached and in-flight blocks.
        timeout: seconds a read may wait, retries included.
        disk: the tier below memory, if any.
        clock: monotonic seconds.
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
        disk: Tier | None = None,
        clock: Callable[[], float] = time.monotonic,
        limits: Limits = DEFAULT,
    ) -> None:
        self._fetcher = Fetcher(stores, workers, stats, memory=memory, timeout=timeout, disk=disk, clock=clock)
        self._waiter, self._disk, self._limits = waiter, disk, limits
        if disk is not None:
            disk.attach(memory, self._lend)

    def open(self, id: ObjectId, size: int) -> Stream:
        """A stream for one handle on an object of `size` bytes. Costs no I/O."""
        return Stream(self._fetcher, self._waiter, id, size, self._limits)

    def prefetch(self, id: ObjectId, size: int, start: int, stop: int, owner: object = None) -> None:
        """Fetch `[start, stop)` when there is nothing better to do and room for it. Never raises, never waits.

        `owner`: for whom; `cancel(owner)` drops what has not begun by then.
        """
        pieces = geometry.split(geometry.covering(start, stop, size), PREFETCH_PIECE)
        self._fetcher.prefetch(id, size, [geometry.extent(p, size) for p in pieces], owner or self)

    def cancel(self, owner: object) -> None:
        """Drop the prefetches of `owner` that have not begun, unless others want them too."""
        with self._fetcher.lock:
            self._fetcher.forget(owner)

    def _lend(self, id: ObjectId, run: Run) -> list[Loan]:
        with self._fetcher.lock:
            return self._fetcher.memory.lend(id, run)

    def close(self) -> None:
        """Drop what waits to be prefetched, and close the disk tier. Idempotent."""
        self.cancel(self)
        if self._disk is not None:
            self._disk.close()


class Stream:
    """Reads of one handle. Safe to call from many threads."""

    def __init__(self, fetcher: Fetcher, waiter: Waiter, id: ObjectId, size: int, limits: Limits) -> None:
        self._fetcher, self._waiter, self._id, self._size = fetcher, waiter, id, size
        self._stats = fetcher.stats.of(id.source)
        self._policy = Readahead(size, limits)  # guarded by the fetcher's lock, as `_failed` is
        self._near = False  # what was read last came from the tier below
        self._failed: list[tuple[Run, float, StoreError]] = []

    def read_into(self, address: int, size: int, offset: int) -> None:
        """Copy `[offset, offset + size)`, which must lie inside the object, to the memory at `address`.

        Raises StoreError (TimedOut after the mount's timeout) and Interrupted. After a failure the same
        bytes fail at once for a few seconds, with the same error.
        """
        if size <= 0:
            return
        fetcher, id = self._fetcher, self._id
        first, last = offset >> SHIFT, (offset + size - 1) >> SHIFT
        with fetcher.lock:
            lru = fetcher.memory.lru
            parts: Sequence[Block | Flight] = ()
            try:
                blocks = [lru[id, i] for i in range(first, last + 1)]
            except KeyError:
                blocks = []
            if blocks:
                for b in blocks:
                    if b.mark:
                        self._near = fetcher.memory.consume(id, first, blocks, offset + size, self._stats)
                        break
            else:
                parts = self._missing(offset, size, Run(first, last + 1))
            share = fetcher.budget.share
            soon = self._policy.read(
                offset, size, NEAR_SHARE if self._near and share.ahead > NEAR_SHARE.ahead else share
            )
        if soon:
            fetcher.read_ahead(id, self._size, soon, self)
        if blocks:
            self._stats.add(counters.MEMORY, size)
        else:
            blocks = self._collect(parts, first, offset + size)
        _copy(blocks, offset - (first << SHIFT), address, size)
        self._stats.add(counters.ASKED, size)

    def close(self) -> None:
        """Cancel what was to be fetched ahead. Idempotent; the stream can still be read (another descriptor may)."""
        with self._fetcher.lock:
            self._fetcher.forget(self)
            self._policy.cancelled()

    def _missing(self, offset: int, size: int, need: Run) -> list[Block | Flight]:
        """With the lock held: what brings `need`. Raises what is remembered of a failure."""
        fetcher = self._fetcher
        if self._failed:
            now = fetcher.clock()
            self._failed = [f for f in self._failed if f[1] > now]
            lru = fetcher.memory.lru
            for run, _, error in self._failed:
                if any((self._id, i) not in lru for i in range(max(run.first, need.first), min(run.stop, need.stop))):
                    raise copy.copy(error) from None
        return fetcher.demand(self._id, self._size, need, self._policy.wanted(offset, size))

    def _collect(self, parts: Sequence[Block | Flight], first: int, stop: int) -> list[Block]:
        """Wait for the flights among `parts`; all blocks from `first` on, in order. `stop`: where the read ends."""
        fetcher = self._fetcher
        end = fetcher.clock() + fetcher.timeout
        blocks: list[Block] = []
        held = {p for p in parts if isinstance(p, Flight)}
        memory = 0
        try:
            while len(blocks) < len(parts):
                part = parts[len(blocks)]
                index = first + len(blocks)
                if isinstance(part, Block):
                    blocks.append(part)
                    memory += part.size
                    continue
                got = self._await(part, end)
                if got is None:  # a prefetch that came to nothing: fetch what is left of it as demand
                    with fetcher.lock:
                        fetcher.release(held)
                        held = set()
                        need = Run(index, first + len(parts))
                        rest = fetcher.demand(self._id, self._size, need, geometry.extent(need, self._size))
                        held = {p for p in rest if isinstance(p, Flight)}
                    parts = [*blocks, *rest]
                    continue
                n = min(part.run.stop, first + len(parts)) - index
                blocks += got[index - part.run.first :][:n]
        finally:
            with fetcher.lock:
                fetcher.release(held)
                self._near = fetcher.memory.consume(self._id, first, blocks, stop, self._stats)
        self._stats.add(counters.MEMORY, min(memory, stop - (first << SHIFT)))
        return blocks

    def _await(self, flight: Flight, end: float) -> list[Block] | None:
        """The flight's blocks; None where it was a prefetch that gave up or failed for a moment."""
        fetcher = self._fetcher
        while True:
            left = max(0.0, end - fetcher.clock())
            pause = max(0.0, fetcher.patience(flight))
            try:
                return self._waiter(flight.future, min(left, pause))
            except StoreError as e:
                if pause < left and not flight.future.done():
                    fetcher.hedge(flight)
                    continue
                if flight.retry and e.transient and fetcher.clock() < end:
                    return None
                with fetcher.lock:
                    self._failed = [*self._failed[-15:], (flight.run, fetcher.clock() + FAILED_S, e)]
                raise


def _copy(blocks: Sequence[Block], skip: int, address: int, size: int) -> None:
    """Copy `size` bytes, beginning `skip` bytes into the first block; neighbours in memory in one go."""
    start = blocks[0].address + skip
    n = blocks[0].size - skip
    for b in blocks[1:]:
        if b.address == start + n:
            n += b.size
        else:
            _memmove(address, start, n)
            address += n
            size -= n
            start, n = b.address, b.size
    _memmove(address, start, size)
