"""Which GETs are made longer, so that their connection is fast from then on."""

from __future__ import annotations

import threading

from mountnd.blocks.fetch.warmup import WARMUP_BYTES, ConnectionWarmup
from mountnd.blocks.geometry import BLOCK

from ..harness import KIB, MIB, BlocksHarness, Clock, Gate, body, read, until


def test_one_get_over_each_connection_is_long_enough_to_warm_it_up() -> None:
    data = body(64 * MIB)
    with BlocksHarness() as harness:
        stream = harness.open("a", data)
        at = [k * 3 * MIB + MIB for k in (9, 2, 15, 4, 11, 7)]
        for offset in at:
            read(stream, offset, 4096)
        long = [a for a, b in harness.gets if b - a == 4 * BLOCK]
        assert long == [at[2]]
        assert len(harness.gets) == len(at)
        # Three at a time: the first of them has a warm connection, the other two have none yet.
        for round_ in range(4):
            harness.store.calls.clear()
            harness.store.fault = gate = Gate()
            places = [(20 + round_) * MIB + 512 * KIB + k * 9 * MIB for k in range(3)]
            readers = [
                threading.Thread(target=read, args=(harness.blocks.open(stream.id, len(data)), place, 1))
                for place in places
            ]
            for n, r in enumerate(readers, 1):
                r.start()
                until(lambda n=n, gate=gate: len(gate.held) == n)  # type: ignore[misc]
            gate.open()
            for r in readers:
                r.join(20)
            harness.quiet()
            assert [b - a for a, b in harness.gets] == [BLOCK, *[4 * BLOCK if round_ == 2 else BLOCK] * 2]


def test_a_header_is_never_fetched_longer_to_warm_up_a_connection() -> None:
    data = body(MIB)
    with BlocksHarness() as harness:
        for i in range(10):
            read(harness.open(f"k{i}", data), 0, 348)
        assert {b - a for a, b in harness.gets} == {BLOCK}


def test_connections_are_warmed_up_again_after_a_pause() -> None:
    warmup = ConnectionWarmup(clock := Clock())

    def get(size: int) -> bool:
        due = warmup.due
        warmup.started(WARMUP_BYTES if due else size)
        warmup.finished()
        return due

    assert [get(BLOCK) for _ in range(6)] == [False, False, True, False, False, False]
    clock.now += 10
    assert not get(BLOCK)
    clock.now += 60
    assert [get(BLOCK) for _ in range(4)] == [False, False, True, False]
    clock.now += 60
    assert [get(n) for n in (BLOCK, MIB, BLOCK, BLOCK)] == [False] * 4


def test_a_long_read_is_shared_by_several_connections_while_tcp_starts_on_them() -> None:
    data = body(64 * MIB)
    with BlocksHarness() as harness:
        stream = harness.open("a", data)
        for at, pieces in ((10, 4), (20, 2), (30, 2)):
            harness.store.calls.clear()
            read(harness.blocks.open(stream.id, len(data)), at * MIB, MIB)
            assert [b - a for a, b in harness.gets] == [MIB // pieces] * pieces, f"at {at} MiB"
            if pieces == 4:  # these pieces were short of what warms a connection
                read(stream, 40 * MIB, 2 * MIB)
        harness.store.calls.clear()
        read(harness.open("b", data), 50 * MIB, 192 * KIB)
        assert len(harness.gets) == 1


def test_so_is_an_object_of_256_kib_that_is_read_whole() -> None:
    """As one chunk of an array: after the name, its bytes are all that a program waits for."""
    data = body(250_000)
    with BlocksHarness() as harness:
        assert read(harness.open("a", data), 0, len(data)) == data
        assert len(harness.gets) == 4
        harness.store.calls.clear()
        assert harness.fetcher.links[harness.store.source].is_near, "that is known now"
        assert read(harness.open("b", data), 0, len(data)) == data
        assert len(harness.gets) == 1
    with BlocksHarness() as harness:
        read(harness.open("a", body(64 * MIB)), 30 * MIB, 256 * KIB)
        assert harness.gets == [(30 * MIB, 30 * MIB + 256 * KIB)], "not a part of that length"


def test_how_long_its_pieces_are() -> None:
    usual, warmup = 512 * KIB, ConnectionWarmup(Clock())
    assert warmup.cut(WARMUP_BYTES, usual) == usual, "not of a short one"
    assert warmup.cut(WARMUP_BYTES, usual, whole=True) == 64 * KIB, "but of an object that is no longer"
    assert warmup.cut(WARMUP_BYTES - BLOCK, usual, whole=True) == usual
    assert warmup.cut(384 * KIB, usual) == warmup.cut(512 * KIB, usual) == 128 * KIB
    assert warmup.cut(MIB, usual) == 256 * KIB
    assert warmup.cut(8 * MIB, usual) == usual
    for _ in range(4):
        warmup.started(512 * KIB)
    assert warmup.cut(MIB, usual) == 256 * KIB, "the next four are new"
    for _ in range(4):
        warmup.finished()
    assert warmup.cut(MIB, usual) == usual
