"""Where waiting for the network happens: one bounded pool with two priorities, and how to wait for it.

Every request runs on a worker's thread, never on one that the kernel's requests arrive on: those only
wait for futures, and meanwhile poll whether their reader was killed. Demand always goes before
prefetch; a prefetch that somebody comes to need is promoted.

Lock order: `Workers._lock` is a leaf; futures are completed outside it.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from concurrent.futures import TimeoutError as FutureTimeout
from typing import Any, Generic, TypeVar

from .errors import Interrupted, TimedOut

T = TypeVar("T")

# How often a waiting thread looks whether its reader was killed: well below the second that a person
# at a terminal grants Ctrl-C, and rare enough to cost nothing.
POLL_S = 0.1


class Task(Generic[T]):
    """One call to be made by a worker. `future` completes with its outcome.

    `future.cancel()` before a worker takes it drops it; after that it runs to its end.
    """

    __slots__ = ("args", "call", "future")

    def __init__(self, call: Callable[..., T], args: tuple[Any, ...]) -> None:
        self.call, self.args = call, args
        self.future: Future[T] = Future()

    def run(self) -> None:
        if not self.future.set_running_or_notify_cancel():
            return
        try:
            result = self.call(*self.args)
        except BaseException as e:
            self.future.set_exception(e)
        else:
            self.future.set_result(result)


class Workers:
    """A pool of at most `threads` daemon threads, made when first needed, with a demand and a prefetch queue.

    Args:
        threads: at most this many calls run at once.
        name: prefix of the threads' names.
        reserved: threads that prefetch never occupies, so that a demand finds one free at once.
    """

    def __init__(self, threads: int, name: str, *, reserved: int = 0) -> None:
        if not 0 <= reserved < threads:
            raise ValueError("reserved must leave at least one thread")
        self._max, self._name, self._prefetch_max = threads, name, threads - reserved
        self._lock = threading.Lock()
        self._ready = threading.Condition(self._lock)
        self._demand: deque[Task[Any]] = deque()
        self._prefetch: deque[Task[Any]] = deque()
        self._threads = self._idle = self._prefetching = 0
        self._closed = False

    def submit(self, call: Callable[..., T], *args: Any, demand: bool = True) -> Task[T]:
        """Queue `call(*args)`; demand goes before every waiting prefetch. Raises RuntimeError once closed."""
        task: Task[T] = Task(call, args)
        with self._lock:
            if self._closed:
                raise RuntimeError("the workers are closed")
            (self._demand if demand else self._prefetch).append(task)
            # One that was woken counts as idle until it has taken its task: so compare, else a burst meets one thread.
            if self._idle:
                self._ready.notify()
            if len(self._demand) + len(self._prefetch) > self._idle and self._threads < self._max:
                self._threads += 1
                threading.Thread(target=self._work, name=f"{self._name}-{self._threads}", daemon=True).start()
        return task

    def promote(self, task: Task[Any]) -> None:
        """Somebody waits for this prefetch now: move it to the demand queue."""
        with self._lock:
            try:
                self._prefetch.remove(task)
            except ValueError:
                return  # running, done, or a demand already
            self._demand.append(task)
            if self._idle:
                self._ready.notify()

    def close(self) -> None:
        """Accept no more calls and cancel those that wait; running calls end by their own deadlines."""
        with self._lock:
            self._closed = True
            waiting = [*self._demand, *self._prefetch]
            self._demand.clear()
            self._prefetch.clear()
            self._ready.notify_all()
        for task in waiting:
            task.future.cancel()

    def _next(self) -> tuple[Task[Any], bool] | None:
        with self._lock:
            while True:
                if self._demand:
                    return self._demand.popleft(), False
                if self._prefetch and self._prefetching < self._prefetch_max:
                    self._prefetching += 1
                    return self._prefetch.popleft(), True
                if self._closed:
                    self._threads -= 1
                    return None
                self._idle += 1
                self._ready.wait()
                self._idle -= 1

    def _work(self) -> None:
        while (got := self._next()) is not None:
            task, prefetch = got
            task.run()
            del got, task  # an idle thread must keep no buffer alive
            if prefetch:
                with self._lock:
                    self._prefetching -= 1
                    if self._prefetch and self._idle:
                        self._ready.notify()


class Waiter:
    """How a thread that must answer somebody waits for a future.

    Args:
        interrupted: True when whoever waits for the answer got a signal (the fuse room's
            `fuse_interrupted`); called on the waiting thread.
    """

    def __init__(self, interrupted: Callable[[], bool] = lambda: False) -> None:
        self._interrupted = interrupted

    def __call__(self, future: Future[T], seconds: float = float("inf")) -> T:
        """The future's result. Raises what it raises, Interrupted, or TimedOut after `seconds`."""
        if future.done():
            return _result(future, 0)
        left = seconds
        while True:
            step = min(POLL_S, left)
            try:
                return _result(future, step)
            except FutureTimeout:
                if future.done():  # the call itself ended with a TimeoutError of its own
                    raise
            if self._interrupted():
                raise Interrupted("interrupted by a signal")
            left -= step
            if left <= 0:
                raise TimedOut(f"no answer within {seconds:.0f} s")


def _result(future: Future[T], timeout: float) -> T:
    try:
        return future.result(timeout)
    except CancelledError:
        raise TimedOut("the request was cancelled") from None
