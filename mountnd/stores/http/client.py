"""Plain HTTP: what a URL's file is, and ranges of it, checked against what was asked for.

Used where there is a URL and nothing else: signed links, files and directories of a web server.
"""

from __future__ import annotations

import os
import re
import ssl
import threading
import urllib.request
from collections.abc import Mapping, Sequence
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from ...errors import BadAnswer, Changed, NotFound, StoreError, TimedOut, Unreachable
from ..base import Deadline
from .status import by_status

# As for S3: connecting takes three round trips, and a server that sends nothing for ten seconds has lost us.
CONNECT_S = 5.0
IDLE_S = 10.0

# Read in pieces, so that a server which trickles is noticed between them.
_PIECE = 1 << 18

_TOTAL = re.compile(r"bytes (?:(\d+)-(\d+)|\*)/(\d+|\*)\s*\Z")


class Seen(NamedTuple):
    """What headers say of a file: bytes (None: they do not say), version token, LastModified in ns (0: unknown)."""

    size: int | None
    token: str
    mtime_ns: int


def content_range(text: str | None) -> tuple[int, int, int | None] | None:
    """`bytes 5-9/100` -> (5, 10, 100); total None for `*`; None when it says nothing. Pure."""
    found = _TOTAL.match(text or "")
    if not found or found[1] is None:
        return None
    return int(found[1]), int(found[2]) + 1, None if found[3] == "*" else int(found[3])


def seen(headers: Mapping[str, str], size: int | None) -> Seen:
    """Token and time of a file of `size` bytes by its answer's headers. Pure.

    The token is the ETag; without one, size and Last-Modified, which is weaker: two writes within a second look alike.
    """
    modified = headers.get("Last-Modified", "")
    try:
        mtime_ns = int(parsedate_to_datetime(modified).timestamp()) * 10**9
    except (ValueError, TypeError):
        mtime_ns = 0
    return Seen(size, headers.get("ETag") or f"{size}-{modified}", mtime_ns)


def strong(token: str) -> bool:
    """Whether If-Match can be asked with it (RFC 9110, 13.1.1: never with a weak one). Pure."""
    return token.startswith('"')


class Web:
    """HTTP requests from many threads over kept connections. Raises StoreError.

    Proxies come from the environment; a CA of one's own by SSL_CERT_FILE or AWS_CA_BUNDLE is trusted.

    Args:
        connections: kept open to one host.
        codes: what an XML body's `Code` means (S3 behind a plain URL); goes before the status.
    """

    def __init__(self, *, connections: int = 32, codes: Mapping[str, type[StoreError]] | None = None) -> None:
        self._connections, self._codes = connections, codes or {}
        self._lock = threading.Lock()  # leaf lock: guards _pools
        self._pools: dict[str | None, Any] = {}

    def head(self, url: str, name: str, deadline: Deadline) -> Seen:
        """What is at `url`; by a GET of one byte where the server refuses HEAD, or leaves the size out."""
        response = self._ask("HEAD", url, {}, name, deadline)
        response.drain_conn()
        response.release_conn()
        length = response.headers.get("Content-Length", "")
        if response.status == 200 and length.isdigit():
            return seen(response.headers, int(length))
        if response.status in (404, 410):
            raise NotFound(f"{name}: not found (HTTP {response.status})", code=str(response.status))
        return self.first_byte(url, name, deadline)

    def first_byte(self, url: str, name: str, deadline: Deadline) -> Seen:
        """What is at `url`, by a GET of its first byte: a URL that is signed for GET refuses HEAD."""
        response = self._ask("GET", url, {"Range": "bytes=0-0"}, name, deadline)
        if response.status == 416 and response.headers.get("Content-Range", "").replace(" ", "").endswith("*/0"):
            _drop(response)  # an empty file has no first byte; asked whole, it tells the rest
            response = self._ask("GET", url, {}, name, deadline)
        try:
            if response.status not in (200, 206):
                raise self._refusal(response, name)
            place, length = (
                content_range(response.headers.get("Content-Range")),
                response.headers.get("Content-Length", ""),
            )
            if place is not None:
                response.read(2, decode_content=False)  # so that the connection can be kept
                return seen(response.headers, place[2])
            return seen(response.headers, int(length) if response.status == 200 and length.isdigit() else None)
        finally:
            _drop(response)

    def read(
        self, url: str, token: str, start: int, views: Sequence[memoryview], name: str, deadline: Deadline
    ) -> None:
        """Fill `views` from byte `start` on, of the version `token`."""
        stop = start + sum(len(view) for view in views)
        headers = {"Range": f"bytes={start}-{stop - 1}"}
        if strong(token):
            headers["If-Match"] = token
        response = self._ask("GET", url, headers, name, deadline)
        try:
            if response.status not in (200, 206):
                raise self._refusal(response, name)
            said, length = response.headers.get("Content-Range"), response.headers.get("Content-Length", "")
            place = content_range(said)
            total = place[2] if place else int(length) if length.isdigit() else None
            if seen(response.headers, total).token != token:
                raise Changed(f"{name}: the file was replaced since it was opened", code="ETag")
            # A whole body (200 without Content-Range) is right only when the whole file was asked for.
            if place[:2] != (start, stop) if place else (start != 0 or total != stop):
                got = said or "the whole file"
                raise BadAnswer(f"{name}: asked for bytes {start}-{stop - 1}, got {got}", code="Content-Range")
            for view in views:
                _fill(response, view, name, deadline)
        except StoreError:
            _drop(response)
            raise
        response.release_conn()

    def page(self, url: str, name: str, deadline: Deadline, *, most: int = 1 << 26) -> tuple[str, bytes]:
        """A whole small document, and the URL it was at after redirects. Raises BadAnswer past `most` bytes."""
        response = self._ask("GET", url, {}, name, deadline)
        try:
            if response.status != 200:
                raise self._refusal(response, name)
            body = bytearray()
            while piece := _read(response, _PIECE, name, deadline):
                body += piece
                if len(body) > most:
                    raise BadAnswer(f"{name}: a page of links of more than {most >> 20} MiB", code="Body")
            place = response.geturl() or url
            return place if "://" in place else url, bytes(body)
        finally:
            _drop(response)

    def close(self) -> None:
        """Drop the connections."""
        with self._lock:
            pools, self._pools = list(self._pools.values()), {}
        for pool in pools:
            pool.clear()

    def _ask(self, method: str, url: str, headers: dict[str, str], name: str, deadline: Deadline) -> Any:
        import urllib3

        left = deadline.left()
        if left <= 0:
            raise TimedOut(f"{name}: no time left to ask")
        try:
            return self._pool(url).request(
                method,
                url,
                headers={"Accept-Encoding": "identity", "User-Agent": "mountnd", **headers},
                timeout=urllib3.Timeout(connect=min(CONNECT_S, left), read=min(IDLE_S, left)),
                # `stores/retry.py` repeats; only redirects are followed here
                retries=urllib3.Retry(5, connect=0, read=0, status=0, other=0, redirect=5, raise_on_redirect=False),
                preload_content=False,
                decode_content=False,
            )
        except urllib3.exceptions.HTTPError as error:
            raise _broken(error, name) from error

    def _pool(self, url: str) -> Any:
        parts = urlsplit(url)
        proxy = None
        if not urllib.request.proxy_bypass(parts.hostname or ""):
            proxy = urllib.request.getproxies().get(parts.scheme)
        with self._lock:
            if proxy not in self._pools:
                self._pools[proxy] = _make_pool(proxy, self._connections)
            return self._pools[proxy]

    def _refusal(self, response: Any, name: str) -> StoreError:
        kind, label = by_status(response.status), f"HTTP {response.status}"
        if self._codes and (found := re.search(rb"<Code>(\w+)</Code>", _rest(response))):
            label = found[1].decode()
            kind = self._codes.get(label, kind)
        return kind(f"{name}: the server refused ({label})", code=label)


def _make_pool(proxy: str | None, connections: int) -> Any:
    import urllib3

    trusted = ssl.create_default_context()  # takes SSL_CERT_FILE by itself
    if bundle := os.environ.get("AWS_CA_BUNDLE"):
        trusted.load_verify_locations(bundle)
    if proxy:
        return urllib3.ProxyManager(proxy, maxsize=connections, ssl_context=trusted)
    return urllib3.PoolManager(maxsize=connections, ssl_context=trusted)


def _fill(response: Any, view: memoryview, name: str, deadline: Deadline) -> None:
    at = 0
    while at < len(view):
        piece = _read(response, min(_PIECE, len(view) - at), name, deadline)
        if not piece:
            raise BadAnswer(f"{name}: the body ended {len(view) - at} bytes early", code="Body")
        view[at : at + len(piece)] = piece
        at += len(piece)


def _read(response: Any, size: int, name: str, deadline: Deadline) -> bytes:
    import urllib3

    if deadline.left() <= 0:
        raise TimedOut(f"{name}: no answer in time", code="Deadline")
    try:
        # What is there, not all of it: a server that trickles would be waited for past the deadline.
        piece: bytes = response.read1(size, decode_content=False)
    except urllib3.exceptions.HTTPError as error:
        raise _broken(error, name) from error
    return piece


def _rest(response: Any) -> bytes:
    """The body of a refusal, as far as it comes."""
    try:
        body: bytes = response.read(1 << 16, decode_content=False)
    except Exception:  # the status has said enough
        return b""
    return body


def _drop(response: Any) -> None:
    # Closed, not given back: what is left of its body may be the whole file.
    response.close()
    response.release_conn()


def _broken(error: Exception, name: str) -> StoreError:
    import urllib3

    while isinstance(error, urllib3.exceptions.MaxRetryError) and isinstance(error.reason, Exception):
        error = error.reason
    code = type(error).__name__
    # NewConnectionError (refused, unknown host) is a ConnectTimeoutError to urllib3
    if isinstance(error, urllib3.exceptions.TimeoutError) and not isinstance(
        error, urllib3.exceptions.NewConnectionError
    ):
        return TimedOut(f"{name}: no answer in time ({code})", code=code)
    if isinstance(error, (urllib3.exceptions.LocationValueError, urllib3.exceptions.URLSchemeUnknown)):
        return StoreError(f"{name}: not a URL that can be asked ({code})", code=code)
    return Unreachable(f"{name}: no connection, or it broke ({code})", code=code)
