"""Bytes: ranged GETs by `http.client`, whose bodies are received straight into the cache's blocks.

obstore (`bodies.py`) joins the pieces of a body and hands them over to be copied once more, into fresh memory each
time: 0.7 s of CPU for 256 MiB against 0.45 s here, where a mount, its reader and the kernel share two cores. So
this carries what it can; obstore carries what needs a proxy.

A body is received by blocking `recv` with MSG_WAITALL: one call and one wait for the GIL for each run of blocks,
not one for each packet. The kernel keeps the time (SO_RCVTIMEO).

Lock order: `Wire._lock` is a leaf: it guards the idle connections.
"""

from __future__ import annotations

import http.client
import socket
import ssl
import struct
import threading
import time
from collections.abc import Iterable, Mapping
from urllib.parse import quote, urlsplit
from xml.etree import ElementTree

from ...errors import BadAnswer, StoreError, TimedOut, Unreachable
from ..base import Deadline
from .link import CONNECT_S, IDLE_S, Link
from .names import check_etag, check_range
from .signing import Signer
from .translate import Subject, from_response, translate

# S3 closes a connection that was idle for some 20 s; one that it closed is noticed before it is used.
KEPT_S = 60.0
# TLS records received (16 KiB each) before the kernel's time-out is set anew: that takes as long as to receive one.
_RECORDS = 64
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
        self._idle: list[tuple[_Connection, float]] = []
        self._connections = connections

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
        connection: _Connection | None = None
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

    def _take(self) -> _Connection | None:
        """The idle connection used last (its TCP window is the widest), None when there is none that lives."""
        while True:
            with self._lock:
                if not self._idle:
                    return None
                connection, since = self._idle.pop()
            if time.monotonic() - since < KEPT_S and connection.alive():
                return connection
            connection.close()

    def _give(self, connection: _Connection, *, keep: bool) -> None:
        with self._lock:
            keep = keep and len(self._idle) < self._connections
            if keep:
                self._idle.append((connection, time.monotonic()))
        if not keep:
            connection.close()

    def _connect(self, deadline: Deadline) -> _Connection:
        seconds = min(CONNECT_S, deadline.left())
        if seconds <= 0:
            raise TimedOut("no time left to connect")
        http_ = (
            http.client.HTTPSConnection(self._host, self._port, timeout=seconds, context=self._context)
            if self._context is not None
            else http.client.HTTPConnection(self._host, self._port, timeout=seconds)
        )
        http_.connect()
        return _Connection(http_, tls=self._https)


class _Connection:
    """One kept-alive connection; used by one thread at a time."""

    def __init__(self, http_: http.client.HTTPConnection, *, tls: bool) -> None:
        self._http, self._socket = http_, http_.sock
        # TLS comes in records of 16 KiB, and its recv takes no flags.
        self._flags = 0 if tls else socket.MSG_WAITALL

    def alive(self) -> bool:
        """Whether the server has neither closed it nor said anything unasked."""
        plain = socket.socket.recv  # of an SSL socket too: bytes on the wire, whatever they mean
        self._socket.setblocking(False)
        try:
            plain(self._socket, 1, socket.MSG_PEEK)
        except BlockingIOError:
            return True
        except OSError:
            return False
        return False

    def ask(self, path: str, headers: Mapping[str, str], deadline: Deadline) -> http.client.HTTPResponse:
        """Send a GET and wait for the head of its answer."""
        self._socket.settimeout(_patience(deadline))
        self._http.putrequest("GET", path, skip_accept_encoding=True)
        for name, value in headers.items():
            if name.lower() != "host":
                self._http.putheader(name, value)
        self._http.endheaders()
        return self._http.getresponse()

    def receive(
        self, answer: http.client.HTTPResponse, views: list[memoryview], subject: Subject, deadline: Deadline
    ) -> None:
        """Receive the body into `views`, which are exactly as long."""
        if answer.chunked:  # a gateway's doing: its frames are taken off by http.client
            self._receive_chunks(answer, views, subject, deadline)
            return
        buffered = answer.fp
        held = True  # it may hold what came together with the head: until it gives less than was asked for
        pieces = 0
        for view in views:
            at = 0
            while at < len(view):
                if held:
                    got = buffered.readinto1(view[at:])
                    held = got == len(view) - at
                    self._patiently(deadline)
                else:
                    try:
                        got = self._receive_into(view[at:])
                    except (BlockingIOError, ssl.SSLWantReadError):
                        raise TimedOut(f"{subject}: the server stopped in the middle of its answer") from None
                if not got:
                    raise Unreachable(f"{subject}: the connection broke in the middle of the answer")
                at += got
                pieces += 1
                if at == len(view):
                    continue
                # A short piece of a plain body is a wait that was cut off; TLS gives nothing but short ones.
                if self._flags or not pieces % _RECORDS:
                    self._patiently(deadline)
                elif deadline.left() <= 0:  # a server that trickles
                    raise TimedOut(f"{subject}: the server sent its answer too slowly")
        answer.length = 0
        answer.close()

    def _receive_chunks(
        self, answer: http.client.HTTPResponse, views: list[memoryview], subject: Subject, deadline: Deadline
    ) -> None:
        for view in views:
            at = 0
            while at < len(view):
                self._socket.settimeout(_patience(deadline))
                got = answer.readinto(view[at:])
                if not got:
                    raise BadAnswer(f"{subject}: the body ended {len(view) - at} bytes early", code="Body")
                at += got
        self._socket.settimeout(_patience(deadline))
        if answer.read(1):  # which also takes the last, empty frame off the connection
            raise BadAnswer(f"{subject}: the body goes on past its range", code="Body")

    def close(self) -> None:
        self._http.close()
        self._socket.close()

    def _receive_into(self, view: memoryview) -> int:
        if self._flags:
            return self._socket.recv_into(view, len(view), self._flags)
        return self._socket.recv_into(view)

    def _patiently(self, deadline: Deadline) -> None:
        """Wait in the kernel from now on, as long as the deadline allows."""
        seconds = _patience(deadline)
        self._socket.settimeout(None)
        self._socket.setsockopt(
            socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", int(seconds), int(seconds % 1 * 1e6))
        )


def _patience(deadline: Deadline) -> float:
    """Seconds to wait for the next byte. Raises TimedOut when the deadline is over."""
    left = deadline.left()
    if left <= 0:
        raise TimedOut("no answer in time")
    return max(0.001, min(IDLE_S, left))


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
