"""The pool of two classes, and waiting for it."""

from __future__ import annotations

import threading
from concurrent.futures import Future

import pytest

from mountnd.errors import Cancelled, Interrupted, TimedOut
from mountnd.workers import Waiter, Workers

WAIT = 20  # seconds; only ever reached by a failure


def blocked(workers: Workers, n: int, *, demand: bool = True) -> tuple[threading.Event, list[object]]:
    """`n` threads of the pool busy until the event is set."""
    release, started = threading.Event(), threading.Semaphore(0)

    def hold() -> None:
        started.release()
        release.wait(WAIT)

    tasks = [workers.submit(hold, demand=demand) for _ in range(n)]
    for _ in range(n):
        assert started.acquire(timeout=WAIT)
    return release, list(tasks)


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
