"""Units: the parts in which a file is inflated, and those that were inflated lately."""

from __future__ import annotations

import threading

from cachetools import LRUCache

# A header is often all that is read; beyond it, what a handful of blocks take, and two milliseconds.
FIRST_UNIT, UNIT = 64 << 10, 512 << 10


class Units:
    """Units inflated lately, of all files. Thread-safe; its lock is a leaf.

    Args:
        limit: bytes.
    """

    def __init__(self, limit: int) -> None:
        self._lock = threading.Lock()
        self._units: LRUCache[tuple[bytes, int], bytearray] = LRUCache(max(limit, 2 * UNIT), getsizeof=len)

    def get(self, whose: bytes, unit: int) -> bytearray | None:
        """A unit, if it is here."""
        with self._lock:
            return self._units.get((whose, unit))

    def put(self, whose: bytes, unit: int, data: bytearray) -> None:
        """Keep a unit for a while."""
        with self._lock:
            self._units[whose, unit] = data


def unit_of(out: int) -> int:
    """The unit that holds an offset."""
    return 0 if out < FIRST_UNIT else 1 + out // UNIT


def start_of(unit: int) -> int:
    """Where a unit begins."""
    return 0 if unit == 0 else max(FIRST_UNIT, (unit - 1) * UNIT)
