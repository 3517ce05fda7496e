"""What a job has done so far: counted by the job, looked at by whoever waits for it, at any time."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

# Kinds of files that are told of, the largest first.
KINDS_MAX = 12
# Failures told in one answer, and in all; the rest are counted.
FAILURES_AT_ONCE, FAILURES_MAX = 500, 10_000

COUNTS = ("directories", "names", "files", "bytes", "belonging", "done", "cached", "cached_bytes", "to_fetch_bytes",
           "fetched", "fetched_bytes", "failed", "left_out", "left_out_bytes")  # fmt: skip

# What it does: lists names, looks what is cached, fetches, compares with what is known, has ended.
LISTING, LOOKING, FETCHING, CHECKING, ENDED = "listing", "looking", "fetching", "checking", "ended"


class Report:
    """Counters of one job. Lock: `_lock` is a leaf.

    Args:
        clock: monotonic seconds.

    Attributes:
        counts: the names of counters that a snapshot has.
    """

    counts: Sequence[str] = COUNTS

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._lock, self._clock, self._begun = threading.Lock(), clock, clock()
        self._counts: Counter[str] = Counter()
        self._kinds: dict[str, list[int]] = {}
        self._failures: list[Any] = []  # as JSON holds them
        self._told: dict[str, Any] = {}
        self._phase, self._ended_at = LISTING, 0.0

    def phase(self, phase: str) -> None:
        """It goes on with this."""
        with self._lock:
            self._phase = phase
            if phase in (FETCHING, CHECKING):
                self._told[f"{phase}_since"] = self._clock() - self._begun
            if phase == ENDED:
                self._ended_at = self._clock()

    def listed(self, names: int) -> None:
        """A directory was listed."""
        with self._lock:
            self._counts["directories"] += 1
            self._counts["names"] += names

    def found(self, name: bytes, size: int, *, belongs: bool = False) -> None:
        """So many bytes of a file are meant. `belongs`: for another's sake."""
        kind = _kind(name)
        with self._lock:
            self._counts["files"] += 1
            self._counts["bytes"] += size
            self._counts["belonging"] += belongs
            counts = self._kinds.setdefault(kind, [0, 0])
            counts[0] += 1
            counts[1] += size

    def count(self, **more: int) -> None:
        """Add to counters: `cached`, `cached_bytes`, `done`, `fetched`, `fetched_bytes`, `left_out`, ..."""
        with self._lock:
            self._counts.update(more)

    def failed(self, path: str, reason: str) -> None:
        """A file, or a directory with a "/" at the end of its path, failed."""
        with self._lock:
            self._counts["failed"] += 1
            if len(self._failures) < FAILURES_MAX:
                self._failures.append([path, reason])

    def tell(self, **told: Any) -> None:
        """Facts beside the counters: `stopped` (why it ended early), `huge`, ..."""
        with self._lock:
            self._told.update(told)

    def snapshot(self, failures_seen: int = 0) -> dict[str, Any]:
        """All of it, as JSON can hold it, with the failures from the `failures_seen`-th on."""
        with self._lock:
            kinds = sorted(self._kinds.items(), key=lambda item: (-item[1][1], item[0]))
            more = self._failures[failures_seen:][:FAILURES_AT_ONCE]
            seconds = (self._ended_at if self._phase == ENDED else self._clock()) - self._begun
            counts = dict(self._counts)
            # One that was evicted meanwhile was done twice.
            for what in ("done", "fetched"):
                counts[what] = min(counts.get(what, 0), counts.get("files", 0) - counts.get("left_out", 0))
            return {
                "phase": self._phase,
                "seconds": round(seconds, 3),
                **{name: counts.get(name, 0) for name in self.counts},
                "kinds": [[kind, *counts] for kind, counts in kinds[:KINDS_MAX]],
                "failures": more,
                **self._told,
            }


def _kind(name: bytes) -> str:
    """What a name ends in, from its first dot on, as neuroimaging's names have it (".nii.gz")."""
    _, dot, ending = name.lstrip(b".").partition(b".")
    return "." + ending.decode("utf-8", "replace") if dot and len(ending) <= 20 else "other"
