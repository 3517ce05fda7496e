"""Reads through `Blocks` and `Stream`: always the object's bytes, each fetched once, whatever goes on around them."""

from __future__ import annotations

import random
import threading

import pytest

from mountnd.blocks import counters, geometry
from mountnd.blocks.fetch.budget import LANES
from mountnd.blocks.fetch.warmup import WARMING, Warmth
from mountnd.blocks.geometry import BLOCK
from tests.support.threads import run_together

from .rig import KIB, MIB, Clock, Gate, Rig, body, read, until


@pytest.mark.parametrize("size", [1, 100, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK, 3 * BLOCK + 5])
def test_every_boundary_of_every_size(size: int) -> None:
    data = body(size)
    edges = sorted({e + d for e in range(0, size + BLOCK, BLOCK) for d in (-1, 0, 1)} | {size - 1, size})
    edges = [e for e in edges if 0 <= e <= size]
    for memory in (0, 64 * MIB):
        with Rig(memory=memory) as rig:
            stream = rig.open("a", data)
            for start in edges:
                for stop in edges:
                    if start < stop:
                        assert read(stream, start, stop - start) == data[start:stop]


def test_nothing_asked_is_nothing_done() -> None:
    with Rig() as rig:
        stream = rig.open("a", b"")
        assert read(stream, 0, 0) == b""
        assert rig.gets == []


@pytest.mark.parametrize("memory", [0, BLOCK, MIB, 5 * MIB, 64 * MIB])
def test_parallel_random_reads_and_eviction_storms(memory: int) -> None:
    data = body(24 * MIB)
    small = [body(random.Random(i).randrange(1, 3 * BLOCK), i) for i in range(20)]
    with Rig(memory=memory) as rig:
        big = rig.put("big", data)
        stats = [rig.put(f"small/{i}", s) for i, s in enumerate(small)]
        shared = rig.blocks.open(big.id, big.size)

        def job(seed: int) -> None:
            rng = random.Random(seed)
            stream = shared if seed % 2 else rig.blocks.open(big.id, big.size)
            at = 0
            for _ in range(120):
                kind = rng.random()
                if kind < 0.1:
                    i = rng.randrange(len(small))
                    one = rig.blocks.open(stats[i].id, stats[i].size)
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
        rig.quiet()
        assert rig.used <= memory
        asked = rig.count(counters.ASKED)
        assert asked > 0
        assert rig.count(counters.MEMORY) <= asked
        assert rig.count(counters.FETCHED) == sum(b - a for a, b in rig.gets)
        assert rig.count(counters.GETS) == len(rig.gets)


def test_each_block_is_fetched_once_however_many_ask() -> None:
    data = body(8 * MIB + 321)
    gate = Gate()
    with Rig() as rig:
        stat = rig.put("a", data)
        rig.store.fault = gate
        got: list[bytes] = []

        def job() -> None:
            stream = rig.blocks.open(stat.id, stat.size)
            got.append(read(stream, MIB + 5, 200_000))

        threads = [threading.Thread(target=job) for _ in range(10)]
        for t in threads:
            t.start()
        until(lambda: len(rig.store.calls) >= 1)
        until(lambda: sum(f.waiters for f in set(rig.fetcher._flights.values())) == 10)
        gate.open()
        for t in threads:
            t.join(20)
        assert got == [data[MIB + 5 : MIB + 200_005]] * 10
        assert rig.gets == [(MIB, MIB + 4 * BLOCK)]
        for at in range(0, len(data), MIB):
            n = min(MIB, len(data) - at)
            assert read(rig.blocks.open(stat.id, stat.size), at, n) == data[at : at + n]
        rig.quiet()
        assert_once(rig.gets, len(data))


def assert_once(gets: list[tuple[int, int]], size: int) -> None:
    """The ranges, sorted, cover the object without overlapping."""
    at = 0
    for start, stop in gets:
        assert start == at, f"{start} fetched after {at}"
        at = stop
    assert at == size


def test_reading_on_fetches_everything_once() -> None:
    data = body(30 * MIB + 17)
    with Rig(memory=64 * MIB) as rig:
        stream = rig.open("a", data)
        for at in range(0, len(data), 128 * KIB):
            n = min(128 * KIB, len(data) - at)
            assert read(stream, at, n) == data[at : at + n]
        rig.quiet()
        assert_once(rig.gets, len(data))
        assert rig.count(counters.USED) == rig.count(counters.PREFETCHED) > 20 * MIB
        assert rig.count(counters.WASTED) == 0
        before = len(rig.gets)
        again = rig.blocks.open(stream._id, len(data))
        assert read(again, 3 * MIB, MIB) == data[3 * MIB : 4 * MIB]
        assert len(rig.gets) == before


def test_what_is_held_is_not_fetched_again_around_holes() -> None:
    data = body(4 * MIB)
    with Rig() as rig:
        stream = rig.open("a", data)
        read(rig.blocks.open(stream._id, len(data)), 32 * BLOCK, 32 * BLOCK)  # on cold connections more is fetched
        rig.quiet()
        read(stream, 3 * BLOCK, 1)
        read(stream, 6 * BLOCK, 1)
        rig.store.calls.clear()
        assert read(stream, 2 * BLOCK, 6 * BLOCK) == data[2 * BLOCK : 8 * BLOCK]
        assert [g for g in rig.gets if g[0] < 8 * BLOCK] == [
            (2 * BLOCK, 3 * BLOCK),
            (4 * BLOCK, 6 * BLOCK),
            (7 * BLOCK, 8 * BLOCK),
        ]


def test_a_hit_sends_no_task_and_no_request() -> None:
    data = body(MIB)
    with Rig() as rig:
        stream = rig.open("a", data)
        read(stream, 0, MIB)
        rig.quiet()
        rig.store.calls.clear()
        rig.workers.close()  # from here on a task would be refused
        for at in range(0, MIB, 100_000):
            n = min(100_000, MIB - at)
            assert read(stream, at, n) == data[at : at + n]
        assert rig.gets == []


def test_a_random_4_kib_read_fetches_at_most_256_kib() -> None:
    data = body(64 * MIB)
    with Rig() as rig:
        stream = rig.open("a", data)
        rng = random.Random(5)
        n = 60
        for _ in range(n):
            at = rng.randrange(len(data) - 4096)
            assert read(stream, at, 4096) == data[at : at + 4096]
        rig.quiet()
        assert max(b - a for a, b in rig.gets) <= 256 * KIB
        assert rig.count(counters.FETCHED) <= n * 2 * BLOCK


def test_a_small_object_comes_whole_at_the_first_touch() -> None:
    data = body(2 * BLOCK)
    with Rig() as rig:
        stream = rig.open("a", data)
        assert read(stream, 5, 10) == data[5:15]
        rig.quiet()
        assert rig.gets == [(0, len(data))]


def test_a_long_demand_goes_in_parallel_pieces() -> None:
    data = body(8 * MIB)
    gate = Gate(lambda call: MIB <= call.start < 2 * MIB)
    with Rig() as rig:
        stream = rig.open("a", data)
        rig.store.fault = gate
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
    with Rig(memory=256 * MIB, threads=4, reserved=2) as rig:
        stream = rig.open("a", data)
        rig.store.fault = gate
        assert read(stream, 0, 256 * KIB) == data[: 256 * KIB]
        until(lambda: len(gate.held) == 2)  # as many as may prefetch
        assert len(set(rig.fetcher._flights.values())) > 4
        stream.close()
        stream.close()
        assert len(set(rig.fetcher._flights.values())) == 2
        assert rig.count(counters.PREFETCH_CANCELLED) > 4
        # A demand finds a thread of its own although prefetch holds all that it may.
        until(lambda: True)
        gate.open()
        rig.quiet()
        assert len(rig.gets) == 3
        assert read(stream, 50 * MIB, 1000) == data[50 * MIB : 50 * MIB + 1000]
        assert rig.fetcher.budget.planned == 0
        assert not rig.fetcher._owned or all(not f for f in rig.fetcher._owned.values())


def test_what_another_handle_wants_too_is_not_dropped() -> None:
    data = body(8 * MIB)
    gate = Gate(lambda call: call.start >= 256 * KIB)
    with Rig(memory=256 * MIB, threads=3, reserved=2) as rig:
        one = rig.open("a", data)
        two = rig.blocks.open(one._id, len(data))
        rig.store.fault = gate
        read(one, 0, 256 * KIB)
        read(two, 0, 256 * KIB)
        until(lambda: len(gate.held) == 1)  # one prefetch has begun, and stays
        planned = set(rig.fetcher._flights.values())
        one.close()
        assert set(rig.fetcher._flights.values()) == planned
        two.close()
        until(lambda: len(set(rig.fetcher._flights.values())) == 1)
        gate.open()


def test_demand_goes_before_prefetch_and_promotes_it() -> None:
    data = body(64 * MIB)
    gate = Gate(lambda call: call.start >= 256 * KIB)
    with Rig(memory=256 * MIB, threads=2, reserved=1) as rig:
        stream = rig.open("a", data)
        rig.store.fault = gate
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
        rig.quiet()
        assert all(a[1] <= b[0] for a, b in zip(rig.gets, rig.gets[1:], strict=False))


def test_only_so_many_long_prefetches_go_at_once_and_short_ones_beside_them() -> None:
    data = body(64 * MIB)
    gate = Gate()
    with Rig(memory=256 * MIB, threads=60, reserved=8) as rig:
        stats = [rig.put(f"k{i}", data) for i in range(4)]
        rig.store.fault = gate
        for s in stats:
            rig.blocks.prefetch(s.id, s.size, 0, 20 * MIB)
        until(lambda: len(gate.held) == LANES)
        for i in range(10):
            small = rig.put(f"small{i}", data[:1000])
            rig.blocks.prefetch(small.id, small.size, 0, small.size)
        until(lambda: len(gate.held) == LANES + 10)
        # Somebody comes to wait for one that is held back.
        out: list[bytes] = []
        late = rig.blocks.open(stats[3].id, stats[3].size)
        reader = threading.Thread(target=lambda: out.append(read(late, 19 * MIB, 1000)))
        reader.start()
        until(lambda: len(gate.held) == LANES + 11)
        assert any(c.key == "k3" and c.start <= 19 * MIB < c.stop for c in gate.held)
        gate.open()
        reader.join(20)
        assert out == [data[19 * MIB : 19 * MIB + 1000]]
        rig.quiet()
        assert sum(b - a for a, b in rig.gets) == 80 * MIB + 10 * 1000


def test_prefetch_of_a_start_serves_the_reader_that_comes_later() -> None:
    data = body(MIB)
    with Rig() as rig:
        stat = rig.put("a", data)
        rig.blocks.prefetch(stat.id, stat.size, 0, 100_000)
        rig.quiet()
        assert rig.gets == [(0, 2 * BLOCK)]
        assert read(rig.blocks.open(stat.id, stat.size), 348, 4) == data[348:352]
        assert rig.gets == [(0, 2 * BLOCK)]
        assert rig.count(counters.USED) == BLOCK
        rig.workers.close()
        rig.blocks.prefetch(stat.id, stat.size, 0, MIB)  # nothing happens, nothing is raised
        assert len(rig.fetcher._flights) == 0


def test_prefetch_for_an_owner_is_dropped_with_it() -> None:
    data = body(8 * MIB)
    gate = Gate()
    with Rig(threads=3, reserved=2) as rig:
        stats = [rig.put(f"k{i}", data) for i in range(6)]
        rig.store.fault = gate
        walk, other = object(), object()
        for i, s in enumerate(stats):
            rig.blocks.prefetch(s.id, s.size, 0, 100_000, owner=other if i == 5 else walk)
        until(lambda: len(gate.held) == 1)
        rig.blocks.cancel(walk)
        assert {f.id.key for f in rig.fetcher._flights.values()} == {"k0", "k5"}  # what began, and what is another's
        gate.open()
        rig.quiet()
        assert len(rig.gets) == 2


@pytest.mark.parametrize("memory", [MIB, 16 * MIB, 64 * MIB])
def test_two_hundred_open_streams_stay_under_the_limit(memory: int) -> None:
    data = body(4 * MIB)
    with Rig(memory=memory, threads=24, reserved=8) as rig:
        stats = [rig.put(f"k{i}", data) for i in range(200)]
        streams = [rig.blocks.open(s.id, s.size) for s in stats]
        most = 0

        def job(mine: list[int]) -> None:
            nonlocal most
            for at in range(0, MIB, 128 * KIB):
                for i in mine:
                    assert read(streams[i], at, 128 * KIB) == data[at : at + 128 * KIB]
                    most = max(most, rig.used)

        run_together([lambda k=k: job(list(range(k, 200, 8))) for k in range(8)])  # type: ignore[misc]
        rig.quiet()
        assert rig.used <= memory
        # At any moment: the limit, and beyond it at most what the eight readers themselves wait for.
        assert most <= memory + 8 * 3 * 128 * KIB


def test_counters_have_a_meaning_each() -> None:
    names = {v for k, v in vars(counters).items() if k.isupper() and isinstance(v, str)}
    assert names == set(counters.COUNTERS)
    data = body(40 * MIB)
    with Rig(memory=8 * MIB) as rig:
        stream = rig.open("a", data)
        for at in range(0, len(data), MIB):
            read(stream, at, MIB)
        assert set(rig.stats.snapshot()) <= names


def test_the_copy_joins_neighbours_and_splits_strangers() -> None:
    data = body(20 * BLOCK + 100)
    with Rig() as rig:
        stream = rig.open("a", data)
        for i in (7, 3, 11, 4, 5, 19, 20):
            read(stream, i * BLOCK, 1)
        for start, stop in ((2 * BLOCK + 1, 13 * BLOCK - 1), (0, len(data)), (18 * BLOCK + 9, len(data))):
            assert read(stream, start, stop - start) == data[start:stop]
        assert geometry.count(len(data)) == 21


def test_one_get_over_each_connection_is_long_enough_to_warm_it() -> None:
    data = body(64 * MIB)
    with Rig() as rig:
        stream = rig.open("a", data)
        at = [k * 3 * MIB + MIB for k in (9, 2, 15, 4, 11, 7)]
        for offset in at:
            read(stream, offset, 4096)
        long = [a for a, b in rig.gets if b - a == 4 * BLOCK]
        assert long == [at[2]]
        assert len(rig.gets) == len(at)
        # Three at a time: the first of them has a warm connection, the other two have none yet.
        for round_ in range(4):
            rig.store.calls.clear()
            rig.store.fault = gate = Gate()
            places = [(20 + round_) * MIB + 512 * KIB + k * 9 * MIB for k in range(3)]
            readers = [
                threading.Thread(target=read, args=(rig.blocks.open(stream._id, len(data)), place, 1))
                for place in places
            ]
            for n, r in enumerate(readers, 1):
                r.start()
                until(lambda n=n, gate=gate: len(gate.held) == n)  # type: ignore[misc]
            gate.open()
            for r in readers:
                r.join(20)
            rig.quiet()
            assert [b - a for a, b in rig.gets] == [BLOCK, *[4 * BLOCK if round_ == 2 else BLOCK] * 2]


def test_a_header_is_never_fetched_longer_to_warm_a_connection() -> None:
    data = body(MIB)
    with Rig() as rig:
        for i in range(10):
            read(rig.open(f"k{i}", data), 0, 348)
        assert {b - a for a, b in rig.gets} == {BLOCK}


def test_connections_are_warmed_again_after_a_pause() -> None:
    warmth = Warmth(clock := Clock())

    def get(size: int) -> bool:
        wanted = warmth.wanted
        warmth.began(WARMING if wanted else size)
        warmth.ended()
        return wanted

    assert [get(BLOCK) for _ in range(6)] == [False, False, True, False, False, False]
    clock.now += 10
    assert not get(BLOCK)
    clock.now += 60
    assert [get(BLOCK) for _ in range(4)] == [False, False, True, False]
    clock.now += 60
    assert [get(n) for n in (BLOCK, MIB, BLOCK, BLOCK)] == [False] * 4
