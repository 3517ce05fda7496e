"""Strides: reads at equal distances, as of one slice of each volume of a 4-D image, every k-th row, backwards.

A pure part of the window policy. It is told where each visit begins (a read that continues nothing), and finds
the distance between visits. Offsets, sizes and distances are in bytes.

The kernel reads whole pages: of a visit at x it shows x rounded down, so that a distance which is no
multiple of a page appears now shorter, now longer. What is known of the true distance is therefore an
interval, which every visit narrows.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from ..geometry import Extent

KIB = 1 << 10
KERNEL_PAGE = 4 * KIB

# Visits ahead: 48 after two equal distances, then 96. A visit costs a round trip, so the number in flight is what
# makes them fast (8 at first took 0.1 s longer for 256); `parallelism` has what more of them brought.
VISITS, VISITS_MAX = 48, 96
# Near a server fewer do: one for so many bytes that a connection brings in a round trip, and at least so many. (600
# visits at 2 ms took 0.24 s with 96 and 0.21 with 32 or 16, as fewer connections are opened; with 8 0.27.)
VISITS_NEAR, VISIT_TRIP = 32, 28 * KIB
# Visits closer to each other than this are fetched together: at most three times the bytes, for a
# fraction of the requests; in GETs of about PIECE, so that several connections share them ...
MERGE_GAP = 128 * KIB
PIECE = 512 * KIB
# ... and, doubling from a few visits, as many bytes ahead as the first window of a sequential reader.
DENSE_FIRST, DENSE_BYTES = 8, 16 * PIECE


class StrideDetector:
    """The visits of one handle on an object of `size` bytes."""

    __slots__ = ("_exact", "_high", "_hits", "_issued", "_last", "_length", "_low", "_origin", "_size", "_steps")

    def __init__(self, size: int) -> None:
        self._size = size
        self._last = self._origin = -1
        self._low = self._high = 0.0  # the distance lies between these
        self._steps = 0  # visits since `_origin`
        self._hits = 0  # of them as expected
        self._exact = True  # all at the same distance to the byte
        self._issued = 0  # steps that were asked for
        self._length = 0  # longest visit

    @property
    def hits(self) -> int:
        """How many visits in a row came where they were expected to."""
        return self._hits

    @property
    def length(self) -> int:
        """How long visits are, 0 while none came where it was expected to."""
        return self._length if self._hits else 0

    @property
    def distance(self) -> int:
        """From one visit to the next, below 0 where they go backwards; 0 while none came where it was expected to."""
        return round((self._last - self._origin) / self._steps) if self._hits else 0

    def visit(self, offset: int, size: int, previous: int) -> None:
        """A visit begins with a read of `size` bytes at `offset`; the one before read `previous` in all."""
        last, self._last = self._last, offset
        if last < 0:
            self._origin, self._length = offset, size
            return
        step = self._steps + 1
        way = offset - self._origin
        low, high = max(self._low, (way - KERNEL_PAGE + 1) / step), min(self._high, (way + KERNEL_PAGE - 1) / step)
        if not self._steps or low > high:
            distance = offset - last
            self._origin, self._steps, self._hits, self._issued = last, 1, 0, 1
            self._low, self._high, self._exact = distance - KERNEL_PAGE + 1, distance + KERNEL_PAGE - 1, True
            self._length = max(previous, size)
            return
        self._exact = self._exact and way * self._steps == (last - self._origin) * step
        self._low, self._high, self._steps = low, high, step
        self._hits += 1
        self._length = max(self._length, previous, size)

    def on_cancel(self) -> None:
        """What `next_extents` returned was not fetched."""
        self._issued = self._steps

    def next_extents(self, share: int, trip: int = 0) -> Sequence[Extent]:
        """Where the next visits will read, as far as `share` bytes go; without what was returned before. `trip`: bytes
        that a connection brings in one round trip; 0: not known."""
        if not self._hits:
            return ()
        stride = abs(self._last - self._origin) / self._steps
        most = max(VISITS_NEAR, min(VISITS_MAX, trip // VISIT_TRIP)) if trip else VISITS_MAX
        count, batch = min(VISITS, most) if self._hits == 1 else most, 1
        if stride <= self._length + MERGE_GAP:
            count = min(DENSE_FIRST << min(self._hits - 1, 8), math.ceil(DENSE_BYTES / max(stride, 1)))
            batch = min(count // 2, math.ceil(PIECE / max(stride, 1)))
        if not self._exact:  # the interval widens with the steps: guess no further than it was narrowed for
            count = min(count, VISITS, 2 * self._steps + 2)
        count = min(count, share // max(self._length, 1))
        first, stop = max(self._issued, self._steps) + 1, self._steps + count + 1
        if stop - first < batch:
            return ()
        extents: list[Extent] = []
        for step in range(first, stop):
            extent = self._place(step)
            if extent.size <= 0:
                break
            self._issued = step
            if extents and (joined := _join(extents[-1], extent)) is not None:
                extents[-1] = joined
                continue
            if extents:
                extent = _beside(extents[-1], extent)
            if extent.size > 0:
                extents.append(extent)
        return extents

    def _place(self, step: int) -> Extent:
        """Where visit number `step` may read, clamped to the object."""
        if self._exact:
            start = stop = self._origin + (self._last - self._origin) * step // self._steps
        else:
            start = math.floor(self._origin + self._low * step) // KERNEL_PAGE * KERNEL_PAGE
            stop = math.floor(self._origin + self._high * step) // KERNEL_PAGE * KERNEL_PAGE
        return Extent(max(0, start), min(stop + self._length, self._size))


def _join(a: Extent, b: Extent) -> Extent | None:
    both = Extent(min(a.start, b.start), max(a.stop, b.stop))
    return both if both.size <= PIECE and both.size - a.size - b.size <= MERGE_GAP else None


def _beside(a: Extent, b: Extent) -> Extent:
    """`b`, which follows `a` or goes before it, without what `a` has of it."""
    return Extent(max(b.start, a.stop), b.stop) if b.start >= a.start else Extent(b.start, min(b.stop, a.start))
