"""The pool of two classes, and waiting for it."""

from __future__ import annotations

import threading
import time
from concurrent.futures import Future

import pytest

from mountnd import workers as module
from mountnd.errors import Cancelled, Interrupted, MountError, TimedOut
from mountnd.threads import start
from mountnd.workers import Slot, Task, Waiter, Workers, cancels
from tests.support.waiting import Clock, holds_within

WAIT = 20  # seconds; only ever reached by a failure


def blocked(workers: Workers, n: int, *, demand: bool = True) -> tuple[threading.Event, list[Task[None]]]:
    """`n` threads of the pool busy until the event is set."""
    release, started = threading.Event(), threading.Semaphore(0)

    def hold() -> None:
        started.release()
        release.wait(WAIT)

    tasks = [workers.submit(hold, demand=demand) for _ in range(n)]
    for _ in range(n):
        assert started.acquire(timeout=WAIT)
    return release, tasks


def test_demand_goes_before_prefetch_that_came_first() -> None:
    workers, order = Workers(1, "t"), []
    release, _ = blocked(workers, 1)
    late = [workers.submit(order.append, f"p{i}", demand=False) for i in range(3)]
    first = workers.submit(order.append, "d")
    release.set()
    for t in (*late, first):
        t.future.result(WAIT)
    assert order == ["d", "p0", "p1", "p2"]
    workers.close()


def test_a_burst_is_taken_side_by_side_though_a_thread_is_idle() -> None:
    """A thread that was woken for the first of them is not there for the others."""
    workers = Workers(8, "t")
    workers.submit(int).future.result(WAIT)
    for _ in range(20):
        meet = threading.Barrier(6)
        tasks = [workers.submit(meet.wait, WAIT, demand=i == 0) for i in range(6)]
        for t in tasks:
            t.future.result(WAIT)
    workers.close()


def test_a_promoted_prefetch_goes_with_the_demands() -> None:
    workers, order = Workers(1, "t"), []
    release, _ = blocked(workers, 1)
    p = [workers.submit(order.append, f"p{i}", demand=False) for i in range(3)]
    workers.promote(p[2])
    release.set()
    for t in p:
        t.future.result(WAIT)
    assert order == ["p2", "p0", "p1"]
    workers.promote(p[0])  # done: nothing happens
    workers.close()


def test_prefetch_leaves_the_reserved_threads_free() -> None:
    workers = Workers(3, "t", reserved=1)
    release, _ = blocked(workers, 2, demand=False)
    waiting = workers.submit(lambda: "prefetch", demand=False)
    assert workers.submit(lambda: "demand").future.result(WAIT) == "demand"
    assert not waiting.future.done()
    release.set()
    assert waiting.future.result(WAIT) == "prefetch"
    workers.close()


def test_closing_cancels_what_waits_and_refuses_more() -> None:
    workers = Workers(1, "t")
    release, _ = blocked(workers, 1)
    waiting = workers.submit(lambda: None)
    workers.close()
    assert waiting.future.cancelled()
    with pytest.raises(Cancelled):
        Waiter()(waiting.future)
    with pytest.raises(RuntimeError):
        workers.submit(lambda: None)
    release.set()


def test_a_cancelled_task_is_not_run() -> None:
    workers, ran = Workers(1, "t"), []
    release, _ = blocked(workers, 1)
    t = workers.submit(ran.append, 1)
    assert t.future.cancel()
    last = workers.submit(ran.append, 2)
    release.set()
    last.future.result(WAIT)
    assert ran == [2]
    workers.close()


def test_waiting_ends_when_the_reader_is_killed() -> None:
    asked = []

    def interrupted() -> bool:
        asked.append(1)
        return len(asked) == 3

    with pytest.raises(Interrupted):
        Waiter(interrupted)(Future())
    assert len(asked) == 3


def test_waiting_ends_in_time_and_errors_pass_through() -> None:
    with pytest.raises(TimedOut):
        Waiter()(Future(), 0.05)
    failed: Future[int] = Future()
    failed.set_exception(TimeoutError("the call's own"))
    with pytest.raises(TimeoutError, match="own"):
        Waiter()(failed, WAIT)
    done: Future[int] = Future()
    done.set_result(7)
    assert Waiter(lambda: True)(done) == 7  # an answer that is there is given, interrupted or not


def test_wrong_numbers_are_refused() -> None:
    with pytest.raises(ValueError):
        Workers(2, "t", reserved=2)


def silent(workers: Workers, n: int, *, demand: bool = True) -> threading.Event:
    """`n` calls that hang until the event is set, each of them in a thread."""
    release, _ = blocked(workers, n, demand=demand)
    return release


def test_calls_that_hang_stand_in_no_others_way() -> None:
    """Neither those that have hung for long, nor a crowd that comes at once."""
    workers = Workers(4, "t", reserved=1, most=200)
    release = silent(workers, 60)
    for _ in range(3):
        assert workers.submit(lambda: "well").future.result(WAIT) == "well"
    release.set()
    workers.close()


@pytest.mark.parametrize("crowd", [1, 5])
def test_a_crowd_behind_calls_that_stall_while_it_is_queued(crowd: int) -> None:
    """As on a busy machine, where the thread that watches the clock wakes up late: then the slots are free at once."""
    clock = Clock()
    workers = Workers(4, "t", most=200, clock=clock)
    release = silent(workers, 4)
    for _ in range(crowd):
        workers.submit(release.wait, WAIT)
        assert holds_within(lambda: workers._watched, WAIT)  # by one thread, which takes the first of them
    well = workers.submit(lambda: "well")
    clock.now += 2 * module.STALLED_S
    assert well.future.result(WAIT / 2) == "well", "though nobody submits or ends anything meanwhile"
    release.set()
    workers.close()


def test_idle_threads_leave_but_a_few_once_nothing_was_to_be_done_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "IDLE_S", 0.1)
    workers = Workers(40, "t")
    for _ in range(2):
        release, tasks = blocked(workers, 40)
        release.set()
        assert all(task.future.result(WAIT) is None for task in tasks)
        assert holds_within(lambda: workers._threads == module.IDLE_LEAST, WAIT)
    time.sleep(0.3)
    assert workers._threads == module.IDLE_LEAST
    workers.close()


def test_demands_that_begin_are_told_and_those_that_hang_are_not() -> None:
    clock = Clock()
    workers = Workers(1, "t", clock=clock)
    assert not workers.begins_demands()
    release, _ = blocked(workers, 1)
    assert workers.begins_demands() and workers.waiting_demands() == 0
    clock.now += 2 * module.TURN_S
    assert not workers.begins_demands(), "it hangs"
    workers.submit(lambda: None)
    assert workers.begins_demands() and workers.waiting_demands() == 1
    clock.now += 2 * module.TURN_S
    assert not workers.begins_demands(), "as does what waits behind it"
    release.set()
    workers.close()


def test_prefetches_are_no_demands_that_begin() -> None:
    workers = Workers(2, "t")
    release, _ = blocked(workers, 2, demand=False)
    assert not workers.begins_demands()
    release.set()
    workers.close()


def test_prefetches_that_hang_hold_up_no_prefetch_that_does_not() -> None:
    workers = Workers(4, "t", reserved=1, most=200)
    release = silent(workers, 3, demand=False)
    well = workers.submit(lambda: "well", demand=False)
    demand = workers.submit(lambda: "well")
    assert demand.future.result(WAIT) == "well"
    assert not well.future.done(), "its slots are taken, for a moment"
    time.sleep(module.STALLED_S)
    workers.submit(int).future.result(WAIT)
    assert well.future.result(WAIT) == "well"
    release.set()
    workers.close()


def test_no_more_calls_run_than_there_are_slots_where_none_hangs() -> None:
    """As that is what a network and a server take best. (A demand that has waited `TURN_S` runs all the same.)"""
    workers, lock, running, most = Workers(4, "t", most=200), threading.Lock(), 0, 0

    def call() -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        with lock:
            running -= 1

    for task in [workers.submit(call) for _ in range(300)]:
        task.future.result(WAIT)
    assert most <= 4
    workers.close()


def test_threads_end_when_there_are_more_than_enough() -> None:
    workers = Workers(4, "many", most=200)
    release = silent(workers, 60)
    alive = lambda: sum(t.name.startswith("many-") for t in threading.enumerate())  # noqa: E731
    assert alive() >= 60
    release.set()
    assert holds_within(lambda: alive() <= 4 + 1, WAIT)
    assert workers.submit(lambda: 7).future.result(WAIT) == 7
    workers.close()


class NoThreads:
    """A system that grants no thread while `full`."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, error: type[Exception]) -> None:
        self.full = True
        start = threading.Thread.start

        def limited(thread: threading.Thread) -> None:
            if self.full:
                raise error("can't start new thread")
            start(thread)

        monkeypatch.setattr(threading.Thread, "start", limited)


@pytest.mark.parametrize("error", [RuntimeError, MemoryError])
def test_a_limit_of_threads_that_passes_is_recovered_from(
    monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    """What was asked for meanwhile is done then, and the limit of threads is what it was."""
    workers = Workers(2, "t")
    system = NoThreads(monkeypatch, error)
    tasks = [workers.submit(lambda i=i: i) for i in range(5)]
    with pytest.raises(TimedOut):
        Waiter(polled=[workers.nudge])(tasks[0].future, 0.3)
    with pytest.raises(MountError, match="no more threads"):
        start(threading.Thread())
    system.full = False
    waiter = Waiter(polled=[workers.nudge])
    assert [waiter(task.future, WAIT) for task in tasks[1:]] == [1, 2, 3, 4]
    meet = threading.Barrier(2)
    for task in [workers.submit(meet.wait, WAIT) for _ in range(2)]:
        task.future.result(WAIT)
    workers.close()


def test_a_task_that_runs_is_cancelled_by_what_ends_its_wait() -> None:
    workers, ended, running = Workers(1, "t"), threading.Event(), threading.Event()

    def call() -> None:
        cancels(ended.set)
        running.set()
        assert ended.wait(WAIT)
        raise Cancelled("not wanted")

    task = workers.submit(call)
    assert running.wait(WAIT)
    task.cancel()
    with pytest.raises(Cancelled):
        task.future.result(WAIT)
    workers.close()


def test_what_begins_in_a_cancelled_task_is_ended_at_once() -> None:
    workers, go, ended = Workers(1, "t"), threading.Event(), threading.Event()

    def call() -> bool:
        assert go.wait(WAIT)
        cancels(ended.set)
        return ended.is_set()

    task = workers.submit(call)
    assert holds_within(task.future.running, WAIT)
    task.cancel()
    go.set()
    assert task.future.result(WAIT)
    assert cancels(ended.set) is None  # on a thread that is no worker's nothing happens
    workers.close()


def test_what_nobody_waits_for_any_more_is_cancelled() -> None:
    workers, ended = Workers(2, "t"), [threading.Event(), threading.Event()]

    def call(i: int) -> int:
        cancels(ended[i].set)
        ended[i].wait(WAIT)
        return i

    left, kept = (workers.submit(call, i) for i in range(2))
    with pytest.raises(Interrupted):
        Waiter(lambda: True)(left.future)
    patient: list[int] = []
    thread = threading.Thread(target=lambda: patient.append(Waiter()(kept.future, WAIT)))
    thread.start()
    with pytest.raises(Interrupted):
        Waiter(lambda: True)(kept.future)
    assert left.future.result(WAIT) == 0, "ended, as nobody waits"
    time.sleep(0.3)
    assert not ended[1].is_set(), "another one waits"
    ended[1].set()
    thread.join(WAIT)
    assert patient == [1]
    workers.close()


def test_a_burst_leaves_no_more_threads_than_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "IDLE_KEPT", 3)
    workers = Workers(8, "burst")
    for _ in range(3):  # and those that ended are made again
        release, tasks = blocked(workers, 8)
        release.set()
        for task in tasks:
            task.future.result(WAIT)  # type: ignore[attr-defined]
        assert holds_within(lambda: sum(t.name.startswith("burst-") for t in threading.enumerate()) == 3, WAIT)
    workers.close()


def test_what_runs_elsewhere_takes_a_slot() -> None:
    workers = Workers(3, "t", reserved=1)
    prefetches, demand = [Slot(prefetch=True) for _ in range(3)], Slot(prefetch=False)
    assert [workers.occupy(slot) for slot in prefetches] == [True, True, False]
    assert workers.occupy(demand) and not workers.occupy(Slot(prefetch=False))
    waiting = workers.submit(int, demand=False)
    assert not holds_within(waiting.future.done, 0.2), "all slots are taken"
    workers.vacate(demand)
    assert not holds_within(waiting.future.done, 0.2), "the one that is free is for demands"
    workers.vacate(prefetches[0])
    assert waiting.future.result(WAIT) == 0
    workers.vacate(prefetches[1])
    workers.close()
    assert not workers.occupy(Slot(prefetch=False))


def test_what_runs_elsewhere_goes_behind_what_waits() -> None:
    workers = Workers(2, "t", reserved=1)
    release, _ = blocked(workers, 1, demand=False)
    waiting = workers.submit(int, demand=False)
    assert not workers.occupy(Slot(prefetch=True))
    demand = Slot(prefetch=False)
    assert workers.occupy(demand)
    release.set()
    assert waiting.future.result(WAIT) == 0
    workers.vacate(demand)
    workers.close()


def test_what_stalls_elsewhere_counts_no_more() -> None:
    clock = Clock()
    workers = Workers(2, "t", reserved=1, most=8, clock=clock)
    slot, other = Slot(prefetch=True), Slot(prefetch=True)
    assert workers.occupy(slot) and not workers.occupy(Slot(prefetch=True))
    clock.now += module.STALLED_S
    assert workers.occupy(other)
    workers.vacate(slot)
    workers.vacate(other)
    assert not workers._running and not workers._stalled and not workers._prefetching and not workers._prefetch_stalled
    workers.close()
