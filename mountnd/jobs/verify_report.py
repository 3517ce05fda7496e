"""What a verification has found so far."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from ..checks.digest import Digest
from .report import FAILURES_AT_ONCE, Report

# What a finding is of. `UNKNOWN` ones are told where they were asked for.
MISMATCH, DOUBT, UNREADABLE, MISSING, UNKNOWN = "mismatch", "doubt", "unreadable", "missing", "unknown"
# Keys of a finding, in `--json`; null where they mean nothing.
FINDING = ("path", "what", "reason", "key", "version", "etag", "size", "expected", "agrees", "found", "from_source",
           "from_disk", "from_memory", "source")  # fmt: skip


class VerifyReport(Report):
    """Counters of one verification, and its findings, each of which is forgotten once it was told."""

    counts = ("directories", "names", "files", "bytes", "belonging", "done", "read_bytes", "verified",
              "verified_bytes", MISMATCH, DOUBT, UNREADABLE, MISSING, UNKNOWN, "unknown_bytes")  # fmt: skip

    def __init__(self) -> None:
        super().__init__()
        self._by: dict[str, list[int]] = {}
        self._cannot: Counter[str] = Counter()
        self._not_asked: tuple[int, str] = (0, "")
        self._told_before = 0

    def failed(self, path: str, reason: str) -> None:
        """A file, or a directory with a "/" at its end, cannot be read."""
        self.find({"path": path, "what": UNREADABLE, "reason": reason})

    def find(self, finding: dict[str, Any]) -> None:
        """Something that a person should know of one file: some of the keys in `FINDING`."""
        with self._lock:
            self._counts[finding["what"]] += 1
            self._failures.append(dict.fromkeys(FINDING) | finding)

    def checked(self, evidence: Iterable[Digest], size: int) -> None:
        """A file is, or could be, checked by these."""
        with self._lock:
            for what in {f"{digest.kind} {digest.algorithm}" for digest in evidence}:
                counts = self._by.setdefault(what, [0, 0])
                counts[0] += 1
                counts[1] += size

    def cannot(self, algorithms: Iterable[str]) -> None:
        """Digests of a file that cannot be computed here."""
        with self._lock:
            self._cannot.update(algorithms)

    def not_asked(self, why: str) -> None:
        """The store could not be asked what it knows of a file."""
        with self._lock:
            self._not_asked = self._not_asked[0] + 1, why

    def snapshot(self, failures_seen: int = 0) -> dict[str, Any]:
        """As `Report.snapshot`; those before the `failures_seen`-th are forgotten."""
        with self._lock:
            del self._failures[: max(0, failures_seen - self._told_before)]
            self._told_before = max(self._told_before, failures_seen)
            by = sorted(self._by.items(), key=lambda item: (-item[1][0], item[0]))
            own = {
                "by": [[*what.split(" "), *counts] for what, counts in by],
                "cannot": dict(self._cannot),
                "not_asked": {"files": self._not_asked[0], "why": self._not_asked[1]},
                "failures": self._failures[:FAILURES_AT_ONCE],
            }
        return super().snapshot(0) | own
