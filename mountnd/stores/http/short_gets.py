"""GETs of short ranges whose answers are as usual: sent at once on idle connections, and received by the event loop.

Whatever is not as usual ends such a GET, and its connection; who asked for it then asks again in the way that waits,
which knows of everything else: it opens connections, asks again after a failure, tells why it fails.

Lock order: `ShortGets._lock` is a leaf.
"""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from typing import NamedTuple

from ...errors import BadAnswer, MountError
from ..deadline import Deadline
from .connecting import Route
from .connection import Connection
from .connections import Connections
from .event_loop import event_loop
from .status import request_id_in

# A server whose answers are not as usual so often in a row is left alone for so long. (Refusals are as usual, and so is
# that a connection was closed while it was idle.)
FAILURES, OFF_S = 3, 60.0


class ShortGet(NamedTuple):
    """What is asked for.

    Attributes:
        target: path and query.
        accept: is told the head of the answer before the body is received, and may raise.
        views: exactly as long as the body is to be.
        check: called once they are filled, on the loop's thread, and may raise.
        done: is told whether they are filled, on the loop's thread, which it must not block.
    """

    target: str
    headers: Mapping[str, str]
    accept: Callable[[http.client.HTTPResponse], object]
    views: Sequence[memoryview]
    check: Callable[[], object]
    deadline: Deadline
    done: Callable[[bool], object]


class ShortGets:
    """The short GETs of one client, over its connections to one place.

    Args:
        most: at a time.
        silence: seconds that the server may say nothing.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        connections: Connections,
        route: Route,
        *,
        most: int,
        silence: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clock = clock
        self._connections, self._route, self._most, self._silence = connections, route, most, silence
        self._lock = threading.Lock()
        self._running: set[_Exchange] = set()
        self._closed = False
        self._failures, self._off_until = 0, 0.0

    def begin(self, get: ShortGet) -> bool:
        """Ask for it; False where that has to be done in the way that waits, and nothing was asked for. Never raises,
        never waits. When the deadline passes, or is cancelled, the connection is closed."""
        if self._closed or self._clock() < self._off_until or len(self._running) >= self._most:
            return False
        connection = self._connections.idle(self._route)
        return connection is not None and self._send(connection, get)

    def close(self) -> None:
        """End those under way, and begin no more."""
        with self._lock:
            self._closed = True
            running = list(self._running)
        for exchange in running:
            with suppress(OSError):  # it has ended meanwhile
                exchange.connection.shut()

    def _send(self, connection: Connection, get: ShortGet) -> bool:
        exchange = _Exchange(self, connection, get, self._silence)
        try:
            connection.begin("GET", get.target, get.headers)
            with self._lock:
                if self._closed:
                    raise ConnectionAbortedError("the client is closed")
                self._running.add(exchange)
            exchange.watch.__enter__()
            event_loop.add(exchange)
        except (OSError, ValueError, http.client.HTTPException, MountError):
            with self._lock:
                self._running.discard(exchange)
            exchange.watch.__exit__(None, None, None)
            connection.close()
            return False
        return True

    def ended(self, exchange: _Exchange, good: bool) -> None:
        """It is over, and its connection free, or to be closed."""
        connection = exchange.connection
        with self._lock:
            self._running.discard(exchange)
            self._failures = 0 if good else self._failures + exchange.is_unusual
            if self._failures >= FAILURES:
                self._failures, self._off_until = 0, self._clock() + OFF_S
        if good and connection.reusable:
            self._connections.release(self._route, connection)
        else:
            connection.close()

    def head_came(self, seconds: float) -> None:
        """A head came so long after its request."""
        self._connections.answered_within(seconds)


class _Exchange:
    """One of them under way; see `event_loop.Exchange`."""

    def __init__(self, gets: ShortGets, connection: Connection, get: ShortGet, silence: float) -> None:
        self._gets, self.connection, self.get, self.silence = gets, connection, get, silence
        self.fd = connection.fileno()
        self.begun = self.heard = time.monotonic()
        self.watch: AbstractContextManager[object] = get.deadline.ending(connection.shut)
        self._left: list[memoryview] | None = None  # of the views; None until the head has come
        self.is_unusual = False

    def advance(self) -> bool:
        self.heard = time.monotonic()
        if self._left is None:
            try:
                answer = self.connection.head_now()
            except http.client.RemoteDisconnected:
                raise
            except http.client.HTTPException:
                self.is_unusual = True
                raise
            if answer is None:
                return False
            self._gets.head_came(self.heard - self.begun)
            told = self.get.deadline.told
            told.status, told.request_id = answer.status, request_id_in(answer.headers.get)
            if answer.status < 400 and answer.length != sum(map(len, self.get.views)):
                self.is_unusual = True
                raise BadAnswer("a body of another length", code="Body")
            self.get.accept(answer)
            self._left = [left for view in self.get.views if len(left := view[answer.take(view) :])]
        while self._left:
            view = self._left[0]
            got = self.connection.receive_now(view)
            if got < len(view):
                self._left[0] = view[got:]
                return False
            del self._left[0]
        self.connection.answer_ended()
        self.get.check()
        return True

    def end(self, good: bool) -> None:
        self.watch.__exit__(None, None, None)
        get, self._left = self.get, None
        good = good and not self.connection.was_shut
        self.is_unusual = self.is_unusual or time.monotonic() - self.heard > self.silence
        try:
            self._gets.ended(self, good)
        finally:
            get.done(good)
