"""The memory tier: blocks in an arena, in least-recently-used order, under one limit in bytes.

What counts against the limit is every block that is alive: cached, being filled, or still being
copied to a reader after its eviction. A block's memory is free again when the last reference to it goes, so
a reader's copy, which releases the GIL, never sees its bytes replaced. Eviction is least recently used, with a
second chance for what was prefetched and nobody has read yet.

Threading: the caller holds one lock around every method. Only `Block.__del__` runs anywhere, without
it: it appends to a deque (atomic), which the next allocation drains.
"""

from __future__ import annotations

import ctypes
import mmap
from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

from cachetools import Cache, LRUCache

from ..stats import MEMORY_EVICTED, MEMORY_OVERDRAFT, PREFETCH_USED, PREFETCH_WASTED, Stats
from ..stores.base import ObjectId
from .geometry import BLOCK, SHIFT, BlockRange, block_ranges

# A block at most this long lives on the heap at its own size: a slot would waste half of itself or more.
HEAP_MAX = BLOCK // 2
# What a heap block costs beside its bytes (the object, its bytearray, its place in the LRU).
HEAP_OVERHEAD = 512

UNREAD, SECOND_CHANCE, ON_DISK = 1, 2, 3

Key = tuple[ObjectId, int]


class PinnedBlocks(NamedTuple):
    """Neighbouring blocks with their bytes: one view each, valid as long as `pin` is referred to."""

    span: BlockRange
    views: Sequence[memoryview]
    pin: object


class Block:
    """The bytes of one block, at a fixed address.

    Attributes:
        address: where the bytes lie.
        size: how many there are.
        mark: UNREAD: prefetched, and nobody has read it yet; SECOND_CHANCE: likewise, and it was the oldest once and
            not evicted then. ON_DISK: the disk tier holds it too. 0 for most.
    """

    __slots__ = ("_freed", "_heap", "address", "mark", "size", "slot")

    def __init__(self, address: int, size: int, slot: int, heap: bytearray | None, freed: deque[int]) -> None:
        self.address, self.size, self.slot = address, size, slot
        self._heap, self._freed = heap, freed
        self.mark = 0

    def __del__(self) -> None:
        self._freed.append(self.slot if self.slot >= 0 else -1 - self.size)


class MemoryTier:
    """Blocks by (ObjectId, index), and memory for new ones.

    Args:
        limit: bytes that all living blocks together may take.
        stats: evictions and waste are counted there.
    """

    def __init__(self, limit: int, stats: Stats) -> None:
        self.limit = limit
        self.lru: LRUCache[Key, Block] = LRUCache(
            float("inf")
        )  # the limit is kept by `_make_room`, for all blocks alive
        self._stats = stats
        self._slots = limit // BLOCK
        # Private: a shared mapping returns nothing to the system. Pages come when first written, of the size that
        # the system's policy says: MADV_HUGEPAGE saves 0.1 s of CPU for 256 MiB where memory is the machine's own,
        # but costs 0.4 s on a virtual one that hands free memory back to its host (free page reporting).
        flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | getattr(mmap, "MAP_NORESERVE", 0)
        self._arena = mmap.mmap(-1, max(1, self._slots) * BLOCK, flags=flags)
        self._view = memoryview(self._arena)
        self._base = ctypes.addressof(ctypes.c_char.from_buffer(self._arena))
        self._untouched = 0  # slots from here on were never used
        self._unbacked: list[int] = []  # free, without memory behind them
        self._backed: deque[int] = deque()  # free, with memory behind them; last in, first out
        self._freed: deque[int] = deque()  # of dropped blocks: the slot, or -1 - size of one on the heap
        self._slots_used = 0  # slots in use
        self._heap_used = 0  # bytes in use on the heap, overhead included

    @property
    def used(self) -> int:
        """Bytes of all living blocks, as they count against the limit."""
        self._reclaim()
        return self._slots_used * BLOCK + self._heap_used

    def allocate(self, sizes: Sequence[int], *, overdraft: bool) -> list[Block] | None:
        """One empty block for each of `sizes`; older blocks are evicted for them.

        None when that much cannot be had. With `overdraft` the request is always granted: what does not
        fit is for a reader, who would wait for ever otherwise, and is freed as soon as it was read.
        """
        need = sum(BLOCK if n > HEAP_MAX else n + HEAP_OVERHEAD for n in sizes)
        over = self._make_room(need)
        if over:
            if not overdraft:
                return None
            self._stats.add(MEMORY_OVERDRAFT, min(over, need))
        slots = self._take_slots(sum(n > HEAP_MAX for n in sizes))
        blocks = []
        for n in sizes:
            if n > HEAP_MAX and slots:
                slot = slots.pop()
                blocks.append(Block(self._base + slot * BLOCK, n, slot, None, self._freed))
            else:
                data = bytearray(n)
                address = ctypes.addressof(ctypes.c_char.from_buffer(data))
                self._heap_used += n + HEAP_OVERHEAD
                blocks.append(Block(address, n, -1, data, self._freed))
        self._trim_free_slots()
        return blocks

    def view(self, block: Block) -> memoryview:
        """A writable view of one block. Valid while the block is."""
        if block._heap is not None:
            return memoryview(block._heap)
        at = block.slot * BLOCK
        return self._view[at : at + block.size]

    def views(self, blocks: Sequence[Block]) -> list[memoryview]:
        """Writable views of neighbouring `blocks`; those that are neighbours in the arena too share one."""
        views: list[memoryview] = []
        start = stop = -1  # bytes of the arena in the view that is being made
        for b in blocks:
            if b._heap is not None:
                if stop > start:
                    views.append(self._view[start:stop])
                start = stop = -1
                views.append(memoryview(b._heap))
                continue
            at = b.slot * BLOCK
            if at != stop:
                if stop > start:
                    views.append(self._view[start:stop])
                start = at
            stop = at + b.size
        if stop > start:
            views.append(self._view[start:stop])
        return views

    def put(self, key: Key, block: Block) -> None:
        """Keep `block` as the most recently used one."""
        self.lru[key] = block

    def pinned(self, id: ObjectId, span: BlockRange) -> list[PinnedBlocks]:
        """What memory still holds of `span`. It does not count as a use."""
        held = {i: Cache.__getitem__(self.lru, (id, i)) for i in range(*span) if (id, i) in self.lru}
        found = []
        for part in block_ranges(held):
            blocks = [held[i] for i in range(*part)]
            found.append(PinnedBlocks(part, [self.view(b) for b in blocks], blocks))
        return found

    def mark_read(self, id: ObjectId, first: int, blocks: Sequence[Block], stop: int, stats: Stats) -> bool:
        """A reader has got `blocks`, some of them marked, up to byte `stop`; whether the disk tier holds any of them.

        Such a block is not kept once it was read to its end: whoever streams a file from disk does so in the
        same few slots, instead of touching new memory for all of it.
        """
        on_disk = False
        for i, b in enumerate(blocks, first):
            if b.mark == ON_DISK:
                on_disk = True
                if stop >= (i << SHIFT) + b.size:
                    self.lru.pop((id, i), None)
            elif b.mark:
                b.mark = 0
                stats.add(PREFETCH_USED, b.size)
        return on_disk

    def trim(self) -> None:
        """Evict until the limit holds again, after an overdraft."""
        self._make_room(0)

    def _make_room(self, need: int) -> int:
        """Evict the oldest until `need` bytes fit; the bytes that are still too many."""
        over = self.used + need - self.limit
        while over > 0 and self.lru:
            key, block = self.lru.popitem()
            if block.mark == UNREAD:  # second chance: its reader may only be slow; what others have read goes before it
                block.mark = SECOND_CHANCE
                self.lru[key] = block
                continue
            self._stats.add(MEMORY_EVICTED, block.size)
            if block.mark == SECOND_CHANCE:
                self._stats.of(key[0].source).add(PREFETCH_WASTED, block.size)
            del block
            over = self.used + need - self.limit
        return max(0, over)

    def _reclaim(self) -> None:
        freed = self._freed
        while freed:
            slot = freed.popleft()
            if slot >= 0:
                self._slots_used -= 1
                self._backed.append(slot)
            else:
                self._heap_used -= -1 - slot + HEAP_OVERHEAD

    def _take_slots(self, n: int) -> list[int]:
        """Up to `n` free slots, in descending order (so that popping gives neighbours first)."""
        slots = [self._backed.pop() for _ in range(min(n, len(self._backed)))]
        while len(slots) < n and self._untouched < self._slots:
            slots.append(self._untouched)
            self._untouched += 1
        while len(slots) < n and self._unbacked:
            slots.append(self._unbacked.pop())
        self._slots_used += len(slots)
        slots.sort(reverse=True)
        return slots

    def _trim_free_slots(self) -> None:
        """Return free slots to the system where heap and arena together would hold more than the limit."""
        over = self._heap_used + (self._slots_used + len(self._backed)) * BLOCK - self.limit
        while over > 0 and self._backed:
            slot = self._backed.popleft()
            # Without its flag for huge pages: the kernel would put a whole one back where it finds one page in use.
            self._madvise("MADV_NOHUGEPAGE", slot * BLOCK, BLOCK)
            self._madvise("MADV_DONTNEED", slot * BLOCK, BLOCK)
            self._unbacked.append(slot)
            over -= BLOCK

    def _madvise(self, advice: str, *where: int) -> None:
        option = getattr(mmap, advice, None)
        if option is not None:
            try:
                self._arena.madvise(option, *where)
            except OSError:
                pass  # advice: a kernel without it works all the same
