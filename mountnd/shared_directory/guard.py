"""Calls into a file system that may fail, or hang for ever: on threads of their own, with a bound on each wait.

A file server that is away holds whoever asks it, and no signal ends that. So nobody asks it but these threads. Whoever
called goes on after `PATIENCE_S`, or as soon as another has waited that long: the directory is left out then, and
tried again after a while by one thread that nobody waits for. So is a directory whose calls fail one after the other.
What a call would fill must be its own: it may come back after its caller has gone on.

Lock order: `Guard._lock` is a leaf; no lock is held across I/O.
"""

from __future__ import annotations

import errno
import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any, Generic, TypeVar

from ..errors import MountError
from ..threads import start

log = logging.getLogger(__name__)

T = TypeVar("T")

# A call that takes longer is taken for one that hangs. A busy file server needs a second or two now and then.
PATIENCE_S = 5.0
# So many calls that fail in turn, with none between them that did not: the directory is left out.
FAULTS = 3
# For how long it is left out at first, and at most: each time in turn twice as long.
OUT_S, OUT_MOST_S = 5.0, 60.0
# Threads at most; those that hang count. Reads of a fast file system take milliseconds.
THREADS = 32
# Threads that have nothing to do end after this.
IDLE_S = 10.0

# What a file system says that is broken or away. (What says that a name is not there, not allowed or in the way, and
# that there is no room, is an answer.)
BROKEN = frozenset(
    {
        errno.EIO, errno.ESTALE, errno.ENOTCONN, errno.ETIMEDOUT, errno.ENODEV, errno.ENXIO, errno.EHOSTDOWN,
        errno.EHOSTUNREACH, errno.ENETDOWN, errno.ENETUNREACH, errno.ECONNREFUSED, errno.ECONNRESET,
        errno.ECONNABORTED, errno.EREMOTEIO, errno.ENOLINK, errno.ECOMM, errno.EPROTO, errno.ESHUTDOWN, errno.EUCLEAN,
    }
)  # fmt: skip


class LeftOut(OSError):
    """The directory is left out at the moment."""


class _Call(Generic[T]):
    """One call. `left`: nobody waits for it any more."""

    __slots__ = ("done", "error", "function", "late", "left", "result")

    def __init__(self, function: Callable[[], T], late: Callable[[T], object] | None) -> None:
        self.function, self.late = function, late
        self.done = threading.Event()
        self.left = False
        self.result: T | None = None
        self.error: BaseException | None = None


class Guard:
    """Of one directory. Safe to use from many threads.

    Args:
        path: for messages.
        probe: looks whether it can be used (again). Raises OSError.
        patience: seconds that a call may take.
        clock: monotonic seconds.
        faulty: called at each fault.
        say: how it is told that the directory is left out, or used again.
    """

    def __init__(
        self,
        path: str,
        probe: Callable[[], object],
        *,
        patience: float = PATIENCE_S,
        threads: int = THREADS,
        clock: Callable[[], float] = time.monotonic,
        faulty: Callable[[], object] = lambda: None,
        say: Callable[..., None] = log.warning,
    ) -> None:
        self._say = say
        self._path, self._probe, self._patience, self._most, self._clock = path, probe, patience, threads, clock
        self._faulty = faulty
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._queue: deque[_Call[Any]] = deque()
        self._running: set[_Call[Any]] = set()
        self._threads = self._idle = self._faults = 0
        self._out_s, self._out_until = OUT_S, 0.0
        self._why = ""  # it is left out; "" while it is not
        self._probing = self._closed = False
        self._told: list[Callable[[], object]] = []

    @property
    def why_out(self) -> str:
        """Why the directory is left out now, "" while it is used."""
        return self._why

    def when_out(self, tell: Callable[[], object]) -> None:
        """Call `tell` whenever it is left out. It must not wait for anything."""
        self._told.append(tell)

    @property
    def is_on(self) -> bool:
        """Whether the directory is used now. Where it was left out for long enough, it is looked at again, later."""
        if self._closed:
            return False
        if not self._why:
            return True
        with self._lock:
            if self._probing or self._clock() < self._out_until or not self._why:
                return not self._why and not self._closed
            self._probing = True
            self._submit(_Call(self._look_again, None))
        return False

    def call(self, function: Callable[..., T], *args: Any, late: Callable[[T], object] | None = None) -> T:
        """`function(*args)` on a thread of the guard's.

        `late`: given what it returned where that came when nobody waited any more.

        Raises LeftOut where that takes too long, or the directory is left out; and what `function` raises.
        """
        if not self.is_on:
            raise LeftOut(errno.EAGAIN, self._why or "it is closed", self._path)
        call = _Call(partial(function, *args), late)
        with self._lock:
            self._submit(call)
        if not call.done.wait(self._patience):
            with self._lock:
                hangs = not call.done.is_set()
                call.left |= hangs
            if hangs:
                self._faulty()
                self._leave_out(f"it does not answer within {self._patience:g} s")
        if call.left:
            raise LeftOut(errno.EAGAIN, self._why or "it does not answer", self._path)
        if call.error is not None:
            if isinstance(call.error, OSError):
                self.failed(call.error)
            raise call.error
        return call.result  # type: ignore[return-value]

    def post(self, function: Callable[..., object], *args: Any) -> None:
        """`function(*args)` some time soon, if the directory is used; whatever it raises is forgotten."""
        if self.is_on:
            with self._lock:
                self._submit(_Call(partial(function, *args), None))

    def failed(self, error: OSError) -> None:
        """A call into the directory has failed so."""
        if error.errno not in BROKEN:
            return
        self._faulty()
        with self._lock:
            self._faults += 1
            enough = self._faults >= FAULTS
        if enough:
            self._leave_out(os.strerror(error.errno or 0))

    def worked(self) -> None:
        """Something was read from it, or written to it."""
        self._faults = 0

    def hangs(self, what: str) -> None:
        """A thread that is not the guard's has waited for the directory for too long, to do `what`."""
        self._faulty()
        self._leave_out(f"{what} hangs")

    def close(self) -> None:
        """Make no more calls. Those that are under way are waited for by nobody. Idempotent."""
        with self._lock:
            self._closed = True
            self._forget_calls()
            self._changed.notify_all()

    def drain(self, seconds: float) -> None:
        """Wait until what was posted is done, for so long at most."""
        with self._lock:
            self._changed.wait_for(lambda: bool(self._why) or not (self._queue or self._running), seconds)

    # -- being left out -------------------------------------------------------------------------

    def leave_out(self, why: str) -> None:
        """Do not use the directory for a while."""
        self._leave_out(why)

    def _leave_out(self, why: str) -> None:
        with self._lock:
            if self._why or self._closed:
                return
            self._why = why
            self._out_until = self._clock() + self._out_s
            self._out_s = min(2 * self._out_s, OUT_MOST_S)
            self._forget_calls()
        self._say("%s: %s; it is left out for a while, and the source is read instead", self._path, why)
        for tell in self._told:
            tell()

    def _forget_calls(self) -> None:
        """With the lock held: whoever waits goes on."""
        for call in (*self._queue, *self._running):
            if not call.done.is_set():
                call.left = True
                call.done.set()
        self._queue.clear()

    def _look_again(self) -> None:
        """On a thread of the guard's: whether it can be used again."""
        try:
            self._probe()
        except OSError as e:
            with self._lock:
                self._why = e.strerror or str(e)
                self._out_until = self._clock() + self._out_s
                self._out_s = min(2 * self._out_s, OUT_MOST_S)
                self._probing = False
            return
        with self._lock:
            self._why, self._faults, self._probing = "", 0, False
        self._say("%s: it answers again, and is used", self._path)

    # -- threads --------------------------------------------------------------------------------

    def _submit(self, call: _Call[Any]) -> None:
        """With the lock held."""
        self._queue.append(call)
        if self._idle >= len(self._queue):
            self._changed.notify()
        elif self._threads < self._most:
            try:
                start(threading.Thread(target=self._work, name="shared", daemon=True))
            except MountError:
                if not self._threads:
                    self._queue.clear()
                    call.error = LeftOut(errno.EAGAIN, "the system grants no thread", self._path)
                    call.done.set()
                return
            self._threads += 1

    def _work(self) -> None:
        while True:
            with self._lock:
                self._idle += 1
                more = self._changed.wait_for(lambda: self._queue or self._closed, IDLE_S)
                self._idle -= 1
                if not self._queue or (self._closed and not more):
                    self._threads -= 1
                    return
                call = self._queue.popleft()
                self._running.add(call)
            try:
                call.result = call.function()
            except BaseException as e:
                call.error = e.with_traceback(None)
            with self._lock:
                self._running.discard(call)
                gone = call.left
                call.done.set()
                self._changed.notify_all()
            if gone and call.late is not None and call.error is None:
                call.late(call.result)
            del call
