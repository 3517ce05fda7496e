"""Bytes: ranged GETs by `http.client`, whose bodies are received straight into the cache's blocks.

256 MiB take 0.45 s of CPU; clients that hand a body over in pieces, to be copied once more, take 0.7 s and more, where
a mount, its reader and the kernel share two cores.

Through a proxy, https goes by CONNECT (`http.client.HTTPConnection.set_tunnel`), and plain http by naming the whole
URL. A request is signed for the bucket's host either way; what the proxy itself is told is not part of the signature.

Lock order: `HttpClient._lock` is a leaf: it guards the idle connections. So is `HttpClient._turn` (`connection.py`).
"""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Callable, Iterable
from urllib.parse import quote, urlsplit
from xml.etree import ElementTree

from ... import descriptors
from ...errors import BadAnswer, StoreError, Unreachable
from ..base import Deadline
from ..http.ranges import check_range
from ..http.timeouts import CONNECT_S
from ..http.versions import Answer, size_in
from .access.connect import BucketAccess
from .connection import Connection
from .signing import Signer
from .translate import Subject, error_from_response, translate

# S3 closes a connection that was idle for some 20 s; one that it closed is noticed before it is used.
IDLE_KEPT_S = 60.0
# An error's XML is under 1 KiB.
_ERROR_BODY = 64 << 10


class HttpClient:
    """The bytes of one bucket's objects.

    Args:
        connections: kept open when idle, at most; as many as callers may be open at once.

    Raises StoreError when the trusted certificates cannot be read.
    """

    def __init__(self, access: BucketAccess, bucket: str, *, requester_pays: bool, connections: int) -> None:
        parts = urlsplit(access.endpoint)
        https = parts.scheme == "https"
        self._host, self._port = parts.hostname or "", parts.port or (443 if https else 80)
        host = f"[{self._host}]" if ":" in self._host else self._host
        # Without the scheme's own port, which is not part of what is signed.
        self._origin = f"{parts.scheme}://{host}" + ("" if self._port == (443 if https else 80) else f":{self._port}")
        self._base = parts.path.rstrip("/") + (f"/{bucket}/" if access.path_style else "/")
        self._extra = {"x-amz-request-payer": "requester"} if requester_pays else {}
        self._context = access.trust.context() if https else None
        self._proxy = access.proxy
        forwarded = self._proxy is not None and not https
        self._target_base = self._origin if forwarded else ""
        self._proxy_headers = self._proxy.headers if forwarded and self._proxy is not None else {}
        self._signer = Signer(access)
        self._lock = threading.Lock()
        self._idle: list[tuple[Connection, float]] = []
        self._connections = connections
        self._turn = threading.Lock()
        descriptors.spare(self.close)

    def read(
        self,
        key: str,
        start: int,
        views: Iterable[memoryview],
        subject: Subject,
        deadline: Deadline,
        *,
        if_match: str = "",
        accept: Callable[[Answer], object] = lambda _: None,
    ) -> None:
        """Fill `views` with the bytes from `start` on of `key`. Raises StoreError.

        Args:
            if_match: the header as it stands; "" for none.
            accept: is told the head of the answer before its body is received, and may raise.
        """
        buffers = [view.cast("B") for view in views]
        stop = start + sum(len(buffer) for buffer in buffers)
        path = self._base + quote(key.encode("utf-8", "surrogateescape"), safe="/~")
        headers = {"Range": f"bytes={start}-{stop - 1}", "User-Agent": "mountnd", **self._extra}
        if if_match:
            headers["If-Match"] = if_match
        connection: Connection | None = None
        try:
            headers = self._signer.headers(self._origin + path, headers)
            if self._proxy_headers:
                headers.update(self._proxy_headers)
            connection = self._idle_connection() or self._connect(deadline)
            with deadline.ending(connection.shut):
                answer = connection.get(self._target_base + path, headers, deadline)
                if answer.status not in (200, 206):
                    raise _error_from_answer(answer, subject)
                content_range = answer.getheader("Content-Range")
                accept(Answer.of(answer.headers, size_in(answer.status, content_range, answer.length)))
                check_range(answer.status, content_range, answer.length, start, stop, subject)
                connection.receive(answer, buffers, subject, deadline)
        except BaseException as error:
            if connection is not None:
                connection.close()
            if not isinstance(error, Exception):
                raise
            if not isinstance(error, StoreError) or error.transient:
                raise deadline.over(subject) or _error_from_exception(error, subject) from error
            raise
        self._release(connection, keep=not answer.will_close)

    def close(self) -> None:
        """Drop the idle connections."""
        with self._lock:
            idle, self._idle = self._idle, []
        for connection, _ in idle:
            connection.close()

    def _idle_connection(self) -> Connection | None:
        """The idle connection used last (its TCP window is the widest), None when there is none that lives."""
        while True:
            with self._lock:
                if not self._idle:
                    return None
                connection, since = self._idle.pop()
            if time.monotonic() - since < IDLE_KEPT_S and connection.alive():
                return connection
            connection.close()

    def _release(self, connection: Connection, *, keep: bool) -> None:
        with self._lock:
            keep = keep and len(self._idle) < self._connections
            if keep:
                self._idle.append((connection, time.monotonic()))
        if not keep:
            connection.close()

    def _connect(self, deadline: Deadline) -> Connection:
        deadline.check(self._host)
        seconds = min(CONNECT_S, deadline.left())
        proxy = self._proxy
        host, port = (proxy.host, proxy.port) if proxy is not None else (self._host, self._port)
        if self._context is None:
            http_ = http.client.HTTPConnection(host, port, timeout=seconds)
        else:
            http_ = http.client.HTTPSConnection(host, port, timeout=seconds, context=self._context)
            if proxy is not None:
                http_.set_tunnel(self._host, self._port, proxy.headers)
        descriptors.opening(http_.connect)
        return Connection(http_, self._turn)


def _error_from_answer(answer: http.client.HTTPResponse, subject: Subject) -> StoreError:
    """The error that an answer other than 200 or 206 means, by its `Error.Code`, else by its status."""
    body = answer.read(_ERROR_BODY)
    fault: dict[str, str] = {}
    try:
        root = ElementTree.fromstring(body)
        fault = {child.tag.rpartition("}")[2]: child.text or "" for child in root}
    except ElementTree.ParseError:
        pass  # a HEAD-like answer, or a proxy's page: the status has to do
    headers = {name.lower(): value for name, value in answer.getheaders()}
    return error_from_response(
        {"Error": fault, "ResponseMetadata": {"HTTPStatusCode": answer.status, "HTTPHeaders": headers}}, subject
    )


def _error_from_exception(error: Exception, subject: Subject) -> StoreError:
    if isinstance(error, http.client.HTTPException):
        broken = isinstance(error, http.client.RemoteDisconnected | http.client.IncompleteRead)
        kind = Unreachable if broken else BadAnswer
        return kind(f"{subject}: invalid or incomplete HTTP response ({type(error).__name__})")
    return translate(error, subject)
