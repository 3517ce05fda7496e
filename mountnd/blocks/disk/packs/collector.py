"""What waits to be packed: the records of small objects, and whom to tell when they are there.

Lock order: `Collector._lock` is a leaf; nothing is called with it held.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from enum import Enum
from typing import NamedTuple

# One pack, at most. At 100 MB/s it is written in the time in which the next is collected.
PACK_BYTES = 4 << 20
# So long a record waits for others, at most. Nobody reads slower for it but a node that wants the same object in just
# that time. Four packs a second of each node that fetches are few for a metadata server, and they are merged.
COLLECT_S = 0.25
# Copies of records in memory, at most, those included that are just written: what comes above that is not packed.
WAITING_BYTES = 16 << 20


class Added(Enum):
    """What came of records: they wait, as the first or with others; there are enough for a pack; no room for them."""

    FIRST = "first"
    MORE = "more"
    ENOUGH = "enough"
    REFUSED = "refused"


class Batch(NamedTuple):
    """Records that were taken together: by key, and whom to tell of them. `bytes`: of the records."""

    records: dict[int, bytes]
    told: tuple[Callable[[], None], ...]
    bytes: int


class Collector:
    """Of one directory. Safe to use from many threads."""

    def __init__(self, pack_bytes: int = PACK_BYTES, waiting_bytes: int = WAITING_BYTES) -> None:
        self._pack_bytes, self._waiting_bytes = pack_bytes, waiting_bytes
        self._lock = threading.Lock()
        self._records: dict[int, bytes] = {}
        self._told: list[Callable[[], None]] = []
        self._bytes = self._taken = 0

    def add(self, records: Mapping[int, bytes], written: Callable[[], None] | None) -> Added:
        """Records by key. `written`: is called by `done`, unless they are refused."""
        n = sum(map(len, records.values()))
        with self._lock:
            if self._bytes + self._taken + n > self._waiting_bytes:
                return Added.REFUSED
            is_first, was_enough = not self._records, self._bytes >= self._pack_bytes
            for key, record in records.items():
                self._bytes += len(record) - len(self._records.get(key, b""))
                self._records[key] = record
            if written is not None:
                self._told.append(written)
            if self._bytes >= self._pack_bytes and not was_enough:
                return Added.ENOUGH
            return Added.FIRST if is_first else Added.MORE

    def take(self) -> Batch:
        """All that waits. It counts until `done`."""
        with self._lock:
            batch = Batch(self._records, tuple(self._told), self._bytes)
            self._records, self._told, self._bytes = {}, [], 0
            self._taken += batch.bytes
        return batch

    def done(self, batch: Batch) -> None:
        """It is written, or will not be: whoever waits is told."""
        with self._lock:
            self._taken -= batch.bytes
        for tell in batch.told:
            tell()
