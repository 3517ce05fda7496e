"""Counters: what a mount was asked for, what it fetched, and by which tier it served.

Adding to a counter takes no lock: each thread has its own row, and a snapshot sums the rows. So a
count is exact once the threads that count are quiet, and never costs a hit a lock.
"""

from __future__ import annotations

import threading
from collections import Counter


class Stats:
    """A set of named counters. Names are `room.what` with the unit as the last word (`read.asked.bytes`).

    What belongs to one source is counted in `of(source)`; it is in the snapshot of the whole, too.
    """

    def __init__(self) -> None:
        self._local = threading.local()
        self._rows: list[Counter[str]] = []
        self._parts: dict[str, Stats] = {}
        self._lock = threading.Lock()  # leaf lock: guards _rows and _parts

    def of(self, source: str) -> Stats:
        """The counters of one source (`Store.source`)."""
        part = self._parts.get(source)
        if part is None:
            with self._lock:
                part = self._parts.setdefault(source, Stats())
        return part

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
        """All counters summed over threads and sources, names sorted."""
        with self._lock:
            rows, parts = list(self._rows), list(self._parts.values())
        total: Counter[str] = Counter()
        for part in parts:
            total.update(part.snapshot())
        for row in rows:
            total.update(dict(row))
        return dict(sorted(total.items()))
