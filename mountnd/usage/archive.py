"""Rows about files, compressed by the hundred: a job that opens a hundred thousand files is remembered in some 6 MB."""

from __future__ import annotations

import marshal
import zlib
from collections.abc import Sequence
from typing import Any

# Rows of a batch: enough to compress well, and few enough that nobody who opens a file waits for it (4 ms).
BATCH = 256
# Bytes of all batches: 200,000 files with ETags and keys of 100 characters. Past that the oldest batch goes.
LIMIT = 16 << 20

Row = tuple[Any, ...]


class Archive:
    """Batches by number, from 0 on. Not thread-safe.

    Attributes:
        lost: rows of batches that had to go.
        nbytes: what the batches take.
    """

    def __init__(self, limit: int = LIMIT) -> None:
        self._limit = limit
        self._batches: dict[int, tuple[bytes, int]] = {}
        self._first = self._stop = self.lost = self.nbytes = 0

    @property
    def numbers(self) -> range:
        """Of the batches that are kept."""
        return range(self._first, self._stop)

    def add(self, rows: Sequence[Row]) -> None:
        """Keep a batch. Its rows are tuples of what `marshal` writes, tuples among it."""
        data = zlib.compress(marshal.dumps(list(rows)), 1)  # releases the interpreter for others
        self._batches[self._stop] = data, len(rows)
        self._stop += 1
        self.nbytes += len(data)
        while self.nbytes > self._limit and self._first < self._stop - 1:
            old, count = self._batches.pop(self._first)
            self._first += 1
            self.nbytes -= len(old)
            self.lost += count

    def rows(self, number: int) -> list[Row]:
        """A batch; empty where it had to go."""
        data, _ = self._batches.get(number, (b"", 0))
        return marshal.loads(zlib.decompress(data)) if data else []  # never from a file, nor from elsewhere
