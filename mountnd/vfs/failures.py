"""What a program saw as an error of its file: once a cause in the log, and counted by reason for `mountnd stats`.

Lock: `FailureLog._lock` is a leaf.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, NamedTuple

from ..catalog.catalogue import Catalogue
from ..errors import Forbidden, NotFound, StoreError

log = logging.getLogger(__name__)

# A cause that lasts is told again after this many seconds, so that a log which was rotated holds it.
REPEAT_S = 300.0

# Causes remembered, some 300 bytes each; past that one may be told again sooner.
CAUSES_MAX = 1_000


class Failure(NamedTuple):
    """One failure.

    Attributes:
        at: seconds since the epoch.
        path: from the mount's root.
        reason: `StoreError.reason`.
        message: a line for a person.
        request_id: the provider's name of the request, "" where untold.
    """

    at: float
    path: str
    reason: str
    message: str
    request_id: str


class FailureLog:
    """Reads, listings and look-ups that failed.

    Args:
        clock: monotonic seconds; wall: seconds since the epoch.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic, *, wall: Callable[[], float] = time.time) -> None:
        self._clock, self._wall = clock, wall
        self._lock = threading.Lock()
        self._told: OrderedDict[Hashable, float] = OrderedDict()
        self._counts: Counter[str] = Counter()
        self._last: Failure | None = None
        self._last_of: OrderedDict[Hashable, Failure] = OrderedDict()  # by path, and by the catalogue's id

    def report(self, catalogue: Catalogue, directory: str, what: str, error: StoreError, path: str = "") -> None:
        """A listing or a look-up failed. Counted and logged, unless that is an ordinary answer: no such name is
        neither, and access denied is counted only.

        Args:
            directory: key prefix of the directory that was listed, or that the name is in.
            what: the line's beginning, such as `s3://bucket/d/ cannot be listed`.
            path: of what failed, from the mount's root.
        """
        if isinstance(error, NotFound):
            return
        self._count(path, error, catalogue)
        if isinstance(error, Forbidden):
            return
        # A server that does not answer is one cause, however many directories it is asked for.
        place = "" if error.transient else directory
        self._tell((id(catalogue), place, type(error), error.code), what, error)

    def read_failed(
        self, path: str, error: StoreError, *, why: str = "cannot be read", catalogue: Catalogue | None = None
    ) -> None:
        """An open file at `path` (from the mount's root) could not be read. Logged once for each path and reason."""
        self._count(path, error, catalogue)
        self._tell((path, type(error), error.code), f"/{path} {why}", error)

    def summary(self) -> dict[str, Any]:
        """What `mountnd stats` shows: `count`, `by_reason` (the most frequent first), `last` (None without one)."""
        with self._lock:
            counts, last = self._counts.most_common(), self._last
        return {
            "count": sum(count for _, count in counts),
            "by_reason": dict(counts),
            "last": last._asdict() if last else None,
        }

    def last(self, what: str | Catalogue) -> Failure | None:
        """The last failure of a path (from the mount's root, without slashes at its ends), or of all of a source."""
        with self._lock:
            return self._last_of.get(what if isinstance(what, str) else id(what))

    def _count(self, path: str, error: StoreError, catalogue: Catalogue | None) -> None:
        failure = Failure(self._wall(), f"/{path}", error.reason, str(error), error.request_id)
        with self._lock:
            self._counts[error.reason] += 1
            self._last = failure
            for of in (path.strip("/"), id(catalogue)):
                self._last_of[of] = failure
                self._last_of.move_to_end(of)
            while len(self._last_of) > CAUSES_MAX:
                self._last_of.popitem(last=False)

    def _tell(self, cause: Hashable, what: str, error: StoreError) -> None:
        now = self._clock()
        with self._lock:
            if now - self._told.get(cause, float("-inf")) < REPEAT_S:
                return
            self._told[cause] = now
            self._told.move_to_end(cause)
            if len(self._told) > CAUSES_MAX:
                self._told.popitem(last=False)
        log.warning("%s: %s%s", what, error, f" [request {error.request_id}]" if error.request_id else "")
