"""GETs of short ranges whose answers are as usual: sent at once on idle connections, and received by the event loop.
Where connections are new several bring one range side by side (`side_by_side.py`).

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
from functools import partial
from typing import NamedTuple

from ...errors import BadAnswer, MountError, StoreError
from ..base import THROTTLED, ShortRead
from .connecting import Route
from .connection import Connection
from .connections import Connections, Idle
from .event_loop import event_loop
from .side_by_side import MOST, Parts, fewest, shares
from .status import request_id_in

# A server whose answers are not as usual so often in a row is left alone for so long. (Refusals are as usual, and so is
# that a connection was closed while it was idle.)
FAILURES, OFF_S = 3, 60.0


class ShortGet(NamedTuple):
    """What is asked for.

    Attributes:
        read: whose views are of bytes.
        target: path and query.
        headers: those of the GET for the bytes `[start, stop)`; may raise.
        accept: is told the head of an answer, and of which bytes, before its body is received, and may raise.
        check: called once the views are filled, and may raise; it and `accept` on the loop's thread.
    """

    read: ShortRead
    target: str
    headers: Callable[[int, int], Mapping[str, str]]
    accept: Callable[[http.client.HTTPResponse, int, int], object]
    check: Callable[[], object]


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
        self._alone_until = 0.0  # nothing is shared out: the server has had too many requests

    def begin(self, get: ShortGet) -> bool:
        """Ask for it; False where that has to be done in the way that waits, and nothing was asked for. Never raises,
        never waits. When the deadline passes, or is cancelled, its connections are closed."""
        if self._closed or self._clock() < self._off_until or len(self._running) >= self._most:
            return False
        idle = self._taken(sum(map(len, get.read.views)), get.read.sharing)
        if not idle:
            return False
        connections, told = [connection for _, connection, _ in idle], get.read.deadline.told
        try:
            parts = self._parts(get, connections)
        except (ValueError, StoreError):
            self._connections.put_back(idle)
            return False
        for n, (connection, part) in enumerate(zip(connections, parts, strict=True)):
            told.gets = n + 1
            if not self._send(connection, part):
                told.gets = max(1, n)
                self._connections.put_back(idle[n + 1 :])
                for unsent in parts[n:] if n else ():
                    unsent.parts.ended(False)
                return n > 0
        return True

    def connections_for(self, length: int, sharing: int) -> int:
        """How many connections `begin` would share so many bytes out to, if it was called now; 0: it would not."""
        idle = self._shared(length, sharing)
        self._connections.put_back(idle)
        return len(idle)

    def _taken(self, length: int, sharing: int) -> list[Idle]:
        """Idle connections to bring so many bytes."""
        idle = self._shared(length, sharing) if sharing else []
        if idle or (one := self._connections.idle(self._route)) is None:
            return idle
        return [(self._route, one, time.monotonic())]

    def _shared(self, length: int, sharing: int) -> list[Idle]:
        """The fewest idle connections that bring so many bytes soonest."""
        if self._closed or self._clock() < max(self._off_until, self._alone_until):
            return []
        idle = self._connections.widest(self._route, sharing, MOST)
        count = fewest(length, [connection.window for _, connection, _ in idle]) if idle else 0
        self._connections.put_back(idle[count:])
        return idle[:count]

    def _parts(self, get: ShortGet, connections: Sequence[Connection]) -> list[_Part]:
        """What each connection brings. Raises ValueError and StoreError where the request cannot be made."""
        read, out = get.read, list[_Part]()
        whole = Parts(len(connections), get.check, read.deadline.cancel, partial(self._over, read))
        at, views = read.start, list(read.views)
        for share in shares(sum(map(len, views)), [connection.window for connection in connections]):
            own, views = split(views, share)
            out.append(_Part(get, whole, get.headers(at, at + share), at, at + share, own))
            at += share
        return out

    def close(self) -> None:
        """End those under way, and begin no more."""
        with self._lock:
            self._closed = True
            running = list(self._running)
        for exchange in running:
            with suppress(OSError):  # it has ended meanwhile
                exchange.connection.shut()

    def _send(self, connection: Connection, part: _Part) -> bool:
        exchange = _Exchange(self, connection, part, self._silence)
        try:
            connection.begin("GET", part.get.target, part.headers)
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

    def _over(self, read: ShortRead, good: bool, unusual: bool) -> None:
        """All of it has come, or will not."""
        with self._lock:
            self._failures = 0 if good else self._failures + unusual
            if self._failures >= FAILURES:
                self._failures, self._off_until = 0, self._clock() + OFF_S
        if read.deadline.told.status in THROTTLED:
            self._alone_until = self._clock() + OFF_S
        read.done(good)

    def ended(self, exchange: _Exchange, good: bool) -> None:
        """It is over, and its connection free, or to be closed."""
        connection = exchange.connection
        with self._lock:
            self._running.discard(exchange)
        if good and connection.reusable:
            self._connections.release(self._route, connection)
        else:
            connection.close()

    def head_came(self, seconds: float) -> None:
        """A head came so long after its request."""
        self._connections.answered_within(seconds)


class _Part(NamedTuple):
    """What one connection brings of a short GET: the bytes `[start, stop)`, into `views`."""

    get: ShortGet
    parts: Parts
    headers: Mapping[str, str]
    start: int
    stop: int
    views: Sequence[memoryview]


class _Exchange:
    """One of them under way; see `event_loop.Exchange`."""

    def __init__(self, gets: ShortGets, connection: Connection, part: _Part, silence: float) -> None:
        self._gets, self.connection, self.part, self.silence = gets, connection, part, silence
        self.fd = connection.fileno()
        self.begun = self.heard = time.monotonic()
        self.watch: AbstractContextManager[object] = part.get.read.deadline.ending(connection.shut)
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
            part, told = self.part, self.part.get.read.deadline.told
            if answer.status >= told.status:  # of several answers what tells of a failure
                told.status, told.request_id = answer.status, request_id_in(answer.headers.get)
            if answer.status < 400 and answer.length != part.stop - part.start:
                self.is_unusual = True
                raise BadAnswer("a body of another length", code="Body")
            part.get.accept(answer, part.start, part.stop)
            self._left = [left for view in part.views if len(left := view[answer.take(view) :])]
        while self._left:
            view = self._left[0]
            got = self.connection.receive_now(view)
            if got < len(view):
                self._left[0] = view[got:]
                return False
            del self._left[0]
        self.connection.answer_ended()
        self.part.parts.came()
        return True

    def end(self, good: bool) -> None:
        self.watch.__exit__(None, None, None)
        parts, self._left = self.part.parts, None
        good = good and not self.connection.was_shut
        self.is_unusual = self.is_unusual or time.monotonic() - self.heard > self.silence
        try:
            self._gets.ended(self, good)
        finally:
            parts.ended(good, self.is_unusual)


def split(views: Sequence[memoryview], length: int) -> tuple[list[memoryview], list[memoryview]]:
    """The first `length` bytes of what lies in views, and the others."""
    before, behind = [], []
    for view in views:
        if length >= len(view):
            before.append(view)
        elif length:
            before.append(view[:length])
            behind.append(view[length:])
        else:
            behind.append(view)
        length = max(0, length - len(view))
    return before, behind
