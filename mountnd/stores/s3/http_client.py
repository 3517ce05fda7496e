"""Requests for bytes and names of one bucket, by our own HTTP client (`http/connections.py`), signed by botocore.

256 MiB take 0.45 s of CPU; clients that hand a body over in pieces, to be copied once more, take 0.7 s and more, where
a mount, its reader and the kernel share two cores.

Through a proxy, https goes by CONNECT, and plain http by naming the whole URL. A request is signed for the bucket's
host either way; what the proxy itself is told is not part of the signature. No redirect is followed: a signature, a
session token and the trust in names are for this server. Where a bucket lies elsewhere, the error says so.
"""

from __future__ import annotations

import http.client
import ssl
from collections.abc import Callable, Iterable, Mapping
from functools import cache, partial
from types import MappingProxyType
from typing import NamedTuple
from urllib.parse import quote, urlsplit
from xml.etree import ElementTree

from ...errors import BadAnswer, Forbidden, NotFound, StoreError
from ..base import NEAR_S, Deadline, ShortRead
from ..http.connecting import Route
from ..http.connection import Connection
from ..http.connections import Connections
from ..http.expected import Expected
from ..http.faults import is_told_to_use_tls, tls_only
from ..http.ranges import check_range
from ..http.short_gets import ShortGet, ShortGets
from ..http.timeouts import USUAL
from ..http.versions import Answer, size_in
from ..http.web_page import described, is_page
from ..via.manner import Origin
from .access.connect import BucketAccess
from .signing import Signer
from .translate import Subject, error_from_response, translate

# Who asks for a name wants its bytes next, over several connections. So many are opened meanwhile where they share
# first reads. (With 16 twelve NWB files took 0.45 s at 30 ms, with 8 0.6.)
AHEAD = 16
# Where they do not: near a server, or with few connections; then at most this part of those that there may be.
AHEAD_NEAR, AHEAD_PART = 8, 8
# Short GETs that nobody waits for may take as many connections as all others together: only where so many may be open.
CONNECTIONS_TO_BEGIN = 64

# An error's XML is under 1 KiB; what is longer is somebody's page.
ERROR_BODY_MAX = 64 << 10


class Reply(NamedTuple):
    """An answer that was received whole; that of a refusal, as far as it came. `headers`: found in any case."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    def error(self, subject: Subject) -> StoreError:
        """What a status other than 200 or 206 means, by the `Error.Code`, else by the status."""
        if self.status == 400 and is_told_to_use_tls(self.body):
            return tls_only(subject.url, subject.place)
        fault: dict[str, str] = {}
        try:
            root = ElementTree.fromstring(self.body)
            fault = {child.tag.rpartition("}")[2]: child.text or "" for child in root}
        except (ElementTree.ParseError, ValueError, LookupError):
            pass  # that of a HEAD, or a proxy's page: the status has to do
        headers = {name.lower(): text for name, text in self.headers.items()}
        meta = {"HTTPStatusCode": self.status, "HTTPHeaders": headers}
        error = error_from_response({"Error": fault, "ResponseMetadata": meta}, subject)
        if "Code" in fault or not is_page(self.body) or type(error) not in (Forbidden, NotFound, StoreError):
            return error
        said = f"{subject.place} answered {self.status} with {described(self.body)}: a proxy's, or no S3 server's"
        told = type(error)(f"{subject}: {said}", code=error.code)
        if isinstance(error, Forbidden) and isinstance(told, Forbidden):
            told.server_time = error.server_time
        return told


class HttpClient:
    """One bucket over HTTP.

    Args:
        connections: kept open when idle, at most; as many as callers may be open at once.
        context: makes the TLS context, once; that of another client with the same trust. None: one of its own.

    Attributes:
        context: see above.
        origin: where the bucket is.
        place: host that is asked, with its port where that is not the scheme's own.
    """

    def __init__(
        self,
        access: BucketAccess,
        bucket: str,
        *,
        requester_pays: bool,
        connections: int,
        context: Callable[[], ssl.SSLContext] | None = None,
    ) -> None:
        parts = urlsplit(access.endpoint)
        https = parts.scheme == "https"
        self._route = Route(parts.hostname or "", parts.port or (443 if https else 80), https, access.proxy)
        self.place = self._route.place
        self._origin = f"{parts.scheme}://{self.place}"
        self._bucket = parts.path.rstrip("/") + (f"/{bucket}" if access.path_style else "")
        self.origin = Origin(parts.scheme, self.place, self._bucket, bucket)
        self._headers = {"User-Agent": "mountnd"} | ({"x-amz-request-payer": "requester"} if requester_pays else {})
        self._signer = Signer(access)
        # One for all connections: to load the system's certificates takes 25 ms.
        self.context = context or cache(access.trust.context)
        # Others than those for bytes, which are warm: a window that has grown is not for a short answer. But an idle
        # one saves the round trips that opening one takes, and those that were opened ahead are warm for nobody yet.
        self._names = Connections(connections, self.context)
        self._bytes = Connections(connections, self.context, self._names)
        self._names.borrow(self._bytes)
        self._connections = connections
        self._short_gets = ShortGets(self._bytes, self._route, most=connections, silence=USUAL.silence)

    def read(
        self,
        key: str,
        start: int,
        views: Iterable[memoryview],
        subject: Subject,
        deadline: Deadline,
        *,
        version: str = "",
        if_match: str = "",
        accept: Callable[[Answer], object] = lambda _: None,
    ) -> None:
        """Fill `views` with the bytes from `start` on of `key`. Raises StoreError.

        Args:
            version: the version id; "" for the current one.
            if_match: the header as it stands; "" for none.
            accept: is told the head of the answer before its body is received, and may raise.
        """
        buffers = [view.cast("B") for view in views]
        stop = start + sum(len(buffer) for buffer in buffers)
        target = self._bucket + quoted(key, version)
        headers = self._sign("GET", target, self._range_of(start, stop, if_match), subject, deadline)
        with self._bytes.ask(
            self._route, "GET", target, headers, subject, deadline, lambda error: translate(error, subject)
        ) as (connection, answer):
            if answer.status not in (200, 206):
                raise _reply(connection, answer, ERROR_BODY_MAX, subject, deadline).error(subject)
            _check(answer, accept, start, stop, subject)
            connection.receive(answer, buffers, subject, deadline)

    def begin(self, read: ShortRead, expected: Expected, subject: Subject) -> bool:
        """As `read`, without a thread that waits; see `Store.begin_read`. Answers are judged on the event loop's
        thread."""
        if not self._begins:
            return False
        id, buffers = read.id, [view.cast("B") for view in read.views]
        target = self._bucket + quoted(id.key, id.version)
        said = set[tuple[str, str, str]]()

        def signed(start: int, stop: int) -> dict[str, str]:
            return self._sign("GET", target, self._range_of(start, stop, expected.if_match), subject, read.deadline)

        def take(answer: http.client.HTTPResponse, start: int, stop: int) -> None:
            if answer.status not in (200, 206):
                raise BadAnswer(f"{subject}: HTTP {answer.status}", code=str(answer.status))
            told = _check(answer, expected.accept, start, stop, subject)
            said.add((told.etag, told.date, told.version))
            if len(said) > 1:  # replaced under one ETag, perhaps, while several were under way
                raise BadAnswer(f"{subject}: answers of several versions", code="Version")

        check = partial(expected.check, read.start, buffers)
        return self._short_gets.begin(ShortGet(read._replace(views=buffers), target, signed, take, check))

    def _range_of(self, start: int, stop: int, if_match: str) -> dict[str, str]:
        """The headers of a GET, unsigned."""
        headers = {"Range": f"bytes={start}-{stop - 1}", **self._headers}
        return {**headers, "If-Match": if_match} if if_match else headers

    def ask(
        self,
        method: str,
        key: str,
        query: Mapping[str, object],
        subject: Subject,
        deadline: Deadline,
        *,
        most: int,
        signed: bool = True,
        headers: Mapping[str, str] = MappingProxyType({}),
    ) -> Reply:
        """A whole answer, whatever its status. Raises StoreError; BadAnswer where its body has more than `most` bytes.

        Args:
            key: "" for the bucket itself.
            query: what stands behind the question mark, by name.
            headers: beside those of every request.
        """
        target = self._target(key) + ("?" + _query(query) if query else "")
        sent = {**self._headers, **headers}
        if signed:
            sent = self._sign(method, target, sent, subject, deadline)
        if self._names.is_ready(self._route):
            self._bytes.prepare(self._route, self._ahead())
        with self._names.ask(
            self._route, method, target, sent, subject, deadline, lambda error: translate(error, subject)
        ) as (connection, answer):
            reply = _reply(connection, answer, most, subject, deadline)
        self._bytes.prepare(self._route, self._ahead())
        return reply

    @property
    def latency(self) -> float | None:
        """Seconds from a request to the head of its answer, the shortest that was seen; None before one."""
        shortest = min(self._names.shortest_wait, self._bytes.shortest_wait)
        return shortest if shortest < float("inf") else None

    def connections_for(self, length: int, sharing: int) -> int:
        """As `Store.connections_for`."""
        return self._short_gets.connections_for(length, sharing) if self._begins else 0

    def close(self) -> None:
        """Drop the idle connections, and end what was begun."""
        self._bytes.close()
        self._names.close()
        self._short_gets.close()

    @property
    def _begins(self) -> bool:
        """Whether a request can be made without waiting."""
        return self._signer.is_ready and (self._route.proxy is None or self._route.tunnels)

    def _ahead(self) -> int:
        """How many connections are to be idle when a name has come."""
        if self._connections >= CONNECTIONS_TO_BEGIN and (self.latency or 0) >= NEAR_S:
            return AHEAD
        return min(AHEAD_NEAR, self._connections // AHEAD_PART)

    def _target(self, key: str) -> str:
        if not key:
            return self._bucket or "/"
        return self._bucket + quoted(key)

    def _sign(
        self, method: str, target: str, headers: dict[str, str], subject: Subject, deadline: Deadline
    ) -> dict[str, str]:
        try:
            return self._signer.headers(method, self._origin + target, headers, deadline)
        except StoreError:
            raise
        except Exception as error:
            raise translate(error, subject) from error


def _check(
    answer: http.client.HTTPResponse, accept: Callable[[Answer], object], start: int, stop: int, subject: Subject
) -> Answer:
    """The head of an answer that has bytes. Raises what `accept` does, and BadAnswer where it has not these."""
    content_range = answer.headers.get("Content-Range")
    told = Answer.of(answer.headers, size_in(answer.status, content_range, answer.length))
    accept(told)
    check_range(answer.status, content_range, answer.length, start, stop, subject)
    return told


def quoted(key: str, version: str = "") -> str:
    """A key as it stands in a URL's path, with the slash before it; and the query for a version id, if there is one."""
    query = f"?{_query({'versionId': version})}" if version else ""
    return f"/{quote(key.encode('utf-8', 'surrogateescape'), safe='/~')}{query}"


def _query(query: Mapping[str, object]) -> str:
    """As signatures want it: sorted, and all but RFC 3986's unreserved characters quoted."""
    pairs = sorted((quote(name, safe="-_.~"), quote(str(value), safe="-_.~")) for name, value in query.items())
    return "&".join(f"{name}={value}" for name, value in pairs)


def _reply(
    connection: Connection, answer: http.client.HTTPResponse, most: int, subject: Subject, deadline: Deadline
) -> Reply:
    try:
        good = answer.status == 200
        body = connection.document(answer, most if good else ERROR_BODY_MAX, subject, deadline)
    except (StoreError, http.client.HTTPException, OSError):
        if good:
            raise
        deadline.check(subject)
        body = b""  # the status of a refusal has said what matters
    return Reply(answer.status, answer.headers, body)
