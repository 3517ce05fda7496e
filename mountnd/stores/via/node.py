"""One caching proxy of a ring: how it is asked, its connections, how it stands, and what came of it.

Lock order: `Node._lock` is a leaf; no request is made under it.
"""

from __future__ import annotations

import http.client
import logging
import threading
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from ...errors import BadAnswer, Cancelled, StoreError, TimedOut
from ..base import Deadline
from ..http.connections import Connections
from ..http.etags import normalised
from ..http.ranges import check_range
from ..http.versions import Answer, size_in
from . import standing
from .asking import Asking
from .evidence import is_hit
from .manner import Manner, Origin, wants_urls
from .standing import Fault

log = logging.getLogger(__name__)


class Wanted(NamedTuple):
    """What is asked of a node.

    Attributes:
        origin: where the bucket is.
        key: quoted, with the slash that it begins with, and `?versionId=` behind it where a version id is known.
        etag: strong and normalised; sent as If-Match, and every answer must carry it.
        accept: is told the head of an answer before its body is received; raises BadAnswer for one of another version.
        agrees: whether the bytes from a place on are those that were read before, as far as that is remembered.
    """

    origin: Origin
    key: str
    etag: str
    accept: Callable[[Answer], object]
    agrees: Callable[[int, Sequence[memoryview]], bool]


class NodeFailed(Exception):
    """A node did not give the bytes. `answered`: it answered, with something else, so that the source has to say who is
    right; else it did not, and another node may."""

    def __init__(self, fault: Fault, why: str, *, answered: bool) -> None:
        super().__init__(why)
        self.fault, self.answered = fault, answered


class Node:
    """One of a ring. Safe to use from many threads.

    Args:
        url: of the proxy; with a path where buckets lie below one (see `manner`).
        connections: those of all nodes of the ring: of a thousand only some can be kept.
        clock: monotonic seconds.

    Attributes:
        url: its name; without a slash at its end.
    """

    def __init__(self, url: str, connections: Connections, clock: Callable[[], float]) -> None:
        self.url, self._clock = url, clock
        self._asking = Asking(url, connections)
        self._lock = threading.Lock()
        self._manner, self._is_settled = self._asking.manner, self._asking.is_settled
        self._standing = standing.WELL
        self._requests = self._hits = self._bytes = self._failures = 0
        self._why = ""

    @property
    def manner(self) -> Manner:
        """How it is asked."""
        return self._manner

    @property
    def is_out(self) -> bool:
        """Whether it is left out just now."""
        return standing.is_out(self._standing, self._clock())

    def may_be_asked(self) -> bool:
        """Whether to ask it now; then `well`, `failed` or `undecided` must follow."""
        now = self._clock()
        with self._lock:
            if standing.is_out(self._standing, now):
                return False
            self._standing = standing.asked(self._standing, now)
            return True

    def read(
        self, wanted: Wanted, start: int, views: list[memoryview], subject: object, deadline: Deadline
    ) -> bool | None:
        """Fill `views` with the bytes from `start` on. Whether they came from its cache, None where it does not say.

        Raises NodeFailed, and Cancelled.
        """
        with self._lock:
            manner, is_settled = self._manner, self._is_settled
            self._requests += 1
        try:
            return self._read(manner, wanted, start, views, subject, deadline, is_settled=is_settled)
        except _Refused as refused:
            if is_settled or manner is not Manner.SERVER or not wants_urls(refused.status):
                raise
            try:
                return self._read(Manner.PROXY, wanted, start, views, subject, deadline, is_settled=False)
            except _Refused as again:
                raise (refused if wants_urls(again.status) else again) from None
            except NodeFailed:
                raise refused from None

    def _read(
        self,
        manner: Manner,
        wanted: Wanted,
        start: int,
        views: list[memoryview],
        subject: object,
        deadline: Deadline,
        *,
        is_settled: bool,
    ) -> bool | None:
        stop = start + sum(map(len, views))
        try:
            with self._asking.ask(manner, wanted.origin, wanted.key, start, stop, wanted.etag, subject, deadline) as (
                connection,
                answer,
            ):
                if answer.status in (200, 206):
                    content_range = answer.getheader("Content-Range")
                    said = Answer.of(answer.headers, size_in(answer.status, content_range, answer.length))
                    if normalised(said.etag) != wanted.etag:
                        raise BadAnswer(f"{self.url}: an answer with the ETag {said.etag or '(none)'}", code="ETag")
                    wanted.accept(said)
                    check_range(answer.status, content_range, answer.length, start, stop, self.url)
                    connection.receive(answer, views, self.url, deadline)
        except Cancelled:
            raise
        except StoreError as error:
            if isinstance(error, BadAnswer):
                raise NodeFailed(Fault.WRONG, str(error), answered=True) from error
            fault = Fault.SILENT if isinstance(error, TimedOut) else Fault.BROKEN
            raise NodeFailed(fault, str(error), answered=False) from error
        if answer.status not in (200, 206):
            raise _Refused(answer)
        if not wanted.agrees(start, views):
            raise NodeFailed(Fault.WRONG, f"{self.url}: other bytes than before", answered=True)
        if not is_settled:
            self._manner, self._is_settled = manner, True
        return is_hit(answer.headers)

    def well(self, size: int, hit: bool | None) -> None:
        """It gave `size` bytes."""
        with self._lock:
            self._bytes += size
            self._hits += hit is True
            was_out, self._standing = self._standing.failures > 0, standing.WELL
        if was_out:
            log.info("%s: gives what it is asked for again", self.url)

    def failed(self, fault: Fault, why: str, began: float, jitter: float) -> None:
        """A request that began at `began` came to this. `jitter`: in [0, 1)."""
        with self._lock:
            before = self._standing
            self._standing = standing.failed(before, fault, began, self._clock(), jitter)
            self._failures += 1
            self._why = why if why.startswith(self.url) else f"{self.url}: {why}"
            pause = self._standing.until - self._standing.at
        if not before.failures:
            log.warning(
                "caching proxy %s; it is left out for some %.0f s, longer if it goes on, and others give its bytes",
                self._why,
                max(1.0, pause),
            )

    def undecided(self) -> None:
        """A request came to something that says nothing of the node."""
        with self._lock:
            if self._standing.failures:
                self._standing = self._standing._replace(until=self._clock())

    def counts(self) -> dict[str, Any]:
        """What came of it, as `mountnd stats --json` shows it: the keys stand in help/cluster.md."""
        with self._lock:
            return {
                "url": self.url,
                "requests": self._requests,
                "hits": self._hits,
                "bytes": self._bytes,
                "failures": self._failures,
                "left_out": self._standing.failures > 0,  # or on trial
                "last_failure": self._why or None,
            }


class _Refused(NodeFailed):
    """It answered with a status. Its own trouble, or the source's, where that is 5xx or the like."""

    def __init__(self, answer: http.client.HTTPResponse) -> None:
        self.status = answer.status
        passing = self.status >= 500 or self.status in (408, 429)
        super().__init__(Fault.BROKEN if passing else Fault.REFUSED, f"HTTP {self.status}", answered=True)
