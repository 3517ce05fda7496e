"""A GET that stalls is asked for again: rarely, only for a reader, and the first answer counts."""

from __future__ import annotations

import threading

import pytest

from mountnd.blocks import counters
from mountnd.blocks.fetch.hedging import ENOUGH, HAND, PER_GETS, Stalls
from mountnd.blocks.fetch.warmup import USES
from mountnd.blocks.geometry import BLOCK
from mountnd.errors import ServerFault, StoreError
from mountnd.stores.memory import Call

from .rig import MIB, Gate, Rig, body, read, until

DATA = body(64 * MIB)


class FirstOnly:
    """Lets the first read of one range wait at a gate; the later ones pass, or raise `later`."""

    def __init__(self, start: int, later: StoreError | None = None) -> None:
        self.gate, self.seen = Gate(), 0
        self._start, self._later = start, later

    def __call__(self, call: Call) -> None:
        if call.start != self._start:
            return
        self.seen += 1
        if self.seen == 1:
            self.gate(call)
        elif self._later is not None:
            raise self._later


def experienced(rig: Rig) -> None:
    """Make the rig know how long a GET of one block takes."""
    stream = rig.open("other", DATA)
    for k in range(ENOUGH + USES + 1):
        read(stream, (k * 17 % 60) * MIB + MIB // 2, 1)
    rig.quiet()


def test_a_stalled_demand_is_asked_again_and_the_late_answer_is_dropped() -> None:
    with Rig() as rig:
        experienced(rig)
        stream = rig.open("a", DATA)
        rig.store.fault = first = FirstOnly(30 * MIB)
        assert read(stream, 30 * MIB, 4096) == DATA[30 * MIB : 30 * MIB + 4096]  # although the gate is shut
        assert len(first.gate.held) == 1
        assert rig.count(counters.HEDGED) == 1
        assert rig.gets.count((30 * MIB, 30 * MIB + BLOCK)) == 2
        before = rig.used
        first.gate.open()
        until(lambda: rig.used < before)
        assert read(stream, 30 * MIB, 4096) == DATA[30 * MIB : 30 * MIB + 4096]
        assert rig.gets.count((30 * MIB, 30 * MIB + BLOCK)) == 2


@pytest.mark.parametrize("late", [ServerFault("late"), None])
def test_a_hedge_that_fails_leaves_the_first_one_to_answer(late: StoreError | None) -> None:
    with Rig() as rig:
        experienced(rig)
        stream = rig.open("a", DATA)
        rig.store.fault = first = FirstOnly(30 * MIB, later=ServerFault("hedge"))
        first.gate.error = late
        out: list[object] = []

        def job() -> None:
            try:
                out.append(read(stream, 30 * MIB, 4096))
            except StoreError as e:
                out.append(str(e))

        reader = threading.Thread(target=job)
        reader.start()
        until(lambda: rig.count(counters.GETS_FAILED) == 1)
        assert first.seen == 2
        assert out == []
        first.gate.open()
        reader.join(20)
        assert out == (["late"] if late else [DATA[30 * MIB : 30 * MIB + 4096]])
        rig.quiet()


def test_a_store_that_is_slow_altogether_gets_little_more_work() -> None:
    stalls = Stalls()
    granted = 0
    for _ in range(1000):
        stalls.took(BLOCK, 1.0)
        granted += stalls.spend()
    assert granted <= 1000 / PER_GETS + HAND
    assert granted > 10


def test_what_counts_as_a_stall_follows_the_recent_ones_of_that_size() -> None:
    stalls = Stalls()
    assert stalls.limit(BLOCK) == float("inf")
    for i in range(ENOUGH):
        stalls.took(BLOCK, 0.03 + i / 10_000)
    assert 0.03 < stalls.limit(BLOCK) < 0.2
    assert stalls.limit(4 * MIB) == float("inf")
    for _ in range(200):
        stalls.took(BLOCK, 1.0)
    assert stalls.limit(BLOCK) > 1.0


def test_nobody_waits_for_a_prefetch_so_it_is_not_asked_again() -> None:
    with Rig() as rig:
        experienced(rig)
        stat = rig.put("a", DATA)
        gate = Gate(lambda call: call.key == "a")
        rig.store.fault = gate
        rig.blocks.prefetch(stat.id, stat.size, MIB, MIB + BLOCK)
        until(lambda: len(gate.held) == 1)
        other = rig.open("third", DATA)
        read(other, 10 * MIB, 1)  # time passes, other GETs come and go
        assert rig.count(counters.HEDGED) == 0
        gate.open()
        rig.quiet()
