"""The connections of one client, to one place or several: kept when idle, and closed when anything went wrong.

To open one takes a round trip, with TLS two or three. `prepare` opens some before they are needed.

Lock order: `Connections._lock` is a leaf: it guards the idle connections, and what is opened ahead. So is
`Connections._turn` (`connection.py`).
"""

from __future__ import annotations

import http.client
import logging
import socket
import ssl
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from ... import descriptors
from ...errors import MountError, StoreError
from ...threads import start
from ..deadline import Deadline
from .connecting import Route, connect
from .connection import Connection
from .status import request_id_in
from .timeouts import USUAL, Patience

log = logging.getLogger(__name__)

# S3 closes a connection that was idle for some 20 s; one that it closed is noticed before it is used.
IDLE_KEPT_S = 60.0

# How often it is looked whether those are still there that were opened ahead, and how long opening one may take.
PREPARE_S, OPEN_S = 1.0, 10.0

# How a connection fails that the server closed while it was idle, and that only the next request finds out.
_GONE = (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError)

Translate = Callable[[Exception], StoreError]
# A connection, where it leads, and since when it is idle, in monotonic seconds.
Idle = tuple[Route, Connection, float]


class Connections:
    """Args:
    connections: kept open when idle, at most; as many as callers may be open at once.
    context: gives the TLS context when the first connection needs it; may raise StoreError.
    others: whose idle connections are taken before a new one is opened.
    patience: how long connecting and silence may last.

    Attributes:
        shortest_wait: seconds from a request to the head of its answer, the fewest there were; infinite before one.
    """

    def __init__(
        self,
        connections: int,
        context: Callable[[], ssl.SSLContext],
        others: Connections | None = None,
        *,
        patience: Patience = USUAL,
    ) -> None:
        self._connections, self._make_context, self._others = connections, context, others
        self._patience = patience
        self._context: ssl.SSLContext | None = None
        self._lock = threading.Lock()
        self._idle: list[Idle] = []
        self._turn: threading.Lock = others._turn if others else threading.Lock()  # as their connections have it
        self._closed = False
        self._lender: Connections | None = None
        self.shortest_wait = float("inf")
        self._opening: set[Deadline] = set()  # ahead
        self._prepared = float("-inf"), 0  # when it was looked last whether so many are idle
        descriptors.spare(self.drop_idle)
        # A request that outlives its mount may still leave one here, of clients that nobody else knows.
        weakref.finalize(self, _close_all, self._idle).atexit = False

    @contextmanager
    def ask(
        self,
        route: Route,
        method: str,
        target: str,
        headers: Mapping[str, str],
        subject: object,
        deadline: Deadline,
        translate: Translate,
        *,
        allowed: Callable[[str], bool] | None = None,
        body: bytes | None = None,
        silence: float | None = None,
    ) -> Iterator[tuple[Connection, http.client.HTTPResponse]]:
        """A connection, and the head of the answer to one request on it; both are good inside the block only.

        The connection is kept where the whole answer was received in the block, else closed. A connection that turns
        out to have been closed while it was idle is replaced, once, as no server saw the request.

        Args:
            target: path and query, or the whole URL.
            headers: `Host` among them where another host is asked for than the one that is connected to.
            subject: what is asked for; its `str()` begins messages.
            translate: says what to raise instead of an error that is no StoreError.
            allowed: whether an IP address may be connected to; None: all.
            body, silence: see `Connection.ask`.

        Raises StoreError: TimedOut or Cancelled at the deadline, wherever it is noticed.
        """
        connection: Connection | None = None
        try:
            if route.proxy is not None and not route.tunnels:
                target, headers = f"http://{route.place}{target}", {**headers, **route.proxy.headers}
            connection, reused = self._idle_connection(route, allowed), True
            while True:
                if connection is None:
                    connection, reused = self._connect(route, deadline, allowed), False
                try:
                    begun = time.monotonic()
                    with deadline.ending(connection.shut):
                        answer = connection.ask(method, target, headers, deadline, body=body, silence=silence)
                    self.answered_within(time.monotonic() - begun)
                    break
                except _GONE:
                    if not reused or deadline.left() <= 0:
                        raise
                    connection.close()
                    connection = None
            told = deadline.told
            told.status, told.request_id = answer.status, request_id_in(answer.headers.get)
            with deadline.ending(connection.shut):
                yield connection, answer
        except BaseException as error:
            if connection is not None:
                connection.close()
            if not isinstance(error, Exception):
                raise
            ended = connection is not None and connection.was_shut
            if ended or not isinstance(error, StoreError) or error.transient:
                raise deadline.over(subject) or translate(error) from error
            raise
        self.release(route, connection)

    def answered_within(self, seconds: float) -> None:
        """The head of an answer came so long after its request."""
        self.shortest_wait = min(self.shortest_wait, seconds)

    def idle(self, route: Route) -> Connection | None:
        """A connection to send one request on, if there is one idle: `release` it, or close it."""
        return self._idle_connection(route, None)

    def widest(self, route: Route, sharing: int, most: int) -> list[Idle]:
        """The idle connections that bring most in a round trip (`Connection.window`), the widest one first: a part of
        all of them, where so many share them, and so many at most. `release` each, close it, or `put_back` all."""
        with self._lock:
            idle = sorted((one for one in self._idle if one[0] == route), key=lambda one: -one[1].window)
            found = idle[: min(most, max(1, len(idle) // sharing))]
            self._idle[:] = [one for one in self._idle if one not in found]
        living = [one for one in found if _lives(one)]
        _close_all([one for one in found if one not in living])
        return living

    def put_back(self, idle: Sequence[Idle]) -> None:
        """Nothing was asked for on these."""
        with self._lock:
            if not self._closed:
                self._idle[:0] = idle
                return
        _close_all(idle)

    def borrow(self, lender: Connections) -> None:
        """Take an idle connection of these before opening one, if nothing was asked for on it yet."""
        self._lender = lender

    def is_ready(self, route: Route) -> bool:
        """Whether a connection can be opened without loading certificates first."""
        return not route.https or self._context is not None

    def prepare(self, route: Route, count: int) -> None:
        """Open connections ahead, so that `count` are idle; none through a proxy, which may count them. Returns at
        once. What fails is not told: whoever needs a connection opens one."""
        now = time.monotonic()
        since, before = self._prepared
        if route.proxy is not None or (now - since < PREPARE_S and count <= before):
            return
        self._prepared = now, count
        with self._lock:
            gone = [one for one in self._idle if not one[1].alive()]
            self._idle[:] = [one for one in self._idle if one not in gone]
            # Looked at here: who closes it meanwhile ends what is in `_opening`, and nobody ends what comes later.
            missing = 0 if self._closed else count - len(self._opening) - sum(one[0] == route for one in self._idle)
            deadlines = [Deadline(OPEN_S) for _ in range(missing)]
            self._opening.update(deadlines)
        _close_all(gone)
        for deadline in deadlines:
            try:
                start(threading.Thread(target=self._open_ahead, args=(route, deadline), name="connect", daemon=True))
            except MountError:
                self._opening.discard(deadline)

    def _open_ahead(self, route: Route, deadline: Deadline) -> None:
        try:
            self.release(route, self._connect(route, deadline, None, spares=False))
        except Exception as e:
            log.debug("%s: no connection ahead: %s", route.place, e)
        finally:
            self._opening.discard(deadline)

    def close(self) -> None:
        """Drop the idle connections, and keep none from now on: those in use are closed when their requests end."""
        with self._lock:
            self._closed = True
            opening = list(self._opening)
        for deadline in opening:
            deadline.cancel()
        self.drop_idle()

    def drop_idle(self) -> None:
        """Drop the idle connections."""
        with self._lock:
            idle = self._idle[:]
            self._idle.clear()
        _close_all(idle)

    def _idle_connection(
        self, route: Route, allowed: Callable[[str], bool] | None, *, new: bool = False
    ) -> Connection | None:
        """The idle connection used last (its TCP window is the widest), else one of the others; None when there is none
        that lives. `new`: one of its own on which nothing was asked for yet."""
        while True:
            with self._lock:
                behind = range(len(self._idle) - 1, -1, -1)
                fits = (i for i in behind if self._idle[i][0] == route and (not new or self._idle[i][1].is_new))
                at = next(fits, None)
                if at is None:
                    break
                found = self._idle.pop(at)
            connection = found[1]
            if _lives(found) and (allowed is None or route.proxy is not None or allowed(connection.peer)):
                return connection
            connection.close()
        if new:
            return None
        if self._lender is not None and (lent := self._lender._idle_connection(route, allowed, new=True)) is not None:
            return lent
        return None if self._others is None else self._others._idle_connection(route, allowed)

    def release(self, route: Route, connection: Connection) -> None:
        """It is not used any more: kept if it can be, else closed."""
        surplus: Connection | None = connection
        if connection.reusable:
            with self._lock:
                if not self._closed:
                    self._idle.append((route, connection, time.monotonic()))
                    surplus = self._idle.pop(0)[1] if len(self._idle) > self._connections else None
        if surplus is not None:
            surplus.close()

    def _connect(
        self, route: Route, deadline: Deadline, allowed: Callable[[str], bool] | None, *, spares: bool = True
    ) -> Connection:
        """A new connection. `spares`: where no descriptor is free for it, what is open only to be used again goes."""
        if route.https and self._context is None:
            self._context = self._make_context()

        def make() -> socket.socket:
            return connect(route, self._context, deadline, allowed, self._patience)

        sock = descriptors.opening(make) if spares else make()
        return Connection(sock, route.place, self._turn, self._patience.silence)


def _lives(idle: Idle) -> bool:
    """Whether it may be used again."""
    _, connection, since = idle
    return time.monotonic() - since < IDLE_KEPT_S and connection.alive()


def _close_all(idle: Sequence[Idle]) -> None:
    for _, connection, _ in idle:
        connection.close()
