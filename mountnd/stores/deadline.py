"""Until when a whole request may take, and how it is ended: at that moment, or sooner by whoever does not want it.

A time-out of a socket counts from its last byte: a server that sends one byte in time, again and again, is waited for
without an end. So whatever waits for the network does it inside `with deadline.ending(end)`: `end` makes the wait fail,
as shutting a socket down does, and is called from another thread when the deadline passes or is cancelled.

    deadline = Deadline(60.0)
    ... store.read(id, 0, views, deadline=deadline)      on a worker
    deadline.cancel()                                    on any thread: the read raises `errors.Cancelled` at once

One thread of this process, made when first needed, looks after all deadlines; it sleeps while nothing is waited for.

Lock order: `_State.lock` and `_Watchdog._lock` are leaves, never held together. `end` is called under the first: so it
is over when the block is left, and never shuts down a descriptor that was closed and is another one's by then. It must
not block.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from types import TracebackType
from typing import TypeVar

from ..errors import Cancelled, StoreError, TimedOut

T = TypeVar("T")

# How often deadlines are looked at while something is waited for; also how late one may be noticed that is shorter
# than all others. And how many looks find nothing before the thread sleeps: a request after the other need not wake it.
_TICK_S, _QUIET_TICKS = 0.25, 8
# threading refuses waits of centuries; nobody waits a year.
_FOREVER_S = 365 * 86400.0


class Deadline:
    """A moment on the monotonic clock until which a whole operation, retries included, may take.

    Args:
        seconds: from now; `float("inf")` never ends.
        clock: monotonic seconds; tests inject their own.
    """

    __slots__ = ("_clock", "_end", "_state")

    def __init__(self, seconds: float, clock: object = None) -> None:
        self._clock: Callable[[], float] = clock if callable(clock) else time.monotonic
        self._end = self._clock() + seconds
        self._state = _State()

    @property
    def told(self) -> Told:
        """What the requests under it have come to, those within it among them."""
        return self._state.told

    def left(self) -> float:
        """Seconds left, 0.0 when it is over or cancelled."""
        return 0.0 if self._state.cancelled else max(0.0, self._end - self._clock())

    @property
    def cancelled(self) -> bool:
        """Whether `cancel` was called."""
        return self._state.cancelled

    def cancel(self) -> None:
        """End what runs under it, from any thread: it raises `errors.Cancelled` promptly, and closes its connection.

        Never blocks, and may be called again, or when nothing runs (any more). What begins later fails at once.
        """
        self._state.cancel()

    def within(self, seconds: float) -> Deadline:
        """A deadline that ends after at most `seconds` from now, and is cancelled with this one."""
        part = object.__new__(Deadline)
        part._clock, part._state = self._clock, self._state
        part._end = min(self._end, self._clock() + seconds)
        return part

    def over(self, subject: object) -> StoreError | None:
        """The error that says so when it is over (TimedOut) or cancelled (Cancelled); None while time is left.

        Args:
            subject: what was asked for; its `str()` begins the message.
        """
        if self._state.cancelled:
            return Cancelled(f"{subject}: not wanted any more", code="Cancelled")
        if self.left() <= 0:
            return TimedOut(f"{subject}: no answer in time", code="Deadline")
        return None

    def check(self, subject: object) -> None:
        """Raises what `over` gives."""
        if (why := self.over(subject)) is not None:
            raise why

    def ending(self, end: Callable[[], object]) -> _Watch:
        """A context in which `end()` is called, once and from another thread, when it passes or is cancelled.

        Where it is cancelled already, `end` is called at once. `end` must not block, nor use this deadline.
        """
        return _Watch(self, end, self._state)

    def result(self, future: Future[T], subject: object) -> T:
        """What a future gives that others may wait for as well. Raises what it raises, and what `over` gives."""
        if not future.done():
            done = threading.Event()
            future.add_done_callback(lambda _: done.set())
            with self.ending(done.set):
                done.wait(min(self.left(), _FOREVER_S))
            if not future.done():
                raise self.over(subject) or TimedOut(f"{subject}: no answer in time", code="Deadline")
        return future.result(0)

    def sleep(self, seconds: float) -> None:
        """Wait so long, but not past it."""
        done = threading.Event()
        with self.ending(done.set):
            done.wait(min(seconds, self.left()))


class Told:
    """What the requests under a deadline have come to so far, for whoever explains how long they took.

    Attributes:
        status: HTTP status of the last answer, 0 before one, and where there are none; of several side by side the
            highest.
        request_id: what the provider calls that request, "" where untold.
        retries: requests that failed and were made again.
        gets: requests that were sent side by side for one read.
    """

    __slots__ = ("gets", "request_id", "retries", "status")

    def __init__(self) -> None:
        self.status = self.retries = 0
        self.gets = 1
        self.request_id = ""


class _State:
    """What a deadline and those within it share: whether it is cancelled, and what is to be ended then."""

    __slots__ = ("cancelled", "lock", "told", "watches")

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.told = Told()
        self.cancelled = False
        self.watches: set[_Watch] = set()

    def cancel(self) -> None:
        with self.lock:
            self.cancelled = True
            watches, self.watches = self.watches, set()
            for watch in watches:
                watch.end()


class _Watch:
    """One block in which something is waited for."""

    __slots__ = ("_end", "_state", "deadline")

    def __init__(self, deadline: Deadline, end: Callable[[], object], state: _State) -> None:
        self.deadline, self._end, self._state = deadline, end, state

    def __enter__(self) -> None:
        state = self._state
        with state.lock:
            if state.cancelled:
                self.end()
                return
            state.watches.add(self)
        _watchdog.add(self)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with self._state.lock:
            self._state.watches.discard(self)
        _watchdog.remove(self)

    def fire(self) -> None:
        """End it, if it has not ended by itself."""
        with self._state.lock:
            if self in self._state.watches:
                self._state.watches.discard(self)
                self.end()

    def end(self) -> None:
        # Called on threads that do not wait for it: what goes wrong (a socket that is closed already) is not theirs.
        with suppress(Exception):
            self._end()


class _Watchdog:
    """Fires the watches whose deadline has passed."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Begin anew, without a thread: a forked process has none."""
        self._lock = threading.Lock()
        self._wake = threading.Condition(self._lock)
        self._watches: set[_Watch] = set()
        self._asleep = self._started = False

    def add(self, watch: _Watch) -> None:
        with self._lock:
            self._watches.add(watch)
            if self._asleep:
                self._wake.notify()
            elif not self._started:
                self._started = True
                try:
                    threading.Thread(target=self._run, name="deadlines", daemon=True).start()
                except RuntimeError:  # a limit of threads: sockets have time-outs, too, and the next one tries again
                    self._started = False

    def remove(self, watch: _Watch) -> None:
        with self._lock:
            self._watches.discard(watch)

    def _run(self) -> None:
        quiet = 0
        while True:
            with self._lock:
                quiet = 0 if self._watches else quiet + 1
                while quiet >= _QUIET_TICKS and not self._watches:
                    self._asleep = True
                    self._wake.wait()
                    self._asleep = False
                watches = list(self._watches)
            pause = _TICK_S
            for watch in watches:
                left = watch.deadline.left()
                if left <= 0:
                    watch.fire()
                    self.remove(watch)
                else:
                    pause = min(pause, left)
            del watches  # a sleeping thread must keep nothing alive
            time.sleep(max(pause, 0.01))


_watchdog = _Watchdog()
os.register_at_fork(after_in_child=_watchdog.reset)
