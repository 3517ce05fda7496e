"""What a read would do is what it then does: the same requests, from the same places. And looking changes nothing."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from mountnd.blocks.disk.chunk_file import CHUNK_NAME
from mountnd.blocks.geometry import BLOCK, Extent
from mountnd.blocks.outlook import Cached, Held, Outlook, cached, plan
from mountnd.blocks.readahead.window import WindowPolicy
from mountnd.stats import GETS_DEMAND
from mountnd.stores.base import ObjectStat

from .disk.disk_harness import flush, with_disk
from .harness import KIB, MIB, BlocksHarness, Gate, body, read, until

WHOLE = 10 * BLOCK - 100


def test_where_blocks_come_from_and_what_is_asked_for() -> None:
    """Memory has 0 and 1, 2 is on its way, the disk has 4, and again 8 and 9."""
    held = Held({0, 1}, {2}, {1, 4, 8, 9})
    found, requests = plan(held, Extent(0, WHOLE), WHOLE)
    # 3 and 5 to 7 by one request, which takes 4 along: a gap of one block costs less than a request.
    assert requests == [(3, 8)]
    assert found == {"memory": 2 * BLOCK, "coming": BLOCK, "disk": 2 * BLOCK - 100, "shared": 0}
    assert plan(held, Extent(0, 100), WHOLE) == ({"memory": BLOCK, "coming": 0, "disk": 0, "shared": 0}, [])
    assert plan(held, Extent(0, 0), WHOLE) == ({"memory": 0, "coming": 0, "disk": 0, "shared": 0}, [])
    # What nodes share has 5 to 7.
    found, requests = plan(held._replace(shared={5, 6, 7}), Extent(0, WHOLE), WHOLE)
    assert requests == [(3, 5)]
    assert found["shared"] == 3 * BLOCK


def test_cached_counts_bytes_and_none_twice() -> None:
    assert cached(Held({0, 9}, {3}, {0, 1}), WHOLE) == Cached(2 * BLOCK - 100, BLOCK, 2 * BLOCK, 0, 3 * BLOCK - 100)
    assert cached(Held({0}, (), {1}, {1, 2}), WHOLE) == Cached(BLOCK, 0, BLOCK, 2 * BLOCK, 3 * BLOCK)
    assert cached(Held((), (), ()), 0) == Cached(0, 0, 0, 0, 0)


def looked_at(harness: BlocksHarness, stat: ObjectStat, start: int, stop: int) -> Outlook:
    return harness.blocks.outlook(harness.blocks.held(stat.id, stat.size), stat.id.source, stat.size, start, stop)


@pytest.mark.parametrize("seed", range(12))
def test_a_read_sends_the_requests_that_were_foreseen(seed: int, tmp_path: Path) -> None:
    dice = random.Random(seed)
    data = body(dice.choice([50_000, 100 * KIB, MIB - 7, 3 * MIB]))
    with with_disk(tmp_path, memory=32 * MIB) as first:
        stat = first.put("a", data)
        for _ in range(dice.randrange(4)):  # some of it lies on disk
            at = dice.randrange(len(data))
            stream = first.blocks.open(stat.id, stat.size)
            read(stream, at, min(4 * KIB, len(data) - at))
            stream.close()
        flush(first)
        with with_disk(tmp_path, store=first.store, memory=32 * MIB) as harness:
            for _ in range(dice.randrange(3)):  # and some in memory
                at = dice.randrange(len(data))
                stream = harness.blocks.open(stat.id, stat.size)
                read(stream, at, min(4 * KIB, len(data) - at))
                stream.close()
            harness.quiet()
            start = dice.choice([0, dice.randrange(len(data))])
            told = looked_at(harness, stat, start, start + 128 * KIB)
            before, demand = len(harness.store.calls), harness.count(GETS_DEMAND)
            stream = harness.blocks.open(stat.id, stat.size)
            read(stream, told.start, told.stop - told.start)
            harness.quiet()
            sizes = sorted(c.stop - c.start for c in harness.store.calls[before:] if c.op == "read")
            stream.close()
            # What the reader waits for is among them; what is fetched ahead of it comes beside.
            assert harness.count(GETS_DEMAND) - demand == len(told.gets)
            for size in told.gets:
                sizes.remove(size)


def test_looking_fetches_nothing_and_counts_as_no_use(tmp_path: Path) -> None:
    data = body(20 * BLOCK)
    with with_disk(tmp_path) as harness:
        stream = harness.open("a", data)
        for i in (0, 1, 2):
            read(stream, 5 * i * BLOCK, 100)
        flush(harness)
        (chunk,) = (path for path in tmp_path.rglob("*") if CHUNK_NAME.fullmatch(path.name))
        os.utime(chunk, (1, 1))
        calls, order = len(harness.store.calls), list(harness.fetcher.memory.lru)
        id = stream.id
        held = harness.blocks.held(id, len(data))
        assert set(held.memory) == set(held.disk) >= {0, 5, 10}
        harness.blocks.outlook(held, id.source, len(data), 0, 128 * KIB)
        harness.quiet()
        assert len(harness.store.calls) == calls
        assert list(harness.fetcher.memory.lru) == order  # `popitem` takes the first of its own order:
        assert harness.fetcher.memory.lru.popitem()[0] == (id, order[0][1])
        assert chunk.stat().st_mtime == 1
        stream.close()


def test_what_is_on_its_way_is_told() -> None:
    gate = Gate()
    with BlocksHarness() as harness:
        stat = harness.put("a", body(64 * KIB))
        harness.store.fault = gate
        try:
            harness.blocks.prefetch(stat.id, stat.size, 0, stat.size)
            until(lambda: bool(harness.blocks.held(stat.id, stat.size).coming))
            told = looked_at(harness, stat, 0, stat.size)
            assert (told.coming, told.gets, told.fetched) == (64 * KIB, (), 0)
        finally:
            gate.open()
        harness.quiet()
        assert looked_at(harness, stat, 0, stat.size).memory == 64 * KIB


def test_the_time_follows_from_the_link_and_says_when_it_is_assumed() -> None:
    with BlocksHarness() as harness:
        stat = harness.put("a", body(MIB))
        told = looked_at(harness, stat, 0, 128 * KIB)
        assert not told.is_measured and 0.03 < told.seconds < 0.04
        link = harness.fetcher.links[stat.id.source]
        link.record(1000, 0.5)
        told = looked_at(harness, stat, 0, 128 * KIB)
        assert told.is_measured and told.seconds == pytest.approx(0.5, rel=0.01)


def test_a_damaged_file_of_the_cache_holds_nothing(tmp_path: Path) -> None:
    with with_disk(tmp_path) as harness:
        stream = harness.open("a", body(4 * BLOCK))
        read(stream, 0, 4 * BLOCK)
        stream.close()
        flush(harness)
        (chunk,) = (path for path in tmp_path.rglob("*") if CHUNK_NAME.fullmatch(path.name))
        chunk.write_bytes(b"nonsense")
        assert not harness.blocks.held(stream.id, 4 * BLOCK).disk


def test_a_policy_that_is_looked_at_is_one_of_its_own() -> None:
    """The readers of a handle are not disturbed."""
    policies: list[WindowPolicy] = []

    def make(size: int) -> WindowPolicy:
        policies.append(WindowPolicy(size))
        return policies[-1]

    with BlocksHarness(readahead=make) as harness:
        stat = harness.put("a", body(MIB))
        stream = harness.blocks.open(stat.id, stat.size)
        looked_at(harness, stat, 0, 128 * KIB)
        assert len(policies) == 2 and stream.pattern().kind == "unread"
        stream.close()
