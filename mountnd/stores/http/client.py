"""Requests to plain URLs: what file is there, and ranges of it, checked against what was asked for.

Used where there is a URL and nothing else: signed links, files and directories of a web server.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ...errors import BadAnswer, NotFound, StoreError, TimedOut, Unreachable
from ..base import Deadline
from ..facts import size_of
from .proxy import Proxy, proxy_for
from .ranges import check_range, parse_content_range
from .status import error_type
from .timeouts import CONNECT_S, IDLE_S
from .trust import Trust, settle_trust
from .versions import Answer, size_in

# Read in pieces, so that a server which trickles is noticed between them.
_PIECE = 1 << 18


class WebClient:
    """HTTP requests from many threads over kept connections. Raises StoreError.

    Proxies and trusted certificates come from the environment (`proxy.py`, `trust.py`).
    Every call takes the `name` of what is requested, for messages.

    Args:
        connections: kept open to one host.
        codes: what an XML body's `Code` means (S3 behind a plain URL); goes before the status.
    """

    def __init__(self, *, connections: int = 32, codes: Mapping[str, type[StoreError]] | None = None) -> None:
        self._connections, self._codes = connections, codes or {}
        self._lock = threading.Lock()  # leaf lock: guards _pools
        self._pools: dict[tuple[Proxy | None, bool], Any] = {}

    def head(self, url: str, name: str, deadline: Deadline) -> Answer:
        """What is at `url`; by a GET of one byte where the server refuses HEAD, or leaves the size out."""
        response = self._request("HEAD", url, {}, name, deadline)
        response.drain_conn()
        response.release_conn()
        length = _length(response)
        if response.status == 200 and length is not None:
            return Answer.of(response.headers, length)
        if response.status in (404, 410):
            raise NotFound(f"{name}: not found (HTTP {response.status})", code=str(response.status))
        return self.first_byte(url, name, deadline)

    def first_byte(self, url: str, name: str, deadline: Deadline) -> Answer:
        """What is at `url`, by a GET of its first byte: a URL that is signed for GET refuses HEAD."""
        response = self._request("GET", url, {"Range": "bytes=0-0"}, name, deadline)
        if response.status == 416 and response.headers.get("Content-Range", "").replace(" ", "").endswith("*/0"):
            _drop(response)  # an empty file has no first byte; a GET of the whole tells the rest
            response = self._request("GET", url, {}, name, deadline)
        try:
            if response.status not in (200, 206):
                raise self._error(response, name, url)
            place = parse_content_range(response.headers.get("Content-Range"))
            if place is not None:
                _read(response, 2, name, deadline)  # so that the connection can be kept
                return Answer.of(response.headers, place[2])
            return Answer.of(response.headers, _length(response) if response.status == 200 else None)
        finally:
            _drop(response)

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
        stop = start + sum(len(view) for view in views)
        headers = {"Range": f"bytes={start}-{stop - 1}"}
        if if_match:
            headers["If-Match"] = if_match
        response = self._request("GET", url, headers, name, deadline)
        try:
            if response.status not in (200, 206):
                raise self._error(response, name, url)
            content_range, length = response.headers.get("Content-Range"), _length(response)
            accept(Answer.of(response.headers, size_in(response.status, content_range, length)))
            check_range(response.status, content_range, length, start, stop, name)
            for view in views:
                _fill(response, view, name, deadline)
        except StoreError:
            _drop(response)
            raise
        response.release_conn()

    def document(self, url: str, name: str, deadline: Deadline, *, most: int = 1 << 26) -> tuple[str, bytes]:
        """A whole small document, and the URL it was at after redirects. Raises BadAnswer past `most` bytes."""
        response = self._request("GET", url, {}, name, deadline)
        try:
            if response.status != 200:
                raise self._error(response, name, url)
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

    def _request(self, method: str, url: str, headers: dict[str, str], name: str, deadline: Deadline) -> Any:
        import urllib3

        left = deadline.left()
        if left <= 0:
            raise TimedOut(f"{name}: no time left for a request")
        proxy = proxy_for(url)
        try:
            return self._pool(proxy, https=url.lower().startswith("https:")).request(
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
            raise _error_from_exception(error, name, proxy) from error

    def _pool(self, proxy: Proxy | None, *, https: bool) -> Any:
        with self._lock:
            if (proxy, https) not in self._pools:
                self._pools[proxy, https] = _make_pool(proxy, self._connections, https=https)
            return self._pools[proxy, https]

    def _error(self, response: Any, name: str, url: str) -> StoreError:
        """The error that a refusal means, by the code in its body where codes are known, else by its status."""
        if response.status == 407:
            return Unreachable(
                f"{name}: the proxy {proxy_for(url)} needs a user and password, or rejected those given", code="407"
            )
        kind, label = error_type(response.status), f"HTTP {response.status}"
        if self._codes and (found := re.search(rb"<Code>(\w+)</Code>", _rest(response))):
            label = found[1].decode()
            kind = self._codes.get(label, kind)
        return kind(f"{name}: the server refused ({label})", code=label)


def _make_pool(proxy: Proxy | None, connections: int, *, https: bool) -> Any:
    import urllib3

    try:
        trusted = settle_trust(with_system=True).context()
    except StoreError:
        if https:
            raise
        trusted = Trust().context()  # for a redirect to https; plain http needs no certificates
    if proxy is not None:
        return urllib3.ProxyManager(str(proxy), maxsize=connections, ssl_context=trusted, proxy_headers=proxy.headers)
    return urllib3.PoolManager(maxsize=connections, ssl_context=trusted)


def _length(response: Any) -> int | None:
    return size_of(response.headers.get("Content-Length", ""))


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
        raise _error_from_exception(error, name) from error
    return piece


def _rest(response: Any) -> bytes:
    """The body of a refusal, as far as it comes."""
    try:
        body: bytes = response.read(1 << 16, decode_content=False)
    except Exception:  # the status has said enough
        return b""
    return body


def _drop(response: Any) -> None:
    # Closed instead of kept for the next request: what is left of its body may be the whole file.
    response.close()
    response.release_conn()


def _error_from_exception(error: Exception, name: str, proxy: Proxy | None = None) -> StoreError:
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
        return StoreError(f"{name}: not a valid URL ({code})", code=code)
    through = f" through the proxy {proxy}" if proxy else ""
    return Unreachable(f"{name}: no connection{through}, or it broke ({code})", code=code)
