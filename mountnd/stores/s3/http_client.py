"""Bytes: ranged GETs by `http.client`, whose bodies are received straight into the cache's blocks.

obstore (`bodies.py`) joins the pieces of a body and hands them over to be copied once more, into fresh memory each
time: 0.7 s of CPU for 256 MiB against 0.45 s here, where a mount, its reader and the kernel share two cores. So
this carries what it can; obstore carries what needs a proxy.

Lock order: `Wire._lock` is a leaf: it guards the idle connections. `Wire._turn` is one too (`connection.py`).
"""

from __future__ import annotations

import http.client
import ssl
import threading
import time
from collections.abc import Iterable
from urllib.parse import quote, urlsplit
from xml.etree import ElementTree

from ...errors import BadAnswer, StoreError, TimedOut, Unreachable
from ..base import Deadline
from .boto_client import check_etag, check_range
from .connect import CONNECT_S, Link
from .connection import Connection
from .signing import Signer
from .translate import Subject, from_response, translate

# S3 closes a connection that was idle for some 20 s; one that it closed is noticed before it is used.
KEPT_S = 60.0
# An error's XML is under 1 KiB.
_ERROR_BODY = 64 << 10


class Wire:
    """The bytes of one bucket's objects.

    Args:
        connections: kept open when idle, at most; as many as callers may be open at once.
    """

    def __init__(self, link: Link, bucket: str, *, requester_pays: bool, connections: int) -> None:
        parts = urlsplit(link.endpoint)
        self._https = parts.scheme == "https"
        self._host, self._port = parts.hostname or "", parts.port
        self._origin = f"{parts.scheme}://{parts.netloc}"
        self._base = parts.path.rstrip("/") + (f"/{bucket}/" if link.path_style else "/")
        self._extra = {"x-amz-request-payer": "requester"} if requester_pays else {}
        self._context = ssl.create_default_context(cafile=link.certificates) if self._https else None
        self._signer = Signer(link)
        self._lock = threading.Lock()
        self._idle: list[tuple[Connection, float]] = []
        self._connections = connections
        self._turn = threading.Lock()

    def read(
        self, key: str, etag: str, start: int, views: Iterable[memoryview], subject: Subject, deadline: Deadline
    ) -> None:
        """Fill `views` with the bytes from `start` on of `key` at `etag`. Raises StoreError."""
        wanted = [view.cast("B") for view in views]
        stop = start + sum(len(view) for view in wanted)
        path = self._base + quote(key.encode("utf-8", "surrogateescape"), safe="/~")
        headers = {"Range": f"bytes={start}-{stop - 1}", "User-Agent": "mountnd", **self._extra}
        if etag:
            headers["If-Match"] = etag
        connection: Connection | None = None
        try:
            headers = self._signer.headers(self._origin + path, headers)
            connection = self._take() or self._connect(deadline)
            answer = connection.ask(path, headers, deadline)
            if answer.status not in (200, 206):
                raise _refusal(answer, subject)
            said = {"ContentRange": answer.getheader("Content-Range"), "ContentLength": answer.length}
            check_range(said, answer.status, start, stop, subject)
            check_etag(answer.getheader("ETag"), etag, subject)
            connection.receive(answer, wanted, subject, deadline)
        except BaseException as error:
            if connection is not None:
                connection.close()
            if isinstance(error, Exception) and not isinstance(error, StoreError):
                raise _translated(error, subject) from error
            raise
        self._give(connection, keep=not answer.will_close)

    def close(self) -> None:
        """Drop the idle connections."""
        with self._lock:
            idle, self._idle = self._idle, []
        for connection, _ in idle:
            connection.close()

    def _take(self) -> Connection | None:
        """The idle connection used last (its TCP window is the widest), None when there is none that lives."""
        while True:
            with self._lock:
                if not self._idle:
                    return None
                connection, since = self._idle.pop()
            if time.monotonic() - since < KEPT_S and connection.alive():
                return connection
            connection.close()

    def _give(self, connection: Connection, *, keep: bool) -> None:
        with self._lock:
            keep = keep and len(self._idle) < self._connections
            if keep:
                self._idle.append((connection, time.monotonic()))
        if not keep:
            connection.close()

    def _connect(self, deadline: Deadline) -> Connection:
        seconds = min(CONNECT_S, deadline.left())
        if seconds <= 0:
            raise TimedOut("no time left to connect")
        http_ = (
            http.client.HTTPSConnection(self._host, self._port, timeout=seconds, context=self._context)
            if self._context is not None
            else http.client.HTTPConnection(self._host, self._port, timeout=seconds)
        )
        http_.connect()
        return Connection(http_, self._turn)


def _refusal(answer: http.client.HTTPResponse, subject: Subject) -> StoreError:
    """The error that an answer other than 200 or 206 means, by its `Error.Code`, else by its status."""
    body = answer.read(_ERROR_BODY)
    fault: dict[str, str] = {}
    try:
        root = ElementTree.fromstring(body)
        fault = {child.tag.rpartition("}")[2]: child.text or "" for child in root}
    except ElementTree.ParseError:
        pass  # a HEAD-like answer, or a proxy's page: the status has to do
    headers = {name.lower(): value for name, value in answer.getheaders()}
    return from_response(
        {"Error": fault, "ResponseMetadata": {"HTTPStatusCode": answer.status, "HTTPHeaders": headers}}, subject
    )


def _translated(error: Exception, subject: Subject) -> StoreError:
    if isinstance(error, http.client.HTTPException):
        broken = isinstance(error, http.client.RemoteDisconnected | http.client.IncompleteRead)
        kind = Unreachable if broken else BadAnswer
        return kind(f"{subject}: not an answer in HTTP, or a broken one ({type(error).__name__})")
    return translate(error, subject)
