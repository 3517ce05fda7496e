"""How to wait for what another thread brings, and what happens when nobody waits for it any more.

A thread that must answer somebody waits through a `Waiter`: it looks meanwhile whether its reader was killed, and says
that it waits, so that another thread takes its place. An `Awaited` future counts who waits; when the last one has left
and nobody came back for `GRACE_S`, it is abandoned: what would bring it is cancelled.

Lock order: `_counts`, `Waiter._lock` and `_Later._lock` are leaves.
"""

from __future__ import annotations

import heapq
import itertools
import logging
import os
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError, Future
from contextlib import AbstractContextManager, nullcontext, suppress
from queue import Empty, SimpleQueue
from typing import Any, Protocol, TypeVar

from .errors import Cancelled, Interrupted, MountError, TimedOut
from .threads import start

log = logging.getLogger(__name__)

T = TypeVar("T")

# How often it is looked whether readers got a signal: well below the second that a person at a terminal grants Ctrl-C.
# And how many looks come before one whether they have ended, which takes system calls for each.
POLL_S, LOOKS_PER_GONE = 0.1, 10
# So many looks find nobody before the thread that looks ends.
QUIET_LOOKS = 20
_LONG_S = 3600.0

# What nobody waits for is cancelled after this long. A program that gets a signal while it reads (a timer, a child
# that ended) asks for the same bytes again at once, and a request that is about to be answered is worth its connection.
GRACE_S = 1.0

_counts = threading.Lock()


def _nothing() -> None:
    pass


class Awaited(Future[T]):
    """A future that knows whether anybody waits for it.

    Args:
        abandon: gives what is called, on another thread, when nobody has waited for `GRACE_S` who did before, and it
            is not done. (A weak reference: whoever brings it refers to it, and a cycle would keep both.)
        parts: futures of which this one is made: who waits for it waits for them.
    """

    def __init__(
        self, abandon: Callable[[], Callable[[], object] | None] = _nothing, parts: Sequence[Future[Any]] = ()
    ) -> None:
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

    def _leave(self) -> None:
        if not self._waiting and not self.done() and (abandon := self._abandon()) is not None:
            abandon()


class Reader(Protocol):
    """Whoever waits for the answer that a thread is to give."""

    def has_signal(self) -> bool:
        """Whether it got a signal. Called from any thread, but only while it is waited; takes no time."""
        ...

    def is_gone(self) -> bool:
        """Whether it has ended. Called now and then from any thread, also a moment later."""
        ...


class _AnyReader:
    def __init__(self, interrupted: Callable[[], bool]) -> None:
        self.has_signal = interrupted

    def is_gone(self) -> bool:
        return False


class _Wait:
    """One thread that waits. `ended`: its reader does not wait any more. `wake(anything)`: on any thread."""

    __slots__ = ("_woken", "ended", "reader", "wake")

    def __init__(self, reader: Reader) -> None:
        self.reader, self.ended = reader, False
        self._woken: SimpleQueue[object] = SimpleQueue()
        self.wake = self._woken.put  # takes any argument, as a future gives itself

    def sleep(self, seconds: float) -> None:
        with suppress(Empty):
            self._woken.get(timeout=seconds)


class Waiter:
    """How a thread that must answer somebody waits for a future.

    While anybody waits, one thread more looks after all: a thousand that looked for themselves would take the
    interpreter from each other. Where the system grants none, they look for themselves.

    Args:
        interrupted: True when whoever waits for the answer got a signal; called on any thread.
        reader: makes a `Reader`, on the thread that waits, instead of asking `interrupted`.
        standing_in: a context for the time that a thread waits: where it serves the kernel, others must be left to do
            so. Entered at the first wait that is not over at once.
        polled: called now and then while anybody waits.
    """

    def __init__(
        self,
        interrupted: Callable[[], bool] = lambda: False,
        *,
        reader: Callable[[], Reader] | None = None,
        standing_in: Callable[[], AbstractContextManager[object]] = nullcontext,
        polled: Sequence[Callable[[], object]] = (),
    ) -> None:
        anybody = _AnyReader(interrupted)
        self._reader = reader or (lambda: anybody)
        self._standing_in, self._polled = standing_in, polled
        self._lock = threading.Lock()  # a leaf: what libfuse says of a request holds while it is held
        self._waits: dict[_Wait, None] = {}
        self._watched = False

    def __call__(self, future: Future[T], seconds: float = float("inf")) -> T:
        """The future's result. Raises what it raises, Interrupted, or TimedOut after `seconds`."""
        if future.done():
            return _result(future)
        wait = _Wait(self._reader())
        awaited = future if isinstance(future, Awaited) else None
        if awaited is not None:
            awaited.hold()
        self._begin(wait)
        try:
            future.add_done_callback(wait.wake)
            with self._standing_in():
                self._wait(wait, future, seconds)
            return _result(future)
        finally:
            with self._lock:
                del self._waits[wait]
            if awaited is not None:
                awaited.release()

    def _wait(self, wait: _Wait, future: Future[T], seconds: float) -> None:
        end = time.monotonic() + seconds
        while not future.done():
            left = end - time.monotonic()
            if left <= 0:
                raise TimedOut(f"no answer within {seconds:.0f} s")
            wait.sleep(min(left, _LONG_S if self._watched else POLL_S))
            if not self._watched:
                self._look([wait])
            if wait.ended and not future.done():
                raise Interrupted("interrupted by a signal")

    def _begin(self, wait: _Wait) -> None:
        with self._lock:
            self._waits[wait] = None
            if self._watched:
                return
            self._watched = True
        try:
            start(threading.Thread(target=self._watch, name="watch", daemon=True))
        except MountError:
            self._watched = False

    def _watch(self) -> None:
        quiet = looks = 0
        while True:
            time.sleep(POLL_S)
            with self._lock:
                quiet = 0 if self._waits else quiet + 1
                if quiet > QUIET_LOOKS:
                    self._watched = False
                    return
                waits = list(self._waits)
            looks += 1
            self._look(waits, gone=looks % LOOKS_PER_GONE == 0)

    def _look(self, waits: Sequence[_Wait], *, gone: bool = False) -> None:
        for wait in waits:
            with self._lock:
                ended = wait in self._waits and wait.reader.has_signal()
            if ended or (gone and wait.reader.is_gone()):
                wait.ended = True
                wait.wake(None)
        for poll in self._polled:
            poll()


def _result(future: Future[T]) -> T:
    try:
        return future.result(0)
    except CancelledError:
        raise Cancelled("the request was cancelled") from None


class _Later:
    """Calls functions after a while, on one thread that is made when first needed."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Begin anew, without a thread."""
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
                start(threading.Thread(target=self._work, name="later", daemon=True))
            except MountError:
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


def _begin_anew() -> None:
    """A forked process has none of the threads, and somebody may have held a lock."""
    global _counts
    _counts = threading.Lock()
    later.reset()


os.register_at_fork(after_in_child=_begin_anew)
