"""Which bytes of a file: ranges as ascending bounds, start, stop, start, stop, ... Pure."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise

# Ranges kept of one file, 16 bytes each. Past that those that lie closest together are taken for one.
MOST = 128
# Ranges that are kept as they came before they are joined with the others.
PENDING = 64


def joined(bounds: Sequence[int], runs: Iterable[tuple[int, int]]) -> list[int]:
    """The union of the ranges `bounds` and of `runs` (start, stop), which may come in any order."""
    out: list[int] = []
    start = stop = -1
    for a, b in sorted([*zip(bounds[::2], bounds[1::2], strict=True), *runs]):
        if a > stop:
            if stop >= 0:
                out.append(start)
                out.append(stop)
            start, stop = a, b
        elif b > stop:
            stop = b
    return [*out, start, stop] if stop >= 0 else out


def coarser(bounds: Sequence[int], most: int) -> list[int]:
    """At most `most` ranges that hold all of `bounds`: the smallest gaps are closed."""
    count = len(bounds) // 2
    if count <= most:
        return list(bounds)
    by_gap = sorted(range(1, count), key=lambda i: bounds[2 * i - 1] - bounds[2 * i])  # the widest first
    cuts = sorted(by_gap[: most - 1])
    return [bounds[i] for a, b in pairwise([0, *cuts, count]) for i in (2 * a, 2 * b - 1)]


def covered(bounds: Sequence[int]) -> int:
    """How many bytes lie in the ranges."""
    return sum(bounds[1::2]) - sum(bounds[::2])


def pairs(bounds: Sequence[int]) -> Iterator[tuple[int, int]]:
    """The ranges as (start, stop)."""
    return zip(bounds[::2], bounds[1::2], strict=True)


def runs_of(reads: Iterable[tuple[int, int]]) -> list[tuple[int, int, int]]:
    """Reads (offset, size) as runs (start, stop, how many reads), in their order: each read of one begins where the one
    before it ended."""
    runs: list[tuple[int, int, int]] = []
    start = stop = count = 0
    for offset, size in reads:
        if offset == stop and count:
            stop += size
            count += 1
            continue
        if count:
            runs.append((start, stop, count))
        start, stop, count = offset, offset + size, 1
    return [*runs, (start, stop, count)] if count else runs


class Ranges:
    """Ranges of one file, of which more come. Not thread-safe.

    Attributes:
        exact: no two of them were taken for one.
    """

    __slots__ = ("_bounds", "_pending", "exact")

    def __init__(self) -> None:
        self._bounds = array("q")
        self._pending: list[tuple[int, int]] = []
        self.exact = True

    def add(self, start: int, stop: int) -> None:
        """Bytes `[start, stop)`, too."""
        self._pending.append((start, stop))
        if len(self._pending) >= PENDING:
            self._join()

    def add_all(self, runs: Sequence[tuple[int, int]]) -> None:
        """All of these (start, stop), too."""
        self._pending += runs
        if len(self._pending) >= PENDING:
            self._join()

    @property
    def bounds(self) -> Sequence[int]:
        """All of them."""
        if self._pending:
            self._join()
        return self._bounds

    def _join(self) -> None:
        bounds = joined(self._bounds, self._pending)
        self._pending.clear()
        if len(bounds) > 2 * MOST:
            bounds, self.exact = coarser(bounds, MOST), False
        self._bounds = array("q", bounds)
