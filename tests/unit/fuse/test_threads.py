"""The threads that serve the kernel: as many as are needed, and no more. Here without a kernel."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from mountnd.errors import MountError
from mountnd.fuse import binding
from mountnd.fuse.threads import LoopThreads
from tests.support.waiting import holds_within, wait_until


class Loop:
    """In libfuse's place: every thread that serves waits for a request, and then for its answer."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.threads: LoopThreads | None = None
        self.requests, self.answers, self.over = threading.Semaphore(0), threading.Semaphore(0), threading.Event()
        self.listening, self.count = 0, threading.Lock()
        monkeypatch.setattr(binding, "serve_requests", lambda session: self.serve(lambda: True))
        monkeypatch.setattr(binding, "serve_requests_while", lambda session, wanted: self.serve(wanted))
        monkeypatch.setattr(binding, "is_serving", lambda: True)

    def serve(self, wanted: Callable[[], bool]) -> None:
        assert self.threads is not None
        while not self.over.is_set():
            with self.count:
                self.listening += 1
            while not (came := self.requests.acquire(timeout=0.05)) and not self.over.is_set():
                pass
            with self.count:
                self.listening -= 1
            if came:
                with self.threads.waiting():
                    while not self.answers.acquire(timeout=0.05) and not self.over.is_set():
                        pass
            if not wanted():
                return


@pytest.fixture
def loop(monkeypatch: pytest.MonkeyPatch) -> Iterator[Loop]:
    loop = Loop(monkeypatch)
    yield loop
    loop.over.set()


def started(loop: Loop, **numbers: int) -> LoopThreads:
    threads = loop.threads = LoopThreads(**numbers)
    threads.make()
    threads.serve(ctypes.c_void_p(1))
    return threads


def test_some_always_listen_and_the_others_end(loop: Loop) -> None:
    threads = started(loop, base=4, spare=2, spare_max=3, most=1000)
    with ExitStack() as stack:
        stack.callback(loop.over.set)
        for turn in range(1, 4):
            for _ in range(20):
                loop.requests.release()
            wait_until(lambda: loop.listening >= 2, "threads that listen")
            assert not threads.join(0)
            loop.answers.release(20)
            # Those of the start stay; of the others those that still listen, until a request shows that they are many.
            wait_until(lambda: loop.listening <= 4 + 3, f"threads that end, in turn {turn}")
    assert threads.join(20)


def test_no_more_than_the_limit(loop: Loop) -> None:
    threads = started(loop, base=2, spare=2, spare_max=3, most=6)
    loop.requests.release(20)
    wait_until(lambda: loop.listening == 0, "all to wait")
    threads.poll()
    loop.answers.release(20)
    wait_until(lambda: loop.listening >= 2, "threads that listen")
    loop.over.set()
    assert threads.join(20)


class Limit:
    """A system that grants `left` threads more."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, left: int) -> None:
        self.left = left
        start = threading.Thread.start

        def limited(thread: threading.Thread) -> None:
            if self.left <= 0:
                raise RuntimeError("can't start new thread")
            self.left -= 1
            start(thread)

        monkeypatch.setattr(threading.Thread, "start", limited)


def test_a_start_without_enough_threads_is_refused_and_leaves_none(loop: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    Limit(monkeypatch, 3)
    threads = LoopThreads(base=4)
    with pytest.raises(MountError, match="no more threads"):
        threads.make()
    assert threads.join(20)


def test_a_limit_that_passes_is_recovered_from(loop: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    """While nothing listens, whoever waits tries again."""
    limit = Limit(monkeypatch, 4)
    threads = started(loop, base=4, spare=2, spare_max=3, most=100)
    loop.requests.release(4)
    wait_until(lambda: loop.listening == 0, "all to wait")
    threads.poll()
    assert not holds_within(lambda: loop.listening > 0, 0.2)
    limit.left = 100
    threads.poll()
    wait_until(lambda: loop.listening >= 1, "one that listens")
    loop.answers.release(4)
    wait_until(lambda: loop.listening >= 4, "all that were there at the start")
    loop.over.set()
    assert threads.join(20)


def test_none_stands_in_once_all_have_ended(loop: Loop) -> None:
    """The session is freed then: who reads from it after that ends the process with a segmentation fault."""
    threads = started(loop, base=2, spare=2, spare_max=3, most=100)
    wait_until(lambda: loop.listening == 2, "those of the start")
    loop.over.set()
    assert threads.join(20)
    loop.over.clear()
    threads.poll()
    assert not holds_within(lambda: loop.listening > 0, 0.2)


def test_one_that_is_being_made_is_waited_for(loop: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the look whether one is needed and its first breath all others may end."""
    threads = started(loop, base=2, spare=3, spare_max=4, most=100)
    wait_until(lambda: loop.listening == 2, "those of the start")
    start, began, go = threading.Thread.start, threading.Event(), threading.Event()

    def slow(thread: threading.Thread) -> None:
        if thread.name.startswith("fuse-"):
            began.set()
            assert go.wait(60)
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", slow)
    poll = threading.Thread(target=threads.poll)
    poll.start()
    assert began.wait(60)
    loop.over.set()
    wait_until(lambda: loop.listening == 0, "those of the start to end")
    assert not threads.join(0.2)
    go.set()
    assert threads.join(20)
    poll.join(20)
