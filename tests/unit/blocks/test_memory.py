"""The memory tier: its limit, its order, and that a block's room is not given away while somebody reads it."""

from __future__ import annotations

import ctypes
import gc
import itertools

import pytest

from mountnd.blocks.geometry import BLOCK
from mountnd.blocks.memory import HEAP_MAX, HEAP_OVERHEAD, ON_DISK, UNREAD, Block, Key, MemoryTier
from mountnd.stats import MEMORY_EVICTED, MEMORY_OVERDRAFT, PREFETCH_USED, PREFETCH_WASTED, Stats
from mountnd.stores.base import ObjectId

ID = ObjectId("memory://test", "a", '"1"')


def fill(memory: MemoryTier, block: Block, byte: int) -> None:
    (view,) = memory.views([block])
    view[:] = bytes([byte]) * block.size


def content(block: Block) -> bytes:
    return ctypes.string_at(block.address, block.size)


def take(memory: MemoryTier, n: int, size: int = BLOCK) -> list[Block]:
    blocks = memory.allocate([size] * n, overdraft=False)
    assert blocks is not None
    return blocks


def test_the_oldest_goes_first_and_touching_makes_young() -> None:
    memory = MemoryTier(4 * BLOCK, Stats())
    for i in range(4):
        (block,) = take(memory, 1)
        memory.put((ID, i), block)
        del block
    assert memory.used == 4 * BLOCK
    _ = memory.lru[ID, 0]
    take(memory, 2)
    assert sorted(i for _, i in memory.lru) == [0, 3]


def test_a_block_that_is_being_read_keeps_its_bytes_through_eviction() -> None:
    memory = MemoryTier(2 * BLOCK, Stats())
    first, second = take(memory, 2)
    fill(memory, first, 1)
    memory.put((ID, 0), first)
    memory.put((ID, 1), second)
    del second
    reader = memory.lru[ID, 0]
    del first
    got = memory.allocate([BLOCK, BLOCK], overdraft=True)
    assert got is not None
    for b in got:
        fill(memory, b, 2)
    assert not memory.lru
    assert content(reader) == b"\1" * BLOCK
    assert memory.used == 3 * BLOCK + HEAP_OVERHEAD  # the overdraft is on the heap
    del got, b, reader
    assert memory.used == 0


def test_prefetch_is_refused_and_demand_is_granted_when_all_is_in_use() -> None:
    stats = Stats()
    memory = MemoryTier(2 * BLOCK, stats)
    held = take(memory, 2)
    assert memory.allocate([BLOCK], overdraft=False) is None
    more = memory.allocate([BLOCK], overdraft=True)
    assert more is not None
    assert stats.snapshot()[MEMORY_OVERDRAFT] == BLOCK
    fill(memory, more[0], 3)
    assert content(more[0]) == b"\3" * BLOCK
    del held, more
    assert memory.used == 0


@pytest.mark.parametrize("limit", [0, 1, BLOCK - 1, BLOCK, BLOCK + 1])
def test_a_tiny_limit_still_serves_demand(limit: int) -> None:
    memory = MemoryTier(limit, Stats())
    for i in range(5):
        blocks = memory.allocate([BLOCK, 100], overdraft=True)
        assert blocks is not None
        for k, b in enumerate(blocks):
            fill(memory, b, i)
            memory.put((ID, 2 * i + k), b)
        assert all(content(b) == bytes([i]) * b.size for b in blocks)
        del blocks, b
        memory.trim()
        assert memory.used <= limit


@pytest.mark.parametrize("size", [1, HEAP_MAX - 1, HEAP_MAX, HEAP_MAX + 1, BLOCK - 1, BLOCK])
def test_small_blocks_cost_about_their_size(size: int) -> None:
    memory = MemoryTier(64 * BLOCK, Stats())
    blocks = take(memory, 3, size)
    cost = 3 * (size + HEAP_OVERHEAD if size <= HEAP_MAX else BLOCK)
    assert memory.used == cost
    assert all(b.size == size for b in blocks)
    del blocks
    assert memory.used == 0


def test_neighbours_share_a_view_and_views_hold_just_the_blocks() -> None:
    memory = MemoryTier(8 * BLOCK, Stats())
    blocks = memory.allocate([BLOCK, BLOCK, BLOCK - 7, 10, 20], overdraft=False)
    assert blocks is not None
    views = memory.views(blocks)
    assert [len(v) for v in views] == [3 * BLOCK - 7, 10, 20]
    assert all(b.address + BLOCK == c.address for b, c in itertools.pairwise(blocks[:3]))
    at = 0
    for v in views:
        for i in range(0, len(v), 997):
            v[i] = (at + i) % 251
        at += len(v)
    whole = b"".join(content(b) for b in blocks)
    at = 0
    for v in views:
        assert all(whole[at + i] == (at + i) % 251 for i in range(0, len(v), 997))
        at += len(v)


def test_runs_stay_neighbours_after_eviction() -> None:
    memory = MemoryTier(32 * BLOCK, Stats())
    for i in range(100):
        blocks = take(memory, 8)
        assert len(memory.views(blocks)) == 1, f"round {i}"
        for k, b in enumerate(blocks):
            memory.put((ID, 8 * i + k), b)
        del blocks, b


def test_waste_is_counted_once_for_what_nobody_read() -> None:
    stats = Stats()
    memory = MemoryTier(2 * BLOCK, stats)
    for i, b in enumerate(take(memory, 2)):
        b.mark = UNREAD if i == 0 else 0
        memory.put((ID, i), b)
        del b
    take(memory, 2)
    assert stats.snapshot()[PREFETCH_WASTED] == BLOCK
    assert stats.snapshot()[MEMORY_EVICTED] == 2 * BLOCK


def test_what_nobody_has_read_yet_gets_a_second_chance() -> None:
    memory = MemoryTier(4 * BLOCK, Stats())
    for i in range(4):
        (b,) = take(memory, 1)
        b.mark = UNREAD if i < 2 else 0
        memory.put((ID, i), b)
        del b
    take(memory, 2)
    assert sorted(i for _, i in memory.lru) == [0, 1]
    take(memory, 3)
    assert sorted(i for _, i in memory.lru) == [1]


def test_what_is_on_disk_too_goes_once_it_was_read_to_its_end() -> None:
    stats = Stats()
    memory = MemoryTier(4 * BLOCK, stats)
    blocks = take(memory, 3)
    for i, b in enumerate(blocks):
        b.mark = (ON_DISK, ON_DISK, UNREAD)[i]
        memory.put((ID, i), b)
    assert memory.mark_read(ID, 0, blocks[:1], 100, stats)
    assert len(memory.lru) == 3
    assert memory.mark_read(ID, 0, blocks, 2 * BLOCK - 1, stats)
    assert sorted(i for _, i in memory.lru) == [1, 2]
    assert not memory.mark_read(ID, 2, blocks[2:], 3 * BLOCK, stats)
    assert stats.snapshot()[PREFETCH_USED] == BLOCK
    assert (ID, 2) in memory.lru


def resident() -> int:
    """Bytes of this process in memory."""
    with open("/proc/self/statm") as f:
        return int(f.read().split()[1]) * 4096


def test_heap_and_arena_together_stay_under_the_limit() -> None:
    gc.collect()
    limit, before = 64 << 20, resident()
    memory = MemoryTier(limit, Stats())
    for b in take(memory, limit // BLOCK):
        fill(memory, b, 1)
    del b
    assert resident() - before > limit // 2  # the arena is there
    keep: dict[Key, Block] = {}
    small = 30_000
    for i in range(limit * 3 // 4 // (small + HEAP_OVERHEAD)):
        (b,) = take(memory, 1, small)
        fill(memory, b, 2)
        keep[ID, i] = b
    assert memory.used <= limit
    assert resident() - before < limit + (24 << 20)
    del b, keep
    again = take(memory, limit // BLOCK)  # slots given back are good for use again
    for k, b in enumerate(again):
        fill(memory, b, k % 256)
    assert all(content(b)[::4099] == bytes([k % 256]) * len(range(0, BLOCK, 4099)) for k, b in enumerate(again))
