"""The one request that caching proxies are sent: a range of one version. A ring and the doctor send the same."""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from ..base import Deadline
from ..http.connecting import Route
from ..http.connection import Connection
from ..http.connections import Connections
from ..http.faults import error_from_exception
from ..http.timeouts import Patience
from .manner import Manner, Origin, asked

# In seconds. A node is near: a connection that takes longer than the first repeat of a lost packet (1 s) will not come.
# And one that has nothing cached gives its first byte when the source does, or when what another client asked for has
# come, which nginx looks after twice a second.
PATIENCE = Patience(connect=2.0, silence=6.0)


class Asking:
    """Asks one proxy.

    Args:
        url: of the proxy; with a path where buckets lie below one (see `manner`).

    Attributes:
        manner: how it is to be asked first; `is_settled`: and no other way is worth a try.
    """

    def __init__(self, url: str, connections: Connections) -> None:
        parts = urlsplit(url)
        https = parts.scheme == "https"
        self._url, self._below, self._connections = url, parts.path.rstrip("/"), connections
        # Never through a proxy of the environment: it is one.
        self._route = Route(parts.hostname or "", parts.port or (443 if https else 80), https)
        self.manner = Manner.PATH if self._below else Manner.SERVER
        self.is_settled = bool(self._below)

    @contextmanager
    def ask(
        self,
        manner: Manner,
        origin: Origin,
        key: str,
        start: int,
        stop: int,
        etag: str,
        subject: object,
        deadline: Deadline,
    ) -> Iterator[tuple[Connection, http.client.HTTPResponse]]:
        """As `Connections.ask`: for `[start, stop)` of `key` (quoted, see `node.Wanted`), if that is of this ETag."""
        target, host = asked(manner, origin, key, self._below)
        headers = {"Range": f"bytes={start}-{stop - 1}", "If-Match": etag, "User-Agent": "mountnd"}
        if host:
            headers["Host"] = host
        with self._connections.ask(
            self._route, "GET", target, headers, subject, deadline,
            lambda error: error_from_exception(error, self._url, place=self._route.place),
        ) as answered:  # fmt: skip
            yield answered
