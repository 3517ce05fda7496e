"""One thread for many short exchanges: whichever connection has received something is looked at, none is waited for.

A thread for each costs more than its bytes. 600 GETs of 64 KiB took 0.40 ms of processor time each, with all that the
bytes room does for one, where each of 96 at a time had a thread; most of that went for waking threads up and handing
Python's lock from one to the next, with 19 context switches each. So it is 0.28 ms and 5 (2 ms round trip, two cores).

One for the process, on a thread that is made when it is needed and ends when it is not. Lock order: `EventLoop._lock`
is a leaf.
"""

from __future__ import annotations

import logging
import os
import select
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

from ...threads import start

log = logging.getLogger(__name__)

# How often it is looked for exchanges of which nothing was heard, and how many looks find none at all before the thread
# ends.
_TICK_S, _QUIET_TICKS = 0.5, 20
# They are many from so many on that have ended within the first time, until fewer end within the second.
MANY, MANY_S, FEW, FEW_S = 8, 0.03, 8, 0.1


class Exchange(Protocol):
    """A request that was sent, and its answer.

    Attributes:
        fd: of its connection's socket.
        heard: when it began, or something came, in monotonic seconds.
        silence: seconds after which a server that says nothing has lost us.
    """

    fd: int
    heard: float
    silence: float

    def advance(self) -> bool:
        """Take what has come, without waiting; whether that was all. Raises an exception where it ends otherwise."""
        ...

    def end(self, good: bool) -> None:
        """It is over, and its socket is not looked at any more. Must not block."""
        ...


class EventLoop:
    """Exchanges under way. They advance, and end, on its thread.

    Attributes:
        on_many: told, on its thread, that there are many, now and then, and once that there are not any more.
    """

    on_many: Callable[[bool], object] = staticmethod(lambda many: None)

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Begin anew, without a thread: a forked process has none."""
        self._lock = threading.Lock()
        self._running: dict[int, Exchange] = {}
        self._poll: select.epoll | None = None
        self._has_thread = False
        self._ended, self._counted_since, self._are_many = 0, 0.0, False

    def add(self, exchange: Exchange) -> None:
        """Look after it until it ends. Raises MountError or OSError where the system grants no thread or descriptor;
        then it is not looked after."""
        with self._lock:
            if self._poll is None:
                self._poll = select.epoll()
            if not self._has_thread:
                start(threading.Thread(target=self._work, args=(self._poll,), name="short-gets", daemon=True))
                self._has_thread = True
            self._poll.register(exchange.fd, select.EPOLLIN)
            self._running[exchange.fd] = exchange

    def _work(self, poll: select.epoll) -> None:
        quiet, looked = 0, time.monotonic()
        while True:
            for fd, _ in poll.poll(FEW_S if self._are_many else _TICK_S):
                self._advance(poll, fd)
            now = time.monotonic()
            self._count(now)
            if now - looked < _TICK_S:
                continue
            looked = now
            self._end_silent(poll, now)
            with self._lock:
                quiet = 0 if self._running else quiet + 1
                if quiet > _QUIET_TICKS:
                    self._has_thread = False
                    return

    def _end_silent(self, poll: select.epoll, now: float) -> None:
        for exchange in list(self._running.values()):
            if now - exchange.heard > exchange.silence:
                self._end(poll, exchange, good=False)

    def _count(self, now: float) -> None:
        """Look whether there are many."""
        passed = now - self._counted_since
        if passed < (FEW_S if self._are_many else MANY_S):
            return
        many = self._ended >= (FEW if self._are_many else MANY * passed / MANY_S)
        self._ended, self._counted_since = 0, now
        if many or self._are_many:
            self._are_many = many
            try:
                self.on_many(many)
            except Exception:
                log.exception("unexpected error")

    def _advance(self, poll: select.epoll, fd: int) -> None:
        exchange = self._running.get(fd)
        if exchange is None:  # between its registration and its entry: the next look finds it
            return
        try:
            good = exchange.advance()
        except Exception as e:  # whoever asked does so again, and is told why it fails
            log.debug("a short GET: %s", e)
            self._end(poll, exchange, good=False)
        else:
            if good:
                self._end(poll, exchange, good=True)

    def _end(self, poll: select.epoll, exchange: Exchange, *, good: bool) -> None:
        self._ended += 1
        with self._lock:
            del self._running[exchange.fd]
            with suppress(OSError):  # should it be closed
                poll.unregister(exchange.fd)
        try:
            exchange.end(good)
        except Exception:  # the thread must live on, for the others
            log.exception("unexpected error")


event_loop = EventLoop()
os.register_at_fork(after_in_child=event_loop.reset)
