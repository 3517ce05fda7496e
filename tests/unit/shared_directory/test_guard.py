"""Calls into a file system that fails or hangs: nobody waits long, and it is used again when it answers."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Iterator

import pytest

from mountnd.shared_directory import guard as module
from mountnd.shared_directory.guard import FAULTS, OUT_S, Guard, LeftOut
from tests.support.waiting import Clock, wait_until

HANGS = threading.Event


class Place:
    """A directory that answers, fails with `error`, or waits for `answers`."""

    def __init__(self) -> None:
        self.error: int | None = None
        self.answers = threading.Event()
        self.answers.set()
        self.calls = self.faults = 0

    def look(self) -> str:
        self.calls += 1
        self.answers.wait(30)
        if self.error is not None:
            raise OSError(self.error, os.strerror(self.error))
        return "here"

    def fault(self) -> None:
        self.faults += 1


@pytest.fixture
def place() -> Iterator[Place]:
    place = Place()
    yield place
    place.answers.set()


@pytest.fixture
def clock() -> Clock:
    return Clock()


def guarded(place: Place, clock: Clock, patience: float = 20.0, threads: int = 4) -> Guard:
    return Guard("/shared", place.look, patience=patience, threads=threads, clock=clock, faulty=place.fault)


def test_what_a_call_gives_and_raises(place: Place, clock: Clock) -> None:
    guard = guarded(place, clock)
    assert guard.call(place.look) == "here"
    with pytest.raises(FileNotFoundError):
        guard.call(os.stat, "/nothing/there")
    with pytest.raises(ZeroDivisionError):
        guard.call(lambda: 1 // 0)
    assert guard.is_on and not place.faults


def test_a_call_that_hangs_is_left_and_so_are_all_others(place: Place, clock: Clock) -> None:
    guard, told = guarded(place, clock, patience=0.2), []
    guard.when_out(lambda: told.append(guard.why_out))
    place.answers.clear()
    ended: list[BaseException] = []

    def call() -> None:
        try:
            guard.call(place.look)
        except LeftOut as e:
            ended.append(e)

    threads = [threading.Thread(target=call) for _ in range(10)]  # more than there are threads for
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert len(ended) == 10
    assert len(told) == 1 and "does not answer" in told[0]
    assert not guard.is_on
    before = place.calls
    with pytest.raises(LeftOut):
        guard.call(place.look)  # at once
    assert place.calls == before


def test_it_is_looked_at_again_by_nobody_who_waits(place: Place, clock: Clock) -> None:
    guard = guarded(place, clock, patience=0.1, threads=3)
    place.answers.clear()
    with pytest.raises(LeftOut):
        guard.call(place.look)
    clock.now += OUT_S + 1
    assert not guard.is_on  # which has it looked at, on another thread
    wait_until(lambda: place.calls == 2)
    assert not guard.is_on
    place.answers.set()
    wait_until(lambda: guard.is_on)
    assert guard.call(place.look) == "here"


def test_it_is_left_out_longer_each_time(place: Place, clock: Clock) -> None:
    guard = guarded(place, clock)
    place.error = errno.EIO
    guard.leave_out("it is gone")
    for seconds in (OUT_S, 2 * OUT_S, 4 * OUT_S):
        before = place.calls
        clock.now += seconds - 1
        assert not guard.is_on
        clock.now += 2
        assert not guard.is_on
        wait_until(lambda seen=before: place.calls == seen + 1)  # type: ignore[misc]
        wait_until(lambda: not guard._probing)


@pytest.mark.parametrize("error", [errno.EIO, errno.ESTALE, errno.ENOTCONN, errno.ETIMEDOUT])
def test_calls_that_fail_in_turn(place: Place, clock: Clock, error: int) -> None:
    guard = guarded(place, clock)
    place.error = error
    for n in range(FAULTS):
        assert guard.is_on
        if n == 1:
            guard.worked()  # then it begins anew
        with pytest.raises(OSError):
            guard.call(place.look)
    assert guard.is_on
    with pytest.raises(OSError):
        guard.call(place.look)
    assert not guard.is_on
    assert guard.why_out == os.strerror(error)
    assert place.faults == FAULTS + 1


@pytest.mark.parametrize("error", [errno.ENOENT, errno.EACCES, errno.ENOSPC, errno.EDQUOT, errno.EROFS])
def test_answers_are_no_faults(place: Place, clock: Clock, error: int) -> None:
    guard = guarded(place, clock)
    place.error = error
    for _ in range(2 * FAULTS):
        with pytest.raises(OSError):
            guard.call(place.look)
    assert guard.is_on and not place.faults


def test_what_comes_too_late_is_given_back(place: Place, clock: Clock) -> None:
    guard, late = guarded(place, clock, patience=0.1), list[str]()
    place.answers.clear()
    with pytest.raises(LeftOut):
        guard.call(place.look, late=late.append)
    assert not late
    place.answers.set()
    wait_until(lambda: late == ["here"])


def test_what_is_posted_is_done_or_dropped(place: Place, clock: Clock) -> None:
    guard = guarded(place, clock)
    guard.post(place.look)
    wait_until(lambda: place.calls == 1)
    guard.drain(20)
    place.error = errno.EIO
    guard.post(place.look)  # whatever it raises
    wait_until(lambda: place.calls == 2)
    guard.close()
    guard.post(place.look)
    guard.drain(20)
    assert place.calls == 2
    assert not guard.is_on


def test_threads_end_when_there_is_nothing_to_do(place: Place, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "IDLE_S", 0.01)
    guard = guarded(place, clock)
    guard.call(place.look)
    wait_until(lambda: not guard._threads)
    assert guard.call(place.look) == "here"
