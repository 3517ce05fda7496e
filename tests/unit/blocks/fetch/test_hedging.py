"""A GET that hedging is asked for again: rarely, only for a reader, and the first answer counts."""

from __future__ import annotations

import threading
from collections.abc import Collection, Sequence

import pytest

from mountnd.blocks.fetch.hedging import BURST, GETS_PER_HEDGE, MIN_SAMPLES, HedgePolicy
from mountnd.blocks.fetch.warmup import SMALL_ANSWERS
from mountnd.blocks.geometry import BLOCK, BlockRange
from mountnd.errors import Cancelled, ServerFault, StoreError
from mountnd.stats import GETS_FAILED, GETS_HEDGED
from mountnd.stores.base import ObjectId
from mountnd.stores.memory import Call

from ..harness import MIB, BlocksHarness, Gate, body, read, until

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


def experienced(harness: BlocksHarness) -> None:
    """Make the harness know how long a GET of one block takes."""
    stream = harness.open("other", DATA)
    for k in range(MIN_SAMPLES + SMALL_ANSWERS + 1):
        read(stream, (k * 17 % 60) * MIB + MIB // 2, 1)
    harness.quiet()


def test_a_stalled_demand_is_hedged_and_the_late_answer_is_dropped() -> None:
    with BlocksHarness() as harness:
        experienced(harness)
        stream = harness.open("a", DATA)
        harness.store.fault = first = FirstOnly(30 * MIB)
        assert read(stream, 30 * MIB, 4096) == DATA[30 * MIB : 30 * MIB + 4096]  # although the gate is shut
        assert len(first.gate.held) == 1
        assert harness.count(GETS_HEDGED) == 1
        assert harness.gets.count((30 * MIB, 30 * MIB + BLOCK)) == 2
        before = harness.used
        first.gate.error = Cancelled("the other one was faster")
        first.gate.open()
        until(lambda: harness.used < before)
        assert harness.count(GETS_FAILED) == 0
        assert read(stream, 30 * MIB, 4096) == DATA[30 * MIB : 30 * MIB + 4096]
        assert harness.gets.count((30 * MIB, 30 * MIB + BLOCK)) == 2


class SlowDisk:
    """Holds nothing, and takes until `gate` is opened to say so of one place."""

    def __init__(self, block: int) -> None:
        self.block, self.asked, self.gate = block, 0, threading.Event()

    def load(self, id: ObjectId, size: int, span: BlockRange, views: Sequence[memoryview]) -> Collection[int]:
        if span.first == self.block:
            self.asked += 1
            assert self.gate.wait(20)
        return ()

    def save(self, *_: object) -> None: ...
    def leases(self, _: object) -> None: ...
    def join(self, _: object) -> None: ...
    def attach(self, _: object) -> None: ...
    def close(self) -> None: ...


def test_a_disk_that_stalls_is_not_asked_again() -> None:
    disk = SlowDisk(30 * MIB // BLOCK)
    with BlocksHarness(disk=disk) as harness:
        experienced(harness)
        stream = harness.open("a", DATA)
        assert read(stream, 30 * MIB, 4096) == DATA[30 * MIB : 30 * MIB + 4096]
        assert (disk.asked, harness.count(GETS_HEDGED)) == (1, 1)
        disk.gate.set()
        harness.quiet()


@pytest.mark.parametrize("late", [ServerFault("late"), None])
def test_a_hedge_that_fails_leaves_the_first_one_to_answer(late: StoreError | None) -> None:
    with BlocksHarness() as harness:
        experienced(harness)
        stream = harness.open("a", DATA)
        harness.store.fault = first = FirstOnly(30 * MIB, later=ServerFault("hedge"))
        first.gate.error = late
        out: list[object] = []

        def job() -> None:
            try:
                out.append(read(stream, 30 * MIB, 4096))
            except StoreError as e:
                out.append(str(e))

        reader = threading.Thread(target=job)
        reader.start()
        until(lambda: harness.count(GETS_FAILED) == 1)
        assert first.seen == 2
        assert out == []
        first.gate.open()
        reader.join(20)
        assert out == (["late"] if late else [DATA[30 * MIB : 30 * MIB + 4096]])
        harness.quiet()


def test_a_store_that_is_slow_altogether_gets_little_more_work() -> None:
    hedging = HedgePolicy()
    granted = 0
    for _ in range(1000):
        hedging.record(BLOCK, 1.0)
        granted += hedging.allow()
    assert granted <= 1000 / GETS_PER_HEDGE + BURST
    assert granted > 10


def test_what_counts_as_a_stall_follows_the_recent_ones_of_that_size() -> None:
    hedging = HedgePolicy()
    assert hedging.threshold(BLOCK) == float("inf")
    for i in range(MIN_SAMPLES):
        hedging.record(BLOCK, 0.03 + i / 10_000)
    assert 0.03 < hedging.threshold(BLOCK) < 0.2
    assert hedging.threshold(4 * MIB) == float("inf")
    for _ in range(200):
        hedging.record(BLOCK, 1.0)
    assert hedging.threshold(BLOCK) > 1.0


def test_a_prefetch_that_nobody_waits_for_is_not_hedged() -> None:
    with BlocksHarness() as harness:
        experienced(harness)
        stat = harness.put("a", DATA)
        gate = Gate(lambda call: call.key == "a")
        harness.store.fault = gate
        harness.blocks.prefetch(stat.id, stat.size, MIB, MIB + BLOCK)
        until(lambda: len(gate.held) == 1)
        other = harness.open("third", DATA)
        read(other, 10 * MIB, 1)  # time passes, other GETs come and go
        assert harness.count(GETS_HEDGED) == 0
        gate.open()
        harness.quiet()
