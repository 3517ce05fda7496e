"""Requests to plain URLs: what file is there, and ranges of it, checked against what was asked for.

Used where there is a URL and nothing else: signed links, files and directories of a web server.
"""

from __future__ import annotations

import http.client
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from ...errors import BadAnswer, Intercepted, NotFound, StoreError, Unreachable
from ..base import Deadline
from ..facts import size_of
from . import redirects
from .connecting import Route
from .connection import Connection
from .connections import Connections
from .faults import WEB_PAGE, error_from_exception, is_told_to_use_tls, tls_only
from .ranges import check_range, parse_content_range
from .status import error_type, request_id_in
from .trust import usual_context
from .versions import Answer, size_in

# A refusal's body is under 1 KiB where it has a code; what is longer is somebody's page.
_REFUSAL_MAX = 64 << 10
# An index page takes some 200 bytes a file. Each file costs a request for its size, so that 80,000 are many.
DOCUMENT_MAX = 16 << 20


class _Reply(NamedTuple):
    """The head of an answer, and what receives its body."""

    connection: Connection
    answer: http.client.HTTPResponse
    url: str

    @property
    def length(self) -> int | None:
        return size_of(self.answer.headers.get("Content-Length", ""))


class WebClient:
    """HTTP requests from many threads over kept connections. Raises StoreError.

    Proxies and trusted certificates come from the environment (`proxy.py`, `trust.py`), redirects are followed as
    `redirects.py` says. Every call takes the `name` of what is requested, for messages.

    Args:
        connections: kept open, at most.
        codes: what an XML body's `Code` means (S3 behind a plain URL); goes before the status.
    """

    def __init__(self, *, connections: int = 32, codes: Mapping[str, type[StoreError]] | None = None) -> None:
        self._connections, self._codes = Connections(connections, usual_context), codes or {}

    def head(self, url: str, name: str, deadline: Deadline) -> Answer:
        """What is at `url`; by a GET of one byte where the server refuses HEAD, or leaves the size out."""
        with self._request("HEAD", url, {}, name, deadline) as reply:
            status, length, headers = reply.answer.status, reply.length, reply.answer.headers
        if status == 200 and length is not None:
            return Answer.of(headers, length)
        if status in (404, 410):
            raise NotFound(f"{name}: not found (HTTP {status})", code=str(status))
        return self.first_byte(url, name, deadline)

    def first_byte(self, url: str, name: str, deadline: Deadline) -> Answer:
        """What is at `url`, by a GET of its first byte: a URL that is signed for GET refuses HEAD."""
        with self._request("GET", url, {"Range": "bytes=0-0"}, name, deadline) as reply:
            said = reply.answer.headers.get("Content-Range", "")
            if reply.answer.status != 416 or not said.replace(" ", "").endswith("*/0"):
                return self._first_byte(reply, name, deadline)
        with self._request("GET", url, {}, name, deadline) as reply:  # an empty file has none; the whole tells the rest
            return self._first_byte(reply, name, deadline)

    def _first_byte(self, reply: _Reply, name: str, deadline: Deadline) -> Answer:
        answer = reply.answer
        if answer.status not in (200, 206):
            raise self._error(reply, name, deadline)
        place = parse_content_range(answer.headers.get("Content-Range"))
        if place is None:
            return Answer.of(answer.headers, reply.length if answer.status == 200 else None)
        if answer.length == 1:
            reply.connection.document(answer, 1, name, deadline)  # so that the connection can be kept
        return Answer.of(answer.headers, place[2])

    def read(
        self,
        url: str,
        start: int,
        views: Sequence[memoryview],
        name: str,
        deadline: Deadline,
        *,
        if_match: str = "",
        accept: Callable[[Answer], object] = lambda _: None,
    ) -> None:
        """Fill `views` from byte `start` on.

        Args:
            if_match: the header as it stands; "" for none.
            accept: is told the head of the answer before its body is received, and may raise.
        """
        buffers = [view.cast("B") for view in views]
        stop = start + sum(len(buffer) for buffer in buffers)
        headers = {"Range": f"bytes={start}-{stop - 1}"}
        if if_match:
            headers["If-Match"] = if_match
        with self._request("GET", url, headers, name, deadline) as reply:
            answer = reply.answer
            if answer.status not in (200, 206):
                raise self._error(reply, name, deadline)
            content_range, length = answer.headers.get("Content-Range"), reply.length
            accept(Answer.of(answer.headers, size_in(answer.status, content_range, length)))
            check_range(answer.status, content_range, length, start, stop, name)
            reply.connection.receive(answer, buffers, name, deadline)

    def document(self, url: str, name: str, deadline: Deadline) -> tuple[str, bytes]:
        """A whole small document, and the URL it was at after redirects. Raises BadAnswer past `DOCUMENT_MAX` bytes."""
        with self._request("GET", url, {}, name, deadline) as reply:
            if reply.answer.status != 200:
                raise self._error(reply, name, deadline)
            return reply.url, reply.connection.document(reply.answer, DOCUMENT_MAX, name, deadline)

    def post(
        self,
        url: str,
        body: bytes,
        headers: Mapping[str, str],
        name: str,
        deadline: Deadline,
        *,
        most: int,
        silence: float,
    ) -> tuple[int, bytes]:
        """The status and the body of the answer to a question that changes nothing at the server (GraphQL).

        Args:
            headers: `Content-Type` among them.
            most: bytes of the answer; BadAnswer past them.
            silence: seconds that the server may think about it.

        Raises StoreError where no answer comes; whatever status one has, it is returned.
        """
        with self._request("POST", url, dict(headers), name, deadline, body=body, silence=silence) as reply:
            if reply.answer.status in (407, 511):
                raise self._error(reply, name, deadline)
            return reply.answer.status, reply.connection.document(reply.answer, most, name, deadline)

    def close(self) -> None:
        """Drop the connections."""
        self._connections.close()

    @contextmanager
    def _request(
        self,
        method: str,
        url: str,
        headers: dict[str, str],
        name: str,
        deadline: Deadline,
        *,
        body: bytes | None = None,
        silence: float | None = None,
    ) -> Iterator[_Reply]:
        """The answer to a request, wherever it leads; good inside the block only."""
        deadline.check(name)
        headers = {"Accept-Encoding": "identity", "User-Agent": "mountnd", **headers}
        allowed: Callable[[str], bool] | None = None
        for _ in range(redirects.REDIRECTS_MAX + 1):
            route = _route(url, name, allowed)

            def translate(error: Exception, route: Route = route) -> StoreError:
                return error_from_exception(error, name, str(route.proxy or ""), route.place)

            target = redirects.target_of(url)
            with self._connections.ask(
                route, method, target, headers, name, deadline, translate, allowed=allowed, body=body, silence=silence
            ) as (connection, answer):
                there = redirects.followed(url, answer.status, answer.headers.get("Location"), name)
                if there is not None and body is not None and answer.status not in redirects.KEEP_METHOD:
                    raise BadAnswer(f"{name}: the server leads to {there}; name that address", code="Location")
                if there is None:
                    yield _Reply(connection, answer, url)
                    return
                allowed = redirects.reachable_from(connection.peer if route.proxy is None else "")
            url = there
        raise BadAnswer(f"{name}: the server leads from place to place without an end", code="Location")

    def _error(self, reply: _Reply, name: str, deadline: Deadline) -> StoreError:
        """The error that a refusal means, by the code in its body where codes are known, else by its status."""
        status = reply.answer.status
        if status == 407:
            proxy = _route(reply.url, name).proxy
            return Unreachable(
                f"{name}: the proxy {proxy} needs a user and password, or rejected those given", code="407"
            )
        if status == 511:  # RFC 6585, section 6: a captive portal's
            return Intercepted(f"{name}: this network wants you to sign in first (511)", code=WEB_PAGE)
        kind, label = error_type(status), f"HTTP {status}"
        if status == 400 and is_told_to_use_tls(_refusal(reply, name, deadline)):
            return tls_only(name, _route(reply.url, name).place)
        if self._codes and (found := re.search(rb"<Code>(\w{1,64})</Code>", _refusal(reply, name, deadline))):
            label = found[1].decode()
            kind = self._codes.get(label, kind)
        error = kind(f"{name}: the server refused ({label})", code=label)
        error.request_id = request_id_in(reply.answer.headers.get)
        return error


def _route(url: str, name: str, allowed: Callable[[str], bool] | None = None) -> Route:
    try:
        route = Route.to(url)
    except StoreError as error:
        raise StoreError(f"{name}: {error}", code=error.code) from error
    if route.proxy is not None and route.proxy.scheme != "http":
        raise StoreError(f"{name}: the proxy {route.proxy} is spoken to by TLS; name one with http://", code="Proxy")
    if route.proxy is not None and allowed is not None and not allowed(route.host):
        raise BadAnswer(f"{name}: the server leads into a private network; not followed", code="Location")
    return route


def _refusal(reply: _Reply, name: str, deadline: Deadline) -> bytes:
    """The body of a refusal, as far as it comes: the status has said enough."""
    try:
        return reply.connection.document(reply.answer, _REFUSAL_MAX, name, deadline)
    except (StoreError, http.client.HTTPException, OSError):
        deadline.check(name)
        return b""
