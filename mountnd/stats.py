"""Counters: what a mount was asked for, what it fetched, and by which tier it served.

Adding to a counter takes no lock: each thread has its own row, and a snapshot sums the rows. So a
count is exact once the threads that count are quiet, and never costs a hit a lock.
"""

from __future__ import annotations

import threading
from collections import Counter


class Stats:
    """A set of named counters. Names are `room.what` with the unit as the last word (`read.asked.bytes`)."""

    def __init__(self) -> None:
        self._local = threading.local()
        self._rows: list[Counter[str]] = []
        self._lock = threading.Lock()  # leaf lock: guards _rows only

    def add(self, name: str, n: int = 1) -> None:
        """Count `n` more of `name`."""
        try:
            row: Counter[str] = self._local.row
        except AttributeError:
            row = self._local.row = Counter()
            with self._lock:
                self._rows.append(row)
        row[name] += n

    def snapshot(self) -> dict[str, int]:
        """All counters summed over threads, names sorted."""
        with self._lock:
            rows = list(self._rows)
        total: Counter[str] = Counter()
        for row in rows:
            total.update(dict(row))
        return dict(sorted(total.items()))
