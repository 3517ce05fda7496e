"""What one handle's reads tell about those to come: a pure policy, without a clock and without I/O.

Each read either continues a run or begins one. A run is what one reader does: it starts somewhere and
moves on; several may interleave in one handle. What falls into the window that was already asked for
continues its run, in whatever order the kernel's threads deliver it. A run that goes on gets a window,
which doubles as the reader uses it, up to the handle's share of memory, and halves when it is left.
Runs that begin at equal distances are strided (`strides.py`); all others are random, and get nothing.

The numbers come from measurements over a 30 ms round trip, 90 MB/s a connection, and are given where
they stand. Offsets, sizes and windows are in bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

from ..geometry import BLOCK, Extent
from .strides import Strides

KIB, MIB = 1 << 10, 1 << 20


@dataclass(frozen=True, slots=True)
class Limits:
    """The policy's numbers.

    Attributes:
        streams: pieces in flight that the window is cut into. 24-28 connections carried most, 64 less than 32.
        grow: the window doubles once this part of it was used. 2 took 5 % longer for 256 MiB, 4 fetches more in vain.
        piece: smallest piece. New connections are slow (TCP starts small: 256 KiB take 200 ms, 8 MiB
            540 ms), so many are opened at once with small pieces, and the pieces grow with the window.
        piece_max: largest piece; from 4-8 MiB on a connection's full rate is reached.
        streaming: a first read at offset 0 at least this long comes from a program that reads 128 KiB or
            more at once, and so will go on (the kernel asks for 16-128 KiB on behalf of one that wants a header).
        whole: an object up to this size is fetched whole at the first touch.
        whole_run: an object up to this size is fetched whole once it is read sequentially.
        gap: reads this far past a run's end still continue it: every block in between is touched anyway.
        back: and reads this far before it: the kernel's threads deliver some late. Before that it is another reader.
        runs: runs told apart in one handle.
        habit: where the last runs ended at about the same length, up to this, a new one is asked for that
            far once it goes on, and gets a window only if it goes further.
    """

    streams: int = 28
    grow: int = 3
    piece: int = 512 * KIB
    piece_max: int = 4 * MIB
    streaming: int = 128 * KIB
    whole: int = 128 * KIB
    whole_run: int = 4 * MIB
    gap: int = BLOCK
    back: int = 8 * MIB
    runs: int = 8
    habit: int = 8 * MIB


class Share(NamedTuple):
    """What one handle may use.

    Args:
        ahead: how far past its reader it may fetch.
        lanes: GETs at once that its window is cut for.
    """

    ahead: int
    lanes: int


DEFAULT = Limits()
NOTHING: tuple[Extent, ...] = ()


class _Run:
    """One reader: from `start` it has come to `pos`; up to `ahead` it was asked for."""

    __slots__ = ("ahead", "done", "grown", "pos", "start", "touched", "window")

    def __init__(self, start: int, stop: int) -> None:
        self.start, self.pos, self.ahead = start, stop, stop
        self.done = stop - start  # bytes read, each read counted
        self.window = 0
        self.grown = stop  # where it was when the window last grew
        self.touched = True  # since a run last began


class Readahead:
    """The policy of one handle on an object of `size` bytes."""

    __slots__ = ("_ended", "_limits", "_runs", "_size", "_strides", "_visited")

    def __init__(self, size: int, limits: Limits = DEFAULT) -> None:
        self._size, self._limits = size, limits
        self._runs: list[_Run] = []  # the one read last comes last
        self._ended = [0, 0, 0]  # how much the last three runs had read when the next one began
        self._strides = Strides(size)
        self._visited = 0  # bytes read since a visit began

    def wanted(self, offset: int, size: int) -> Extent:
        """What to fetch now for a read that found something missing; to be asked before `read` is told of it."""
        run = self._find(offset)
        if run is not None and offset == run.start:
            self._runs.remove(run)  # its reader starts over, and what it had read is gone
        if self._size <= self._limits.whole:
            return Extent(0, self._size)
        return Extent(offset, offset + size)

    def read(self, offset: int, size: int, share: Share) -> Sequence[Extent]:
        """A read of `[offset, offset + size)`: what will be wanted soon and was not asked for, most urgent first."""
        stop = offset + size
        lim = self._limits
        run = self._find(offset)
        if run is None:
            return self._begin(offset, size, share)
        run.done += size
        if offset > run.pos + lim.gap and offset - run.start >= self._strides.span:  # else late company of one visit
            if (soon := self._skip(run, offset, size, share)) is not None:
                return soon
        else:
            self._visited += size
        run.touched = True
        if run is not self._runs[-1]:
            self._runs.remove(run)
            self._runs.append(run)
        if stop <= run.pos:
            return NOTHING  # reading again is not reading on
        run.pos = stop
        if run.ahead >= self._size:
            return NOTHING
        if not run.window:
            habit = max(sorted(self._ended)[1], self._strides.span)  # a jump or two do not make one
            if run.pos - run.start <= habit <= lim.habit:  # it may end where the ones before it did
                start, end = max(run.ahead, run.pos), min(run.start + habit, run.pos + share.ahead, self._size)
                run.ahead = max(start, end)
                return _pieces(start, end, lim.piece)
            if self._size <= lim.whole_run:
                run.window = self._size
            else:
                run.window = min(max(lim.piece, 4 * (run.pos - run.start)), lim.streams * lim.piece)
            run.grown = run.pos
        elif run.pos - run.grown >= run.window // lim.grow:
            run.window = min(2 * run.window, lim.streams * lim.piece_max)
            run.grown = run.pos
        return self._fill(run, share)

    def cancelled(self) -> None:
        """What was asked for ahead will not come: ask again where a reader goes on."""
        for run in self._runs:
            run.ahead = run.pos
        self._strides.cancelled()

    def _find(self, offset: int) -> _Run | None:
        """The run that a read at `offset` continues."""
        lim, span = self._limits, self._strides.span
        for run in reversed(self._runs):
            if max(run.start, run.pos - lim.back) <= offset <= max(run.pos + lim.gap, run.ahead, run.start + span - 1):
                return run
        return None

    def _begin(self, offset: int, size: int, share: Share) -> Sequence[Extent]:
        lim, runs = self._limits, self._runs
        run = _Run(offset, offset + size)
        self._visit(offset, size)
        if not offset and lim.streaming <= size < self._size:
            run.window = lim.streams * lim.piece
        if runs:
            last = runs[-1]
            self._ended = [*self._ended[1:], last.pos - last.start]
        for other in runs:
            if not other.touched:  # left behind, it seems: should its reader come back, the window grows again
                other.window = max(other.window >> 1, min(lim.piece, other.window))
            other.touched = False
        runs.append(run)
        if len(runs) > lim.runs:
            del runs[0]
        return self._fill(run, share) if run.window else self._strides.ahead(share.ahead)

    def _visit(self, offset: int, size: int) -> None:
        previous, self._visited = self._visited, size
        self._strides.visit(offset, size, previous)

    def _skip(self, run: _Run, offset: int, size: int, share: Share) -> Sequence[Extent] | None:
        """A read beyond the run's end, but in its window: late company will fill the gap, or it is a stride.

        A stride it is when the distances say so and too little of the run was read; then the run ends here.
        """
        self._visit(offset, size)
        if self._strides.hits < 3 or run.done * 5 > (offset - run.start) * 3:
            return None
        self._runs.remove(run)
        self._runs.append(_Run(offset, offset + size))
        return self._strides.ahead(share.ahead)

    def _fill(self, run: _Run, share: Share) -> Sequence[Extent]:
        """The pieces between what was asked for and the window's end; nothing until a whole piece fits."""
        lim = self._limits
        window = min(run.window, share.ahead)
        piece = min(max(window // share.lanes, min(lim.piece, window)), lim.piece_max) // BLOCK * BLOCK
        if piece < BLOCK:
            return NOTHING
        start = max(run.ahead, run.pos)
        end = run.pos + window
        if end >= self._size:
            end = self._size
        elif end - start < piece:
            return NOTHING
        else:  # whole pieces only
            end = start + (end - start) // piece * piece
        run.ahead = end
        return _pieces(start, end, piece)


def _pieces(start: int, stop: int, piece: int) -> list[Extent]:
    """`[start, stop)` cut at multiples of blocks into extents of `piece` bytes, the last one shorter."""
    if stop <= start:
        return []
    cuts = [start, *range(start // BLOCK * BLOCK + piece, stop, piece), stop]
    return [Extent(a, b) for a, b in pairwise(cuts) if a < b]
