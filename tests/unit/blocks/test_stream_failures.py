"""When the store fails, stalls, or the reader is interrupted: the wait ends in time, and nothing stays behind."""

from __future__ import annotations

import threading
import time

import pytest

from mountnd.blocks.misses import FAILED_S
from mountnd.errors import Changed, Forbidden, Interrupted, NotFound, StoreError, TimedOut, Unreachable
from mountnd.stats import PREFETCH_FAILED
from mountnd.stores.base import Renewals
from mountnd.stores.memory import Call

from .harness import KIB, MIB, BlocksHarness, Clock, Gate, body, read, until

DATA = body(8 * MIB)


def clean(harness: BlocksHarness) -> None:
    """Nothing is on its way, and nothing but what is cached takes memory."""
    harness.quiet()
    fetcher = harness.fetcher
    assert fetcher.budget.reserved == 0
    with fetcher.lock:
        cached = len({id(b) for b in fetcher.memory.lru.values()})
        assert fetcher.memory.used <= cached * 64 * KIB


@pytest.mark.parametrize("error", [Unreachable("down"), NotFound("gone"), Forbidden("no"), Changed("other")])
def test_a_failed_demand_is_raised_and_remembered_for_its_handle(error: StoreError) -> None:
    clock = Clock()
    with BlocksHarness(clock=clock) as harness:
        stream = harness.open("a", DATA)
        other = harness.blocks.open(stream.id, len(DATA))

        def fail(call: Call) -> None:
            raise error

        harness.store.fault = fail
        with pytest.raises(type(error), match=str(error)):
            read(stream, MIB, 128 * KIB)
        asked = len(harness.gets)
        for page in range(0, 128 * KIB, 4096):  # the kernel's way of asking again
            with pytest.raises(type(error), match=str(error)):
                read(stream, MIB + page, 4096)
        assert len(harness.gets) == asked
        with pytest.raises(type(error)):
            read(other, MIB, 4096)  # another handle asks for itself
        assert len(harness.gets) > asked
        harness.store.fault = None
        clock.now += FAILED_S - 0.1
        with pytest.raises(type(error)):
            read(stream, MIB, 4096)
        clock.now += 0.2
        assert read(stream, MIB, 4096) == DATA[MIB : MIB + 4096]
        clean(harness)


@pytest.mark.parametrize(("error", "forgotten"), [(Forbidden("no"), True), (Unreachable("down"), False)])
def test_a_refusal_is_forgotten_when_the_keys_change(error: StoreError, forgotten: bool) -> None:
    with BlocksHarness(clock=Clock()) as harness:
        harness.store.renewals = Renewals()
        stream = harness.open("a", DATA)

        def fail(call: Call) -> None:
            raise error

        harness.store.fault = fail
        with pytest.raises(type(error)):
            read(stream, MIB, 4096)
        harness.store.fault = None
        with pytest.raises(type(error)):
            read(stream, MIB, 4096)
        harness.store.renewals.count += 1
        if forgotten:
            assert read(stream, MIB, 4096) == DATA[MIB : MIB + 4096]
        else:
            with pytest.raises(type(error)):
                read(stream, MIB, 4096)
        clean(harness)


def test_what_is_cached_is_served_in_spite_of_a_failure_around_it() -> None:
    with BlocksHarness(clock=Clock()) as harness:
        stream = harness.open("a", DATA)
        assert read(stream, 0, 4096) == DATA[:4096]

        def fail(call: Call) -> None:
            raise Changed("other")

        harness.store.fault = fail
        with pytest.raises(Changed):
            read(stream, 0, 256 * KIB)
        assert read(stream, 0, 4096) == DATA[:4096]
        # Another handle brings the bytes after all: the failure is no longer true of them.
        harness.store.fault = None
        read(harness.blocks.open(stream.id, len(DATA)), 0, 256 * KIB)
        assert read(stream, 0, 256 * KIB) == DATA[: 256 * KIB]
        clean(harness)


def test_a_changed_object_never_mixes_versions() -> None:
    with BlocksHarness() as harness:
        stream = harness.open("a", DATA)
        assert read(stream, 0, 64 * KIB) == DATA[: 64 * KIB]
        newer = body(8 * MIB, seed=2)
        stat = harness.put("a", newer)
        with pytest.raises(Changed):
            read(stream, 4 * MIB, 64 * KIB)
        assert read(stream, 0, 64 * KIB) == DATA[: 64 * KIB]
        assert read(harness.blocks.open(stat.id, stat.size), 0, 64 * KIB) == newer[: 64 * KIB]
        clean(harness)


def test_a_failed_prefetch_is_a_counter_and_its_bytes_are_fetched_anew() -> None:
    failed = 0

    def fail(call: Call) -> None:
        nonlocal failed
        if call.start >= 256 * KIB and failed < 40:
            failed += 1
            raise Unreachable("a moment")

    with BlocksHarness() as harness:
        stream = harness.open("a", DATA)
        harness.store.fault = fail
        assert read(stream, 0, 256 * KIB) == DATA[: 256 * KIB]
        harness.quiet()
        assert harness.count(PREFETCH_FAILED) == failed > 0
        harness.store.fault = None
        for at in range(0, len(DATA), 512 * KIB):
            assert read(stream, at, 512 * KIB) == DATA[at : at + 512 * KIB]
        clean(harness)


def test_who_joins_a_prefetch_that_then_fails_for_a_moment_gets_the_bytes() -> None:
    gate = Gate(lambda call: 256 * KIB <= call.start < MIB)
    gate.error = Unreachable("a moment")
    with BlocksHarness() as harness:
        stream = harness.open("a", DATA)
        harness.store.fault = gate
        read(stream, 0, 256 * KIB)
        until(lambda: len(gate.held) >= 1)
        out: list[bytes] = []
        reader = threading.Thread(target=lambda: out.append(read(stream, 200 * KIB, 400 * KIB)))
        reader.start()
        until(lambda: any(f.waiters for f in harness.fetcher._flights.values()))
        harness.store.fault = None  # only what is held fails
        gate.open()
        reader.join(20)
        assert out == [DATA[200 * KIB : 600 * KIB]]
        clean(harness)


def test_who_joins_a_prefetch_that_is_refused_for_good_hears_it() -> None:
    gate = Gate(lambda call: 256 * KIB <= call.start < MIB)
    gate.error = Forbidden("no")
    with BlocksHarness() as harness:
        stream = harness.open("a", DATA)
        harness.store.fault = gate
        read(stream, 0, 256 * KIB)
        until(lambda: len(gate.held) >= 1)
        out: list[BaseException] = []

        def job() -> None:
            try:
                read(stream, 300 * KIB, 4096)
            except BaseException as e:
                out.append(e)

        reader = threading.Thread(target=job)
        reader.start()
        until(lambda: any(f.waiters for f in harness.fetcher._flights.values()))
        gate.open()
        reader.join(20)
        assert [type(e) for e in out] == [Forbidden]
        clean(harness)


def test_a_wait_ends_within_the_timeout_and_other_objects_go_on() -> None:
    gate = Gate(lambda call: call.key == "stuck")
    with BlocksHarness(timeout=0.3) as harness:
        stuck = harness.open("stuck", DATA)
        fine = harness.open("fine", DATA)
        harness.store.fault = gate
        out: list[BaseException] = []

        def job() -> None:
            try:
                read(stuck, 0, 256 * KIB)
            except BaseException as e:
                out.append(e)

        reader = threading.Thread(target=job)
        reader.start()
        assert read(fine, 0, MIB) == DATA[:MIB]
        reader.join(20)
        assert [type(e) for e in out] == [TimedOut]
        with pytest.raises(TimedOut):  # remembered: at once, without a further wait
            read(stuck, 4096, 4096)
        gate.open()
        harness.quiet()
        assert read(harness.blocks.open(stuck.id, len(DATA)), 0, MIB) == DATA[:MIB]
        clean(harness)


def test_an_interrupted_reader_leaves_at_once_and_the_bytes_still_come() -> None:
    gate = Gate()
    signal = threading.Event()
    with BlocksHarness(interrupted=signal.is_set) as harness:
        stream = harness.open("a", DATA)
        harness.store.fault = gate
        out: list[BaseException] = []

        def job() -> None:
            try:
                read(stream, 3 * MIB, 4096)
            except BaseException as e:
                out.append(e)

        reader = threading.Thread(target=job)
        reader.start()
        until(lambda: len(gate.held) == 1)
        signal.set()
        reader.join(20)
        assert [type(e) for e in out] == [Interrupted]
        signal.clear()
        gate.open()
        harness.quiet()
        harness.store.calls.clear()
        assert read(stream, 3 * MIB, 4096) == DATA[3 * MIB : 3 * MIB + 4096]  # not remembered as a failure
        assert harness.gets == []
        clean(harness)


def test_a_bug_in_a_store_reaches_the_reader_and_leaves_nothing_behind() -> None:
    def bug(call: Call) -> None:
        raise ZeroDivisionError

    with BlocksHarness() as harness:
        stream = harness.open("a", DATA)
        harness.store.fault = bug
        with pytest.raises(ZeroDivisionError):
            read(stream, 0, 4096)
        harness.store.fault = None
        assert read(stream, 0, 4096) == DATA[:4096]
        clean(harness)


def test_closed_workers_end_every_wait() -> None:
    gate = Gate()
    with BlocksHarness(threads=1, reserved=0) as harness:
        stream = harness.open("a", DATA)
        harness.store.fault = gate
        out: list[BaseException] = []

        def job(at: int) -> None:
            try:
                read(stream, at, 4096)
            except BaseException as e:
                out.append(e)

        readers = [threading.Thread(target=job, args=(at,)) for at in (0, 2 * MIB)]
        readers[0].start()
        until(lambda: len(gate.held) == 1)
        readers[1].start()
        until(lambda: sum(f.waiters for f in set(harness.fetcher._flights.values())) == 2)
        began = time.monotonic()
        harness.workers.close()
        readers[1].join(20)
        assert time.monotonic() - began < 10
        assert [isinstance(e, StoreError) for e in out] == [True]
        gate.open()
        readers[0].join(20)
        with pytest.raises(StoreError, match="closing"):
            read(stream, 5 * MIB, 4096)
