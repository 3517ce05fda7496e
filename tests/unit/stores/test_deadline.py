from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from mountnd.errors import Cancelled, TimedOut
from mountnd.stores.base import Deadline

PATIENCE_S = 10.0


class Clock:
    def __init__(self) -> None:
        self.now = 50.0

    def __call__(self) -> float:
        return self.now


def test_it_counts_down_to_nothing() -> None:
    clock = Clock()
    deadline = Deadline(3, clock)
    clock.now += 2
    assert deadline.left() == 1
    assert deadline.over("x") is None
    clock.now += 2
    assert deadline.left() == 0
    assert isinstance(deadline.over("x"), TimedOut)
    with pytest.raises(TimedOut, match="s3://b/k"):
        deadline.check("s3://b/k")


def test_a_cancelled_one_has_no_time_left() -> None:
    deadline = Deadline(float("inf"))
    deadline.check("x")
    deadline.cancel()
    deadline.cancel()
    assert deadline.cancelled
    assert deadline.left() == 0
    with pytest.raises(Cancelled, match="x"):
        deadline.check("x")


def test_one_within_another_ends_sooner_and_is_cancelled_with_it() -> None:
    clock = Clock()
    whole = Deadline(10, clock)
    part = whole.within(3)
    assert whole.within(30).left() == 10
    assert part.left() == 3
    clock.now += 4
    assert (part.left(), whole.left()) == (0, 6)
    assert not part.cancelled
    later = whole.within(3)
    whole.cancel()
    assert later.cancelled
    assert isinstance(later.over("x"), Cancelled)


def ended(deadline: Deadline, act: Callable[[], object] = lambda: None) -> bool:
    """Whether a block under `deadline` is ended after `act`."""
    done = threading.Event()
    with deadline.ending(done.set):
        act()
        return done.wait(PATIENCE_S)


def test_what_waits_is_ended_when_it_passes() -> None:
    begun = time.monotonic()
    assert ended(Deadline(0.2))
    assert time.monotonic() - begun >= 0.2
    assert ended(Deadline(0.01)), "the thread that looks is there already"


def test_what_waits_is_ended_when_it_is_cancelled() -> None:
    deadline = Deadline(float("inf"))
    assert ended(deadline, deadline.cancel)
    assert ended(deadline), "what begins later is ended at once"
    whole = Deadline(float("inf"))
    assert ended(whole.within(60), whole.cancel)


def test_what_is_over_is_ended_no_more() -> None:
    deadline, calls = Deadline(0.05), []
    with deadline.ending(lambda: calls.append(1)):
        pass
    time.sleep(0.5)
    deadline.cancel()
    assert not calls


def test_it_is_ended_once_and_its_failure_hurts_nobody() -> None:
    deadline, calls = Deadline(0.05), []

    def fail() -> None:
        calls.append(1)
        raise OSError("closed already")

    with deadline.ending(fail):
        assert ended(Deadline(0.6)), "another one is looked after all the same"
        deadline.cancel()
    assert calls == [1]


def test_a_shared_result_is_waited_for_by_each_under_its_own_deadline() -> None:
    future: Future[int] = Future()
    impatient, patient, unwilling = Deadline(0.1), Deadline(PATIENCE_S), Deadline(PATIENCE_S)
    with ThreadPoolExecutor(3) as pool:
        asked = [pool.submit(deadline.result, future, "k") for deadline in (impatient, patient, unwilling)]
        assert isinstance(asked[0].exception(PATIENCE_S), TimedOut)
        unwilling.cancel()
        assert isinstance(asked[2].exception(PATIENCE_S), Cancelled)
        future.set_result(7)
        assert asked[1].result(PATIENCE_S) == 7
    assert unwilling.result(future, "k") == 7, "what is there needs no time"


def test_a_pause_ends_with_it() -> None:
    begun = time.monotonic()
    Deadline(0.05).sleep(60)
    cancelled = Deadline(float("inf"))
    with ThreadPoolExecutor(1) as pool:
        pause = pool.submit(cancelled.sleep, 60)
        cancelled.cancel()
        pause.result(PATIENCE_S)
    assert time.monotonic() - begun < 30
