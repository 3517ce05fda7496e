"""The readahead window: what one handle's reads tell about those to come. A pure policy.

A reader, here, is one sequence of reads: it starts somewhere and moves on; several may interleave in one handle.
Each read either continues a known reader or begins a new one. What falls into the window that was already asked for
continues its reader, in whatever order the kernel's threads deliver it. A reader that goes on gets a window, which
doubles as it is used, up to the handle's share of memory, and halves when the reader is left. Readers that begin at
equal distances are strided (`strides.py`); all others are random, and get nothing.

The numbers come from measurements over a 30 ms round trip, 90 MB/s a connection, and are given where
they stand. Offsets, sizes and windows are in bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from ..fetch.budget import MAX_GETS, Share
from ..geometry import BLOCK, Extent
from .base import Pattern
from .strides import StrideDetector

KIB, MIB = 1 << 10, 1 << 20


@dataclass(frozen=True, slots=True)
class Limits:
    """The policy's numbers.

    Attributes:
        gets: pieces in flight that the window is cut into.
        grow: the window doubles once this part of it was used. 2 took 5 % longer for 256 MiB, 4 fetches more in vain.
        piece: smallest piece. New connections are slow (TCP starts small: 256 KiB take 200 ms, 8 MiB
            540 ms), so many are opened at once with small pieces, and the pieces grow with the window.
        piece_first, pieces_first: so large and so many are the first pieces of a first window: what its reader
            waits for first comes over new connections.
        piece_max: largest piece; from 4-8 MiB on a connection's full rate is reached.
        streaming: a first read at offset 0 at least this long comes from a program that reads 128 KiB or
            more at once, and so will go on (the kernel asks for 16-128 KiB on behalf of one that wants a header).
        whole: an object up to this size is fetched whole at the first touch.
        at_once: what is expected of a file up to this size comes with its first read.
        head: a reader from the start that comes further does not want a header alone.
        tail: of a file of which its start is expected, somebody who begins so near its end (for the length that it
            inflates to, as indexed_gzip does) goes on there.
        window_trips, window_least: a first window is at most what a connection brings in so many round trips, or so
            many bytes: where the server is near, it soon grows, and what nobody reads takes processor time from what
            somebody waits for. (At 2 ms the first volume of a .nii.gz took twice as long with a full window.)
        whole_sequential: an object up to this size is fetched whole once it is read sequentially.
        max_gap: reads this far past a reader's end still continue it: every block in between is touched anyway.
        max_back: so do reads this far before it: the kernel's threads deliver some late. Before that it is another one.
        readers: readers told apart in one handle.
        usual: where the last readers ended at about the same length, up to this, that much is fetched for a new
            one once it goes on, and it gets a window only if it goes further.
    """

    gets: int = MAX_GETS
    grow: int = 3
    piece: int = 512 * KIB
    piece_first: int = 128 * KIB
    pieces_first: int = 8
    piece_max: int = 4 * MIB
    streaming: int = 128 * KIB
    whole: int = 128 * KIB
    at_once: int = MIB
    head: int = 64 * KIB
    tail: int = 128 * KIB
    window_trips: int = 6
    window_least: int = 2 * MIB
    whole_sequential: int = 4 * MIB
    max_gap: int = BLOCK
    max_back: int = 8 * MIB
    readers: int = 8
    usual: int = 8 * MIB


DEFAULT = Limits()
NOTHING: tuple[Extent, ...] = ()


class _Reader:
    """One sequence of reads: it began at `start` and has come to `pos`; all up to `ahead` was asked for."""

    __slots__ = ("ahead", "done", "grown", "pos", "start", "touched", "window")

    def __init__(self, start: int, stop: int) -> None:
        self.start, self.pos, self.ahead = start, stop, stop
        self.done = stop - start  # bytes read, each read counted
        self.window = 0
        self.grown = stop  # where it was when the window last grew
        self.touched = True  # since a new reader last began


class WindowPolicy:
    """The policy of one handle on an object of `size` bytes."""

    __slots__ = ("_ended", "_expected", "_limits", "_readers", "_size", "_strides", "_trip", "_visited")

    def __init__(self, size: int, limits: Limits = DEFAULT) -> None:
        self._size, self._limits = size, limits
        self._readers: list[_Reader] = []  # the one read last comes last
        self._ended = [0, 0, 0]  # how much the last three readers had read when the next one began
        self._strides = StrideDetector(size)
        self._visited = 0  # bytes read since a visit began
        self._expected = self._trip = 0

    def on_open(self, expected: int, trip: int) -> None:
        """What programs read of such a file, from the first byte on; what a connection brings in one round trip."""
        self._expected, self._trip = min(expected, self._size), trip

    def on_miss(self, offset: int, size: int) -> Extent:
        """What to fetch at once for a read that found something missing; call it before `on_read`."""
        reader = self._find(offset)
        if reader is not None and offset == reader.start:
            self._readers.remove(reader)  # it starts over, and what it had read is gone
        if self._size <= self._limits.whole:
            return Extent(0, self._size)
        if not self._readers and offset + size < self._expected == self._size <= self._limits.at_once:
            # By one GET: its connection is fast already, while others for the rest would have to be opened.
            return Extent(0, self._size)
        return Extent(offset, offset + size)

    def on_read(self, offset: int, size: int, share: Share) -> Sequence[Extent]:
        """A read of `[offset, offset + size)`: what to fetch ahead and was not asked for, most urgent first."""
        stop = offset + size
        lim = self._limits
        reader = self._find(offset)
        if reader is None:
            return self._new_reader(offset, size, share)
        reader.done += size
        # Within a visit's length it is a late read of one visit.
        if offset > reader.pos + lim.max_gap and offset - reader.start >= self._strides.length:
            if (soon := self._skip_ahead(reader, offset, size, share)) is not None:
                return soon
        else:
            self._visited += size
        reader.touched = True
        if reader is not self._readers[-1]:
            self._readers.remove(reader)
            self._readers.append(reader)
        if stop <= reader.pos:
            return NOTHING  # reading again is not reading on
        reader.pos = stop
        if reader.ahead >= self._size:
            return NOTHING
        if not reader.window:
            usual = max(sorted(self._ended)[1], self._strides.length)  # a jump or two do not make one
            if reader.pos - reader.start <= usual <= lim.usual:  # it may end where the ones before it did
                start = max(reader.ahead, reader.pos)
                end = min(reader.start + usual, reader.pos + share.ahead, self._size)
                reader.ahead = max(start, end)
                return _pieces(start, end, lim.piece)
            if self._size <= lim.whole_sequential:
                reader.window = self._size
            else:
                reader.window = self._first_window(reader)
            reader.grown = reader.pos
        elif reader.pos - reader.grown >= reader.window // lim.grow:
            reader.window = min(2 * reader.window, lim.gets * lim.piece_max)
            reader.grown = reader.pos
        return self._pieces_ahead(reader, share)

    def on_cancel(self) -> None:
        """What was asked for ahead will not come: ask again where a reader goes on."""
        for reader in self._readers:
            reader.ahead = reader.pos
        self._strides.on_cancel()

    def pattern(self) -> Pattern:
        """As the last reads look: a reader that goes on, visits at equal distances, or neither."""
        lim, strides = self._limits, self._strides
        if not self._readers:
            return Pattern("unread")
        last = self._readers[-1]
        if not last.start and len(self._readers) == 1 and last.pos <= lim.whole < self._size:
            return Pattern("start", last.pos)
        goes_on = last.window > 0 or (not last.start and len(self._readers) == 1)
        if strides.hits > 1 and not (goes_on and last.pos - last.start > 2 * strides.length):
            return Pattern("strides", last.pos, strides.distance, strides.length)
        if not goes_on:
            return Pattern("random", last.pos)
        return Pattern("in order", last.pos, places=max(1, sum(r.window > 0 and r.touched for r in self._readers)))

    def _find(self, offset: int) -> _Reader | None:
        """The reader that a read at `offset` continues."""
        lim, length = self._limits, self._strides.length
        for reader in reversed(self._readers):
            first = max(reader.start, reader.pos - lim.max_back)
            if first <= offset <= max(reader.pos + lim.max_gap, reader.ahead, reader.start + length - 1):
                return reader
        return None

    def _new_reader(self, offset: int, size: int, share: Share) -> Sequence[Extent]:
        lim, readers = self._limits, self._readers
        reader = _Reader(offset, offset + size)
        self._visit(offset, size)
        if not offset and lim.streaming <= size < self._size:
            reader.window = self._longest_first_window
        elif not readers and offset <= lim.head and (soon := self._begin(reader, share)) is not None:
            readers.append(reader)
            return soon
        elif not readers and offset >= self._size - lim.tail and offset >= self._expected > lim.head:
            readers.append(reader)
            return self._cut(0, min(max(self._expected, lim.at_once, self._trip), self._size), lim.piece)
        if readers:
            last = readers[-1]
            self._ended = [*self._ended[1:], last.pos - last.start]
        for other in readers:
            if not other.touched:  # left behind, it seems: should it go on, the window grows again
                other.window = max(other.window >> 1, min(lim.piece, other.window))
            other.touched = False
        readers.append(reader)
        if len(readers) > lim.readers:
            del readers[0]
        return (
            self._pieces_ahead(reader, share) if reader.window else self._strides.next_extents(share.ahead, self._trip)
        )

    @property
    def _longest_first_window(self) -> int:
        lim = self._limits
        most = lim.gets * lim.piece
        return min(most, max(lim.window_least, lim.window_trips * self._trip)) if self._trip else most

    def _begin(self, reader: _Reader, share: Share) -> Sequence[Extent] | None:
        """The first reader begins near the start: what is expected of it. None where that is nothing."""
        lim = self._limits
        if self._expected > self._limits.at_once:
            reader.window = self._longest_first_window
        elif self._expected > max(reader.pos, lim.head):
            reader.ahead = self._expected
            if self._expected == self._size:  # it comes with the first read, unless that found a part of it
                return [Extent(reader.pos, self._expected)]
            return _pieces(reader.pos, self._expected, lim.piece_first)
        elif reader.start and self._trip:  # the kernel has what comes before: it goes on
            reader.window = self._first_window(reader)
        else:
            return None
        return self._pieces_ahead(reader, share)

    def _first_window(self, reader: _Reader) -> int:
        """The window of a reader that goes on: what a round trip brings, if it reads on from the start."""
        lim = self._limits
        reads_on = reader.start <= lim.head and (reader.start > 0 or reader.pos > lim.head)
        trip = self._trip if reads_on else 0
        return min(max(lim.piece, 4 * (reader.pos - reader.start), trip), self._longest_first_window)

    def _visit(self, offset: int, size: int) -> None:
        previous, self._visited = self._visited, size
        self._strides.visit(offset, size, previous)

    def _skip_ahead(self, reader: _Reader, offset: int, size: int, share: Share) -> Sequence[Extent] | None:
        """A read beyond the reader's end, but in its window: late reads will fill the gap, or it is a stride.

        It is a stride when the distances say so and too little was read of what lies between; then the reader ends
        here. None where it is not.
        """
        self._visit(offset, size)
        if self._strides.hits < 3 or reader.done * 5 > (offset - reader.start) * 3:
            return None
        self._readers.remove(reader)
        self._readers.append(_Reader(offset, offset + size))
        return self._strides.next_extents(share.ahead, self._trip)

    def _pieces_ahead(self, reader: _Reader, share: Share) -> Sequence[Extent]:
        """The pieces between what was asked for and the window's end; nothing until a whole piece fits."""
        lim = self._limits
        window = min(reader.window, share.ahead)
        piece = min(max(window // share.gets, min(lim.piece, window)), lim.piece_max) // BLOCK * BLOCK
        if piece < BLOCK:
            return NOTHING
        start = max(reader.ahead, reader.pos)
        end = reader.pos + window
        if end >= self._size:
            end = self._size
        elif end - start < piece:
            return NOTHING
        else:  # whole pieces only
            end = start + (end - start) // piece * piece
        reader.ahead = end
        return self._cut(start, end, piece) if self._trip and start == reader.pos else _pieces(start, end, piece)

    def _cut(self, start: int, end: int, piece: int) -> list[Extent]:
        """What a reader waits for first is cut into shorter pieces."""
        first = self._limits.piece_first
        near = min(end, start + self._limits.pieces_first * first) if first < piece else start
        return _pieces(start, near, first) + _pieces(near, end, piece)


def _pieces(start: int, stop: int, piece: int) -> list[Extent]:
    """`[start, stop)` cut at multiples of blocks into extents of `piece` bytes, the last one shorter."""
    if stop <= start:
        return []
    cuts = [start, *range(start // BLOCK * BLOCK + piece, stop, piece), stop]
    return [Extent(a, b) for a, b in pairwise(cuts) if a < b]
