"""Bytes: ranged GETs through obstore, which does its I/O in Rust with the GIL released.

Lock order: `Bodies._lock` is a leaf: it guards the clients, and making one does no I/O on the network.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from ...errors import BadAnswer, TimedOut
from ..base import Deadline
from .boto_client import check_etag
from .connect import CONNECT_S, IDLE_S, Link, read_certificates
from .translate import Subject

# obstore takes its limits when a client is made, not with a request; so there is a client for each of
# these limits (seconds), nearly all requests use the same, and a deadline is overstepped by 5 % at most.
_LIMITS_S = (0.25, 0.5, 1.0, 2.0, 4.0, 7.5, 15.0, 30.0, 60.0, 120.0, 300.0, 3600.0)
_TOLERANCE = 1.05

# The body is taken in pieces of this size: large enough to cost no calls, small enough that one extent is
# never held twice (obstore would join it before it gave it).
_PIECE = 1 << 20

# obstore asks anew for credentials when they have less than 300 s left. botocore, which it asks,
# renews by itself in time; so it is asked every minute, which costs nothing.
_CREDENTIALS_S = 360.0


def limit_for(left: float) -> float | None:
    """The largest of the limits that keeps a deadline `left` seconds away, None when there is no time left. Pure."""
    return max((limit for limit in _LIMITS_S if limit <= left * _TOLERANCE), default=None)


class Bodies:
    """The bytes of one bucket's objects whose keys `carriers.obstore_may_carry`.

    Raises obstore's own exceptions beside StoreError: `store.py` knows how to find out what they mean.
    """

    def __init__(self, link: Link, bucket: str, *, requester_pays: bool, connections: int) -> None:
        self._link, self._bucket = link, bucket
        self._requester_pays, self._connections = requester_pays, connections
        self._certificates = read_certificates(link.certificates)
        self._lock = threading.Lock()
        self._clients: dict[float, Any] = {}

    def read(
        self, key: str, etag: str, start: int, views: Iterable[memoryview], subject: Subject, deadline: Deadline
    ) -> None:
        """Fill `views` with the bytes from `start` on."""
        import obstore

        wanted = list(views)
        stop = start + sum(len(view) for view in wanted)
        limit = limit_for(deadline.left())
        if limit is None:
            raise TimedOut(f"{subject}: no time left to ask")
        options: obstore.GetOptions = {"range": (start, stop), "if_match": etag or None}
        answer = obstore.get(self._client(limit), key, options=options)
        if tuple(answer.range) != (start, stop):
            got, end = answer.range
            raise BadAnswer(f"{subject}: asked for bytes {start}-{stop - 1}, got {got}-{end - 1}", code="Range")
        check_etag(answer.meta["e_tag"], etag, subject)
        filled = fill(wanted, answer.stream(min_chunk_size=_PIECE))
        if filled != stop - start:
            raise BadAnswer(f"{subject}: asked for {stop - start} bytes, got {filled}", code="Body")

    def close(self) -> None:
        """obstore closes its connections with its clients."""
        with self._lock:
            self._clients.clear()

    def _client(self, limit: float) -> Any:
        client = self._clients.get(limit)
        if client is None:
            with self._lock:
                client = self._clients.get(limit) or self._make_client(limit)
                self._clients[limit] = client
        return client

    def _make_client(self, limit: float) -> Any:
        from obstore.store import S3Store

        link = self._link
        return S3Store(
            self._bucket,
            # Whatever is not named here obstore would take from the environment, even when it does not sign.
            endpoint=link.endpoint,
            aws_endpoint_url_s3=link.endpoint,
            region=link.region,
            virtual_hosted_style_request=not link.path_style,
            skip_signature=link.unsigned,
            request_payer=self._requester_pays,
            s3_express=False,
            imdsv1_fallback=False,
            credential_provider=None if link.unsigned else self._credentials,
            retry_config={"max_retries": 0},  # `stores/retry.py` does it
            client_options={
                "allow_http": link.endpoint.startswith("http://"),
                "connect_timeout": _seconds(min(CONNECT_S, limit)),
                "read_timeout": _seconds(min(IDLE_S, limit)),
                "timeout": _seconds(limit),
                "pool_idle_timeout": "60s",
                "pool_max_idle_per_host": str(self._connections),
                "user_agent": "mountnd",
                **({"root_certificate": self._certificates} if self._certificates else {}),
            },
        )

    def _credentials(self) -> Any:
        ask = self._link.credentials.get_frozen_credentials()
        frozen = asyncio.run_coroutine_threadsafe(ask, self._link.loop).result(IDLE_S)
        return {
            "access_key_id": frozen.access_key,
            "secret_access_key": frozen.secret_key,
            "token": frozen.token,
            "expires_at": datetime.now(UTC) + timedelta(seconds=_CREDENTIALS_S),
        }


def fill(views: list[memoryview], pieces: Iterable[Any]) -> int:
    """Copy `pieces` one after the other into `views`; stops past their end. Returns how many bytes came. Pure."""
    at = filled = 0
    waiting = iter(views)
    view = next(waiting, None)
    for piece in pieces:
        rest = memoryview(piece)
        filled += len(rest)
        while len(rest):
            if view is None:
                return filled
            size = min(len(rest), len(view) - at)
            view[at : at + size] = rest[:size]
            at, rest = at + size, rest[size:]
            if at == len(view):
                view, at = next(waiting, None), 0
    return filled


def _seconds(seconds: float) -> str:
    return f"{round(seconds * 1000)}ms"
