"""How to wait for what another thread brings, and what happens when nobody waits for it any more.

A thread that must answer somebody waits through a `Waiter`: it looks meanwhile whether its reader was killed, and says
that it waits, so that another thread takes its place. An `Awaited` future counts who waits; when the last one has left
and nobody came back for `GRACE_S`, it is abandoned: what would bring it is cancelled.

Lock order: `_counts` and `_Later._lock` are leaves.
"""

from __future__ import annotations

import heapq
import itertools
import logging
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError, Future
from concurrent.futures import TimeoutError as FutureTimeout
from contextlib import AbstractContextManager, nullcontext
from typing import Any, TypeVar

from .errors import Cancelled, Interrupted, TimedOut

log = logging.getLogger(__name__)

T = TypeVar("T")

# How often a waiting thread looks whether its reader was killed: well below the second that a person at a terminal
# grants Ctrl-C. Where many wait, each looks less often, so that all together look so many times in a second: a look
# costs some 20 microseconds of the interpreter, which others need meanwhile.
POLL_S, POLL_MAX_S = 0.1, 0.4
LOOKS_PER_S = 2_500

# What nobody waits for is cancelled after this long. A program that gets a signal while it reads (a timer, a child
# that ended) asks for the same bytes again at once, and a request that is about to be answered is worth its connection.
GRACE_S = 1.0

_counts = threading.Lock()


def _nothing() -> None:
    pass


class Awaited(Future[T]):
    """A future that knows whether anybody waits for it.

    Args:
        abandon: called, on another thread, when nobody has waited for `GRACE_S` who did before, and it is not done.
        parts: futures of which this one is made: who waits for it waits for them.
    """

    def __init__(self, abandon: Callable[[], object] = _nothing, parts: Sequence[Future[Any]] = ()) -> None:
        super().__init__()
        self._abandon, self._waiting = abandon, 0
        self._parts = [part for part in parts if isinstance(part, Awaited)]

    def hold(self) -> None:
        """Somebody waits, until `release`."""
        with _counts:
            self._waiting += 1
        for part in self._parts:
            part.hold()

    def release(self) -> None:
        """They do not any more."""
        with _counts:
            self._waiting -= 1
            left = self._waiting > 0
        for part in self._parts:
            part.release()
        if not left and not self.done():
            later(GRACE_S, self._leave)

    def settle(self) -> None:
        """There is nothing to abandon any more. (Whoever brings it refers to it: this ends that cycle.)"""
        self._abandon = _nothing

    def _leave(self) -> None:
        if not self._waiting and not self.done():
            self._abandon()


class Waiter:
    """How a thread that must answer somebody waits for a future.

    Args:
        interrupted: True when whoever waits for the answer got a signal, or is gone; called on the waiting thread.
        standing_in: a context for the time that a thread waits: where it serves the kernel, others must be left to do
            so. Entered at the first wait that is not over at once.
        polled: called now and then by every thread that waits.
    """

    def __init__(
        self,
        interrupted: Callable[[], bool] = lambda: False,
        *,
        standing_in: Callable[[], AbstractContextManager[object]] = nullcontext,
        polled: Sequence[Callable[[], object]] = (),
    ) -> None:
        self._interrupted, self._standing_in, self._polled = interrupted, standing_in, polled
        self._waiting = 0  # guarded by `_counts`

    def __call__(self, future: Future[T], seconds: float = float("inf")) -> T:
        """The future's result. Raises what it raises, Interrupted, or TimedOut after `seconds`."""
        if future.done():
            return _result(future, 0)
        with _counts:
            self._waiting += 1
        awaited = future if isinstance(future, Awaited) else None
        if awaited is not None:
            awaited.hold()
        try:
            with self._standing_in():
                return self._wait(future, seconds)
        finally:
            with _counts:
                self._waiting -= 1
            if awaited is not None:
                awaited.release()

    def _wait(self, future: Future[T], seconds: float) -> T:
        end = time.monotonic() + seconds
        left = seconds
        while True:
            step = min(max(POLL_S, min(POLL_MAX_S, self._waiting / LOOKS_PER_S)), left)
            try:
                return _result(future, step)
            except FutureTimeout:
                if future.done():  # it came just now, or the call itself ended with a TimeoutError of its own
                    return _result(future, 0)
            if self._interrupted():
                raise Interrupted("interrupted by a signal")
            for poll in self._polled:
                poll()
            left = end - time.monotonic()
            if left <= 0:
                raise TimedOut(f"no answer within {seconds:.0f} s")


def _result(future: Future[T], timeout: float) -> T:
    try:
        return future.result(timeout)
    except CancelledError:
        raise Cancelled("the request was cancelled") from None


class _Later:
    """Calls functions after a while, on one thread that is made when first needed."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._calls: list[tuple[float, int, Callable[[], object]]] = []
        self._numbers = itertools.count()
        self._runs = False

    def __call__(self, seconds: float, call: Callable[[], object]) -> None:
        """Have `call` made in so many seconds. It must not block; what it raises is logged."""
        with self._lock:
            heapq.heappush(self._calls, (time.monotonic() + seconds, next(self._numbers), call))
            if self._runs:
                self._changed.notify()
                return
            self._runs = True
            try:
                threading.Thread(target=self._work, name="later", daemon=True).start()
            except (RuntimeError, MemoryError):
                self._runs = False  # the limit of threads is reached: the next call tries again

    def _work(self) -> None:
        while True:
            with self._lock:
                while not self._calls or self._calls[0][0] > time.monotonic():
                    self._changed.wait(self._calls[0][0] - time.monotonic() if self._calls else None)
                call = heapq.heappop(self._calls)[2]
            try:
                call()
            except Exception:
                log.exception("unexpected error")
            del call  # an idle thread must keep nothing alive


later = _Later()
