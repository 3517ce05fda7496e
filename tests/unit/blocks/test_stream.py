"""Reads through `Blocks` and `Stream`: always the object's bytes, each fetched once, whatever goes on around them."""

from __future__ import annotations

import ctypes
import gc
import random
import threading
import time

import pytest

from mountnd.blocks import geometry
from mountnd.blocks.begun import BegunRead
from mountnd.blocks.fetch import turns
from mountnd.blocks.fetch.budget import MAX_GETS, Share
from mountnd.blocks.geometry import BLOCK, Extent
from mountnd.blocks.stream import Stream
from mountnd.errors import Forbidden
from mountnd.stats import (
    BYTES_ASKED,
    BYTES_FETCHED,
    BYTES_FROM_MEMORY,
    COUNTERS,
    GETS,
    PREFETCH_CANCELLED,
    PREFETCH_USED,
    PREFETCH_WASTED,
    PREFETCHED,
)
from mountnd.stores.memory import Call
from tests.support.threads import run_together

from .harness import KIB, MIB, BlocksHarness, Gate, body, read, until


@pytest.mark.parametrize("size", [1, 100, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK, 3 * BLOCK + 5])
def test_every_boundary_of_every_size(size: int) -> None:
    data = body(size)
    edges = sorted({e + d for e in range(0, size + BLOCK, BLOCK) for d in (-1, 0, 1)} | {size - 1, size})
    edges = [e for e in edges if 0 <= e <= size]
    for memory in (0, 64 * MIB):
        with BlocksHarness(memory=memory) as harness:
            stream = harness.open("a", data)
            for start in edges:
                for stop in edges:
                    if start < stop:
                        assert read(stream, start, stop - start) == data[start:stop]


def test_nothing_asked_is_nothing_done() -> None:
    with BlocksHarness() as harness:
        stream = harness.open("a", b"")
        assert read(stream, 0, 0) == b""
        assert harness.gets == []


@pytest.mark.parametrize("memory", [0, BLOCK, MIB, 5 * MIB, 64 * MIB])
def test_parallel_random_reads_and_eviction_storms(memory: int) -> None:
    data = body(24 * MIB)
    small = [body(random.Random(i).randrange(1, 3 * BLOCK), i) for i in range(20)]
    with BlocksHarness(memory=memory) as harness:
        big = harness.put("big", data)
        stats = [harness.put(f"small/{i}", s) for i, s in enumerate(small)]
        shared = harness.blocks.open(big.id, big.size)

        def job(seed: int) -> None:
            rng = random.Random(seed)
            stream = shared if seed % 2 else harness.blocks.open(big.id, big.size)
            at = 0
            for _ in range(120):
                kind = rng.random()
                if kind < 0.1:
                    i = rng.randrange(len(small))
                    one = harness.blocks.open(stats[i].id, stats[i].size)
                    assert read(one, 0, stats[i].size) == small[i]
                    one.close()
                    continue
                if kind < 0.15:
                    stream.close()
                if kind < 0.5:
                    at = rng.randrange(len(data))
                n = min(rng.choice([1, 4 * KIB, 68 * KIB, 128 * KIB, MIB]), len(data) - at)
                assert read(stream, at, n) == data[at : at + n]
                at = (at + n) % len(data)

        run_together([lambda i=i: job(i) for i in range(8)])  # type: ignore[misc]
        harness.quiet()
        until(lambda: harness.used <= memory)  # a thread may still hold what it has just brought
        asked = harness.count(BYTES_ASKED)
        assert asked > 0
        assert harness.count(BYTES_FROM_MEMORY) <= asked
        assert harness.count(BYTES_FETCHED) == sum(b - a for a, b in harness.gets)
        assert harness.count(GETS) == len(harness.gets)


def test_each_block_is_fetched_once_however_many_ask() -> None:
    data = body(8 * MIB + 321)
    gate = Gate()
    with BlocksHarness() as harness:
        stat = harness.put("a", data)
        harness.store.fault = gate
        got: list[bytes] = []

        def job() -> None:
            stream = harness.blocks.open(stat.id, stat.size)
            got.append(read(stream, MIB + 5, 200_000))

        threads = [threading.Thread(target=job) for _ in range(10)]
        for t in threads:
            t.start()
        until(lambda: len(harness.store.calls) >= 1)
        until(lambda: sum(f.waiters for f in set(harness.fetcher._flights.values())) == 10)
        gate.open()
        for t in threads:
            t.join(20)
        assert got == [data[MIB + 5 : MIB + 200_005]] * 10
        assert harness.gets == [(MIB, MIB + 4 * BLOCK)]
        for at in range(0, len(data), MIB):
            n = min(MIB, len(data) - at)
            assert read(harness.blocks.open(stat.id, stat.size), at, n) == data[at : at + n]
        harness.quiet()
        assert_once(harness.gets, len(data))


def assert_once(gets: list[tuple[int, int]], size: int) -> None:
    """The ranges, sorted, cover the object without overlapping."""
    at = 0
    for start, stop in gets:
        assert start == at, f"{start} fetched after {at}"
        at = stop
    assert at == size


def test_reading_on_fetches_everything_once() -> None:
    data = body(30 * MIB + 17)
    with BlocksHarness(memory=64 * MIB) as harness:
        stream = harness.open("a", data)
        for at in range(0, len(data), 128 * KIB):
            n = min(128 * KIB, len(data) - at)
            assert read(stream, at, n) == data[at : at + n]
        harness.quiet()
        assert_once(harness.gets, len(data))
        assert harness.count(PREFETCH_USED) == harness.count(PREFETCHED) > 20 * MIB
        assert harness.count(PREFETCH_WASTED) == 0
        before = len(harness.gets)
        again = harness.blocks.open(stream.id, len(data))
        assert read(again, 3 * MIB, MIB) == data[3 * MIB : 4 * MIB]
        assert len(harness.gets) == before


def test_what_is_held_is_not_fetched_again_around_holes() -> None:
    data = body(4 * MIB)
    with BlocksHarness() as harness:
        stream = harness.open("a", data)
        read(harness.blocks.open(stream.id, len(data)), 32 * BLOCK, 32 * BLOCK)  # on cold connections more is fetched
        harness.quiet()
        read(stream, 3 * BLOCK, 1)
        read(stream, 6 * BLOCK, 1)
        harness.store.calls.clear()
        assert read(stream, 2 * BLOCK, 6 * BLOCK) == data[2 * BLOCK : 8 * BLOCK]
        assert [g for g in harness.gets if g[0] < 8 * BLOCK] == [
            (2 * BLOCK, 3 * BLOCK),
            (4 * BLOCK, 6 * BLOCK),
            (7 * BLOCK, 8 * BLOCK),
        ]


def test_a_hit_sends_no_task_and_no_request() -> None:
    data = body(MIB)
    with BlocksHarness() as harness:
        stream = harness.open("a", data)
        read(stream, 0, MIB)
        harness.quiet()
        harness.store.calls.clear()
        harness.workers.close()  # from here on a task would be refused
        for at in range(0, MIB, 100_000):
            n = min(100_000, MIB - at)
            assert read(stream, at, n) == data[at : at + n]
        assert harness.gets == []


def test_a_random_4_kib_read_fetches_at_most_256_kib() -> None:
    data = body(64 * MIB)
    with BlocksHarness() as harness:
        stream = harness.open("a", data)
        rng = random.Random(5)
        n = 60
        for _ in range(n):
            at = rng.randrange(len(data) - 4096)
            assert read(stream, at, 4096) == data[at : at + 4096]
        harness.quiet()
        assert max(b - a for a, b in harness.gets) <= 256 * KIB
        assert harness.count(BYTES_FETCHED) <= n * 2 * BLOCK


def test_a_small_object_comes_whole_at_the_first_touch() -> None:
    data = body(2 * BLOCK)
    with BlocksHarness() as harness:
        stream = harness.open("a", data)
        assert read(stream, 5, 10) == data[5:15]
        harness.quiet()
        assert harness.gets == [(0, len(data))]


def test_a_long_demand_goes_in_parallel_pieces() -> None:
    data = body(8 * MIB)
    gate = Gate(lambda call: MIB <= call.start < 2 * MIB)
    with BlocksHarness() as harness:
        stream = harness.open("a", data)
        harness.store.fault = gate
        out: list[bytes] = []
        reader = threading.Thread(target=lambda: out.append(read(stream, MIB, MIB)))
        reader.start()
        until(lambda: sum(c.stop - c.start for c in gate.held) == MIB)
        assert len(gate.held) >= 2
        gate.open()
        reader.join(20)
        assert out == [data[MIB : 2 * MIB]]


def test_closing_drops_what_has_not_begun() -> None:
    data = body(64 * MIB)
    gate = Gate(lambda call: call.start >= 256 * KIB)
    with BlocksHarness(memory=256 * MIB, threads=4, reserved=2) as harness:
        stream = harness.open("a", data)
        harness.store.fault = gate
        assert read(stream, 0, 256 * KIB) == data[: 256 * KIB]
        until(lambda: len(gate.held) == 2)  # as many as may prefetch
        assert len(set(harness.fetcher._flights.values())) > 4
        stream.close()
        stream.close()
        assert len(set(harness.fetcher._flights.values())) == 2
        assert harness.count(PREFETCH_CANCELLED) > 4
        # A demand finds a thread of its own although prefetch holds all that it may.
        until(lambda: True)
        gate.open()
        harness.quiet()
        assert len(harness.gets) == 3
        assert read(stream, 50 * MIB, 1000) == data[50 * MIB : 50 * MIB + 1000]
        assert harness.fetcher.budget.reserved == 0
        assert not harness.fetcher._owners._owned


def test_what_another_handle_wants_too_is_not_dropped() -> None:
    data = body(8 * MIB)
    gate = Gate(lambda call: call.start >= 256 * KIB)
    with BlocksHarness(memory=256 * MIB, threads=3, reserved=2) as harness:
        one = harness.open("a", data)
        two = harness.blocks.open(one.id, len(data))
        harness.store.fault = gate
        read(one, 0, 256 * KIB)
        read(two, 0, 256 * KIB)
        until(lambda: len(gate.held) == 1)  # one prefetch has begun, and stays
        planned = set(harness.fetcher._flights.values())
        one.close()
        assert set(harness.fetcher._flights.values()) == planned
        two.close()
        until(lambda: len(set(harness.fetcher._flights.values())) == 1)
        gate.open()


def test_demand_goes_before_prefetch_and_promotes_it() -> None:
    data = body(64 * MIB)
    gate = Gate(lambda call: call.start >= 256 * KIB)
    with BlocksHarness(memory=256 * MIB, threads=2, reserved=1) as harness:
        stream = harness.open("a", data)
        harness.store.fault = gate
        read(stream, 0, 256 * KIB)
        until(lambda: len(gate.held) == 1)  # one prefetch holds the one thread it may; the others wait
        out: list[bytes] = []
        reader = threading.Thread(target=lambda: out.append(read(stream, 6 * MIB, 4096)))
        reader.start()
        until(lambda: len(gate.held) == 2)  # the demanded one came before the prefetches that were queued earlier
        assert any(c.start <= 6 * MIB < c.stop for c in gate.held)
        gate.open()
        reader.join(20)
        assert out == [data[6 * MIB : 6 * MIB + 4096]]
        harness.quiet()
        assert all(a[1] <= b[0] for a, b in zip(harness.gets, harness.gets[1:], strict=False))


def test_only_so_many_long_prefetches_go_at_once_and_short_ones_beside_them() -> None:
    data = body(64 * MIB)
    gate = Gate()
    with BlocksHarness(memory=256 * MIB, threads=60, reserved=8) as harness:
        stats = [harness.put(f"k{i}", data) for i in range(4)]
        harness.store.fault = gate
        for s in stats:
            harness.blocks.prefetch(s.id, s.size, 0, 20 * MIB)
        until(lambda: len(gate.held) == MAX_GETS)
        for i in range(10):
            small = harness.put(f"small{i}", data[:1000])
            harness.blocks.prefetch(small.id, small.size, 0, small.size)
        until(lambda: len(gate.held) == MAX_GETS + 10)
        # Somebody comes to wait for one that is held back.
        out: list[bytes] = []
        late = harness.blocks.open(stats[3].id, stats[3].size)
        reader = threading.Thread(target=lambda: out.append(read(late, 19 * MIB, 1000)))
        reader.start()
        until(lambda: len(gate.held) == MAX_GETS + 11)
        assert any(c.key == "k3" and c.start <= 19 * MIB < c.stop for c in gate.held)
        gate.open()
        reader.join(20)
        assert out == [data[19 * MIB : 19 * MIB + 1000]]
        harness.quiet()
        assert sum(b - a for a, b in harness.gets) == 80 * MIB + 10 * 1000


def test_prefetch_of_a_start_serves_the_reader_that_comes_later() -> None:
    data = body(MIB)
    with BlocksHarness() as harness:
        stat = harness.put("a", data)
        harness.blocks.prefetch(stat.id, stat.size, 0, 100_000)
        harness.quiet()
        assert harness.gets == [(0, 2 * BLOCK)]
        assert read(harness.blocks.open(stat.id, stat.size), 348, 4) == data[348:352]
        assert harness.gets == [(0, 2 * BLOCK)]
        assert harness.count(PREFETCH_USED) == BLOCK
        harness.workers.close()
        harness.blocks.prefetch(stat.id, stat.size, 0, MIB)  # nothing happens, nothing is raised
        assert len(harness.fetcher._flights) == 0


def test_prefetch_for_an_owner_is_dropped_with_it() -> None:
    data = body(8 * MIB)
    gate = Gate()
    with BlocksHarness(threads=3, reserved=2) as harness:
        stats = [harness.put(f"k{i}", data) for i in range(6)]
        harness.store.fault = gate
        walk, other = object(), object()
        for i, s in enumerate(stats):
            harness.blocks.prefetch(s.id, s.size, 0, 100_000, owner=other if i == 5 else walk)
        until(lambda: len(gate.held) == 1)
        harness.blocks.cancel(walk)
        assert {f.id.key for f in harness.fetcher._flights.values()} == {
            "k0",
            "k5",
        }  # it began; another's
        gate.open()
        harness.quiet()
        assert len(harness.gets) == 2


@pytest.mark.parametrize("memory", [MIB, 16 * MIB, 64 * MIB])
def test_two_hundred_open_streams_stay_under_the_limit(memory: int) -> None:
    data = body(4 * MIB)
    with BlocksHarness(memory=memory, threads=24, reserved=8) as harness:
        stats = [harness.put(f"k{i}", data) for i in range(200)]
        streams = [harness.blocks.open(s.id, s.size) for s in stats]
        most = 0

        def job(mine: list[int]) -> None:
            nonlocal most
            for at in range(0, MIB, 128 * KIB):
                for i in mine:
                    assert read(streams[i], at, 128 * KIB) == data[at : at + 128 * KIB]
                    most = max(most, harness.used)

        run_together([lambda k=k: job(list(range(k, 200, 8))) for k in range(8)])  # type: ignore[misc]
        harness.quiet()
        until(lambda: harness.used <= memory)  # a thread may still hold what it has just brought
        # At any moment: the limit, and beyond it at most what the eight readers themselves wait for.
        assert most <= memory + 8 * 3 * 128 * KIB


def test_many_large_reads_at_once_take_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each keeps what has come until all of it is there: without turns that were 60 MiB."""
    monkeypatch.setattr(turns, "STILL_S", 30.0)  # on a busy machine, too
    monkeypatch.setattr(turns, "TURN_S", 30.0)
    data, memory = body(2 * MIB), 16 * MIB
    with BlocksHarness(memory=memory, threads=24, reserved=8) as harness:
        streams = [harness.open(f"k{i}", data) for i in range(60)]
        chance, most = random.Random(1), 0

        def slow(_: object) -> None:
            nonlocal most
            most = max(most, harness.used)
            time.sleep(chance.uniform(0.001, 0.02))

        harness.store.fault = slow

        def job(stream: Stream) -> None:
            for at in (0, MIB):
                assert read(stream, at, MIB) == data[at : at + MIB]

        run_together([lambda s=s: job(s) for s in streams])  # type: ignore[misc]
        harness.quiet()
        # Those that only wait for what is fetched ahead do not take turns: that has a limit of its own.
        assert most <= memory * 2


def test_reads_wait_for_silent_ones_no_longer_than_for_one_that_is_silent() -> None:
    data = body(2 * MIB)
    gate = Gate(lambda call: call.key.startswith("silent"))
    with BlocksHarness(memory=4 * MIB, threads=24, reserved=8, timeout=150.0) as harness:
        harness.store.fault = gate
        silent = [threading.Thread(target=read, args=(harness.open(f"silent{i}", data), 0, MIB)) for i in range(4)]
        for thread in silent:
            thread.start()
        until(lambda: len(gate.held) >= 4)
        begun = time.monotonic()
        for i in range(30):  # some wait until the silent ones count no more; if each did, it would be late
            assert read(harness.open(f"well{i}", data), 0, MIB) == data[:MIB]
        assert time.monotonic() - begun < 30 * turns.TURN_S / 2
        assert all(thread.is_alive() for thread in silent)
        gate.open()
        for thread in silent:
            thread.join(20)


def test_a_remembered_failure_is_told_at_once_also_when_others_take_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "STILL_S", 30.0)
    data, silent = body(2 * MIB), Gate(lambda call: call.key.startswith("silent"))

    def fault(call: Call) -> None:
        if call.key == "broken":
            raise Forbidden("no")
        silent(call)

    with BlocksHarness(memory=2 * MIB, threads=24, reserved=8) as harness:
        harness.store.fault = fault
        broken = harness.open("broken", data)
        with pytest.raises(Forbidden):
            read(broken, 0, MIB)
        readers = [threading.Thread(target=read, args=(harness.open(f"silent{i}", data), 0, MIB)) for i in range(2)]
        for thread in readers:
            thread.start()
        until(lambda: bool(harness.fetcher.turns._waiting))
        begun = len(harness.store.calls)
        with pytest.raises(Forbidden):
            read(broken, 0, MIB)
        assert len(harness.store.calls) == begun and harness.fetcher.turns._waiting, "it did not wait"
        silent.open()
        for thread in readers:
            thread.join(20)


def test_a_read_that_fails_in_its_second_half_keeps_no_memory() -> None:
    data = body(2 * MIB)

    def fault(call: Call) -> None:
        if call.start >= MIB // 2:
            raise Forbidden("no")

    gc.disable()
    try:
        with BlocksHarness(memory=4 * MIB) as harness:
            harness.store.fault = fault
            streams = [harness.open(f"k{i}", data) for i in range(8)]
            for stream in streams:
                with pytest.raises(Forbidden):
                    read(stream, 0, MIB)
            until(lambda: harness.used <= len(harness.fetcher.memory.lru) * BLOCK)
    finally:
        gc.enable()


def test_counters_are_lines_of_the_table() -> None:
    data = body(40 * MIB)
    with BlocksHarness(memory=8 * MIB) as harness:
        stream = harness.open("a", data)
        for at in range(0, len(data), MIB):
            read(stream, at, MIB)
        assert set(harness.stats.snapshot()) <= set(COUNTERS)


def test_the_copy_joins_neighbours_and_splits_strangers() -> None:
    data = body(20 * BLOCK + 100)
    with BlocksHarness() as harness:
        stream = harness.open("a", data)
        for i in (7, 3, 11, 4, 5, 19, 20):
            read(stream, i * BLOCK, 1)
        for start, stop in ((2 * BLOCK + 1, 13 * BLOCK - 1), (0, len(data)), (18 * BLOCK + 9, len(data))):
            assert read(stream, start, stop - start) == data[start:stop]
        assert geometry.block_count(len(data)) == 21


def test_a_new_readahead_policy_is_a_class_that_blocks_is_given() -> None:
    told: list[tuple[str, int, int]] = []

    class NextBlock:
        """Fetches the block behind each read."""

        def __init__(self, size: int) -> None:
            self._size = size

        def on_miss(self, offset: int, size: int) -> Extent:
            told.append(("miss", offset, size))
            return Extent(offset, offset + size)

        def on_read(self, offset: int, size: int, share: Share) -> list[Extent]:
            told.append(("read", offset, size))
            return [Extent(offset + size, min(offset + size + BLOCK, self._size))]

        def on_cancel(self) -> None:
            told.append(("cancel", 0, 0))

    data = body(MIB)
    with BlocksHarness(readahead=NextBlock) as harness:
        stream = harness.open("a", data)
        assert read(stream, 5 * BLOCK, BLOCK) == data[5 * BLOCK : 6 * BLOCK]
        harness.quiet()
        assert harness.gets == [(5 * BLOCK, 6 * BLOCK), (6 * BLOCK, 7 * BLOCK)]
        assert read(stream, 6 * BLOCK, BLOCK) == data[6 * BLOCK : 7 * BLOCK]
        stream.close()
    first, second = (5 * BLOCK, BLOCK), (6 * BLOCK, BLOCK)
    assert told == [("miss", *first), ("read", *first), ("read", *second), ("cancel", 0, 0)]


def test_what_came_from_memory_and_what_was_waited_for_add_up_to_what_was_read() -> None:
    """A read that begins in a block in memory and goes on in one that is not: only its own bytes are counted."""
    with BlocksHarness() as harness:
        stream = harness.open("a", body(4 * MIB))
        read(stream, 0, 1)
        harness.quiet()
        held = max(stop for _, stop in harness.gets)
        assert held < 4 * MIB
        before = harness.count(BYTES_FROM_MEMORY)
        read(stream, held - 1000, 3000)
        assert harness.count(BYTES_FROM_MEMORY) - before == 1000


def test_what_comes_with_first_reads_stays_within_the_memory() -> None:
    """A hundred small files at once, each of which would come whole with its first read."""
    files, size, memory = 100, 900_000, 16 * MIB
    with BlocksHarness(memory=memory, threads=files) as harness:
        data = body(size)
        streams = [harness.open(f"f{n}", data) for n in range(files)]
        gate = Gate()
        harness.store.fault = gate
        for stream in streams:
            stream.expect(size)
        readers = [
            threading.Thread(target=lambda s=stream: read(s, 0, 16 * KIB), daemon=True)  # type: ignore[misc]
            for stream in streams
        ]
        for reader in readers:
            reader.start()
        until(lambda: len(harness.fetcher._flights) >= files)
        until(lambda: len(harness.gets) >= files)
        assert harness.used <= memory
        gate.open()
        for reader in readers:
            reader.join(20)
        assert not any(reader.is_alive() for reader in readers)
        whole = sum(start == 0 and stop == size for start, stop in harness.gets)
        assert 0 < whole <= memory // 2 // size


class TestBegun:
    """Reads that are begun and waited for later: many of one thread's are under way at once."""

    def test_all_are_under_way_at_once(self) -> None:
        gate = Gate()
        with BlocksHarness(threads=16) as harness:
            data = [body(BLOCK + 7, i) for i in range(12)]
            streams = [harness.open(f"k{i}", one) for i, one in enumerate(data)]
            harness.store.fault = gate
            begun = [stream.begin(BLOCK, 5) for stream in streams]
            until(lambda: len(gate.held) == 12)
            assert all(read.under_way and len(read.flights()) == 1 for read in begun)
            gate.open()
            for one, expected in zip(begun, data, strict=True):
                assert taken(one) == expected[5 : 5 + BLOCK]
            for stream, expected in zip(streams, data, strict=True):
                assert taken(stream.begin(BLOCK, 5)) == expected[5 : 5 + BLOCK]
            assert len(harness.gets) == 12

    def test_nothing_beyond_it_is_asked_for_and_a_long_one_is_one_get(self) -> None:
        with BlocksHarness() as harness:
            data = body(4 * MIB)
            stream = harness.open("a", data)
            assert taken(stream.begin(2 * MIB, MIB)) == data[MIB : 3 * MIB]
            assert harness.gets == [(MIB, 3 * MIB)]

    def test_abandoned_ones_leave_nothing(self) -> None:
        gate = Gate()
        with BlocksHarness() as harness:
            data = body(3 * BLOCK)
            stream = harness.open("a", data)
            harness.store.fault = gate
            stream.begin(BLOCK, 0).abandon()
            until(lambda: len(gate.held) == 1)
            gate.open()
            assert read(stream, 0, len(data)) == data
            assert harness.fetcher.turns._counted == {}

    @pytest.mark.parametrize("memory", [0, MIB, 64 * MIB])
    def test_more_than_memory_holds_take_turns(self, memory: int) -> None:
        with BlocksHarness(memory=memory) as harness:
            data = body(8 * MIB)
            stream = harness.open("a", data)
            begun = [stream.begin(MIB, at * MIB) for at in range(8)]
            assert memory > MIB or not all(one.under_way for one in begun)
            assert b"".join(map(taken, begun)) == data

    def test_one_that_fails_is_remembered(self) -> None:
        with BlocksHarness() as harness:
            stream = harness.open("a", body(BLOCK))

            def refuse(call: Call) -> None:
                raise Forbidden("no")

            harness.store.fault = refuse
            with pytest.raises(Forbidden):
                taken(stream.begin(BLOCK, 0))
            with pytest.raises(Forbidden):
                stream.begin(BLOCK, 0)
            assert harness.fetcher.turns._counted == {}


def taken(begun: BegunRead) -> bytes:
    """What a read that was begun gives."""
    buffer = bytearray(begun.size)
    begun.finish(lambda: ctypes.addressof(ctypes.c_char.from_buffer(buffer)))
    return bytes(buffer)
