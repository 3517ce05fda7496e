"""Counters over time, in a fixed number of slots. Pure: whoever samples says when.

A slot begins with a second. When all are full each two neighbours become one, so that a mount of a minute is seen by
the second and one of three weeks by the hour, in the same memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

SLOTS = 480
FIRST_S = 1.0


class Series(NamedTuple):
    """What was counted.

    Attributes:
        slot_seconds: how long each slot is.
        rows: a row for each slot from the beginning on, up to the last sample: the increase of each counter in it.
    """

    slot_seconds: float
    rows: list[list[int]]


class Timeline:
    """Increases of `counters` counters that only grow. Not thread-safe.

    Attributes:
        slot_seconds: how long each slot is now.
    """

    def __init__(self, counters: int, *, slots: int = SLOTS, first_seconds: float = FIRST_S) -> None:
        self._slots, self._counters = slots, counters
        self._rows: list[list[int]] = []
        self._last = [0] * counters
        self.slot_seconds = first_seconds

    def sample(self, seconds: float, totals: Sequence[int]) -> None:
        """At `seconds` after the beginning the counters were at `totals`. Samples come in order."""
        while seconds >= self._slots * self.slot_seconds:
            self._halve()
        at = max(len(self._rows) - 1, int(seconds / self.slot_seconds))
        while len(self._rows) <= at:
            self._rows.append([0] * self._counters)
        row = self._rows[at]
        for i, total in enumerate(totals):
            row[i] += max(0, total - self._last[i])  # a sum over threads that count meanwhile may fall behind
            self._last[i] = max(total, self._last[i])

    def series(self) -> Series:
        """All that was sampled."""
        return Series(self.slot_seconds, [list(row) for row in self._rows])

    def _halve(self) -> None:
        rows = self._rows
        empty = [0] * self._counters
        self._rows = [
            [a + b for a, b in zip(rows[i], rows[i + 1] if i + 1 < len(rows) else empty, strict=True)]
            for i in range(0, len(rows), 2)
        ]
        self.slot_seconds *= 2
