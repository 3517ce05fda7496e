"""The clients of a bucket: made by the first request, and given other keys, or the server's clock, after a refusal.

Lock order: `RenewingClients._lock` is a leaf: it guards the clients that are made, and no I/O happens under it.
"""

from __future__ import annotations

import logging
import ssl
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from typing import NamedTuple, TypeVar

from ...errors import Cancelled, Forbidden, StoreError
from ..base import Deadline, Renewals
from .access.bucket_options import BucketOptions
from .access.clock import ServerClock
from .access.connect import BucketAccess, connect, connect_unsigned, load_libraries
from .access.credentials import RENEW_S
from .http_client import HttpClient
from .loop import wait
from .names_client import NamesClient
from .translate import Subject

T = TypeVar("T")

log = logging.getLogger(__name__)

# How often one request is made: as it is, then by the server's clock or with new keys, and then with both.
ATTEMPTS = 3


class Clients(NamedTuple):
    """What requests to a bucket are sent by: for names, and for bytes."""

    url: str
    access: BucketAccess
    names: NamesClient
    http: HttpClient

    def subject(self, key: str = "") -> Subject:
        access = self.access
        proxy = str(access.proxy or "")
        return Subject(self.url, key, access.unsigned, access.region, proxy, self.http.place, access.profile)


class RenewingClients:
    """The clients of one bucket.

    Args:
        url: of the source, for messages.
        clock: monotonic seconds.

    Attributes:
        renewals: counts how often the keys have changed.
    """

    def __init__(self, options: BucketOptions, url: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._options, self._url = options, url
        self._lock = threading.Lock()
        self._clients: Future[Clients] | None = None
        self._retired: list[Clients] = []
        self._server_clock, self._clock, self._connected_at = ServerClock(), clock, float("-inf")
        self._failed = False  # the last attempt to connect
        self.renewals = Renewals()

    def run(self, request: Callable[[Clients], T], deadline: Deadline) -> T:
        """Make a request; again at once after a refusal whose cause could be put right. Raises StoreError."""
        for left in reversed(range(ATTEMPTS)):
            clients, seen, ahead = None, self.renewals.count, self._server_clock.ahead
            try:
                clients = self._connect_once(deadline)
                seen = self.renewals.count
                return request(clients)
            except Forbidden as refused:
                if not left or not self._put_right(refused, clients, seen, ahead, deadline):
                    raise
        raise AssertionError("the last attempt returns or raises")

    def _put_right(
        self, refused: Forbidden, clients: Clients | None, seen: int, ahead: float, deadline: Deadline
    ) -> bool:
        """Whether to ask again. Without `clients` it was STS, or the like, that refused."""
        if (clients is None or not clients.access.unsigned) and self._server_clock.correct(refused, ahead):
            return True
        return clients is not None and self._renew(clients, seen, deadline)

    def _renew(self, clients: Clients, seen: int, deadline: Deadline) -> bool:
        """Whether there are other keys now than when `renewals` had counted to `seen`."""
        access = clients.access
        if not access.credentials.may_differ(seen):
            return False
        try:
            renewed = wait(access.credentials.renew(seen), clients.subject(), deadline)
        except StoreError:  # no time left
            return False
        if renewed and access.unsigned:
            with self._lock:
                if self.made() is clients:
                    self._clients = None  # new ones sign
                    self._retired.append(clients)
        return renewed

    def renew(self, deadline: Deadline) -> bool:
        """Look whether there are other keys now; see `Store.renew`."""
        clients = self.made()
        if clients is not None:
            return self._renew(clients, self.renewals.count, deadline)
        if self._clock() - self._connected_at < RENEW_S:
            return False
        seen = self.renewals.count
        with suppress(StoreError):
            self._connect_once(deadline)
        return self.renewals.count != seen

    def load_libraries(self) -> None:
        """Import what requests need."""
        load_libraries(self._options)

    def made(self) -> Clients | None:
        """The clients, None before the first request."""
        future = self._clients
        return future.result() if future is not None and future.done() and future.exception() is None else None

    def close(self) -> None:
        """Drop all connections. Idempotent."""
        with self._lock:
            made, self._clients = self.made(), None
            retired, self._retired = self._retired, []
        for clients in [*retired, made] if made is not None else retired:
            clients.http.close()

    def _connect_once(self, deadline: Deadline) -> Clients:
        """The clients; made by the first caller while the others wait, at most until their own deadline."""
        while True:
            with self._lock:
                future, first = self._clients, False
                if future is None:
                    future, first = Future(), True
                    self._clients = future
            if first:
                break
            try:
                return deadline.result(future, self._url)
            except Cancelled:  # its maker's request, not ours
                deadline.check(self._url)
        try:
            made = self._connect(deadline)
        except BaseException as error:
            with self._lock:
                self._failed = True
                if self._clients is future:
                    self._clients = None  # the next caller tries again
            future.set_exception(error)
        else:
            if self._failed:
                self._failed = False
                self.renewals.count += 1  # what was refused for want of credentials is not any more
            future.set_result(made)
        return future.result()

    def _connect(self, deadline: Deadline) -> Clients:
        self._connected_at = self._clock()
        access = self._plain() or wait(
            connect(self._options, self.renewals, self._server_clock, self._clock), Subject(self._url), deadline
        )
        clients = self._clients_of(access)
        if not access.guessed:
            return clients
        region = clients.names.bucket_region(clients.subject(), deadline)
        if region in ("", access.region):
            return clients
        clients.http.close()
        moved = self._plain(region) or wait(access.in_region(region), Subject(self._url), deadline)
        return self._clients_of(moved, clients.http.context if moved.trust == access.trust else None)

    def _plain(self, region: str = "") -> BucketAccess | None:
        return connect_unsigned(self._options, self.renewals, self._server_clock, region)

    def _clients_of(self, access: BucketAccess, context: Callable[[], ssl.SSLContext] | None = None) -> Clients:
        options, how = self._options, access.keys or "unsigned"
        log.debug("%s: asked at %s in %s, %s", self._url, access.endpoint, access.region, how)
        http = HttpClient(
            access,
            options.bucket,
            requester_pays=options.requester_pays,
            connections=options.connections,
            context=context,
        )
        return Clients(self._url, access, NamesClient(http), http)
