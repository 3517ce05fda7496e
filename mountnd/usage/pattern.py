"""How a file is read: in order, in strides, at random, or its start only (a header). Pure.

It names what happened, for people; what is fetched ahead is decided by `blocks.readahead`. The kernel asks in pieces
of up to 1 MiB, on several threads, and so a little out of order.
"""

from __future__ import annotations

UNREAD, START, IN_ORDER, STRIDES, RANDOM = "unread", "start", "in order", "strides", "random"

# A read goes on with another one where it begins at most so far from its end, or twice its own size.
NEAR = 64 << 10
# Reads from the start that come no further are of a header: the kernel makes 128 KiB of the first few bytes, and twice
# that of a program that asks a second time.
HEAD = 256 << 10
# Equal distances: the kernel rounds to pages of 4 KiB on both sides.
PAGES = 8 << 10
# Places that one program reads in turns.
PLACES = 4
# A file is read in order where so many bytes, on average, come before a jump ...
LONG = 4 << 20
# ... or so many reads.
OFTEN = 8


class Pattern:
    """The reads of one open file of `size` bytes. Not thread-safe."""

    __slots__ = ("_bytes", "_distance", "_ends", "_farthest", "_jumps", "_reads", "_size", "_start", "_strided")

    def __init__(self, size: int) -> None:
        self._size = size
        self._reads = self._bytes = self._jumps = self._strided = 0
        self._farthest = self._start = self._distance = 0
        self._ends: list[int] = []  # of the places that are read from, the last one first

    def feed(self, offset: int, size: int, reads: int = 1) -> None:
        """Bytes `[offset, offset + size)`, by so many reads, each of which began where the one before it ended."""
        stop, ends = offset + size, self._ends
        self._reads += reads
        self._bytes += size
        self._farthest = max(self._farthest, stop)
        near = max(NEAR, 2 * size // reads)
        for at, end in enumerate(ends):
            if -near <= offset - end <= near:
                if at:
                    ends.insert(0, ends.pop(at))
                ends[0] = max(end, stop)
                return
        if ends:
            self._jumps += 1
            distance, self._distance = self._distance, offset - self._start
            self._strided += abs(self._distance - distance) <= PAGES
        self._start = offset
        ends.insert(0, stop)
        del ends[PLACES:]

    @property
    def position(self) -> int:
        """How far the place has come that was read last: the kernel's threads deliver some of its reads late."""
        return self._ends[0] if self._ends else 0

    @property
    def name(self) -> str:
        """The pattern, as one of this module's words."""
        if not self._reads:
            return UNREAD
        if self._farthest <= HEAD and self._farthest < self._size:
            return START
        if not self._jumps:
            return IN_ORDER
        if self._jumps >= 3 and 2 * self._strided >= self._jumps:
            return STRIDES
        runs = self._jumps + 1
        return IN_ORDER if self._bytes >= LONG * runs or self._reads >= OFTEN * runs else RANDOM
