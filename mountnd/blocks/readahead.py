"""What one handle's reads tell about those to come: a pure policy, without a clock and without I/O.

Each read either continues a run or begins one. A run is what one reader does: it starts somewhere and
moves on; several may interleave in one handle. What falls into the window that was already asked for
continues its run, in whatever order the kernel's threads deliver it. A run that goes on gets a window,
which doubles as the reader uses it, up to the handle's share of memory.

The numbers come from measurements over a 30 ms round trip, 90 MB/s a connection, and are given where
they stand. Offsets, sizes and windows are in bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .geometry import BLOCK, Extent

KIB, MIB = 1 << 10, 1 << 20


@dataclass(frozen=True, slots=True)
class Limits:
    """The policy's numbers.

    Attributes:
        streams: pieces in flight that the window is cut into. 16-24 connections carried most; 32 less.
        piece: smallest piece. New connections are slow (TCP starts small: 256 KiB take 200 ms, 8 MiB
            540 ms), so many are opened at once with small pieces, and the pieces grow with the window.
        piece_max: largest piece; from 4-8 MiB on a connection's full rate is reached.
        streaming: a first read at offset 0 at least this long comes from a program that reads 128 KiB or
            more at once, and so will go on (the kernel asks for 16-128 KiB on behalf of one that wants a header).
        whole: an object up to this size is fetched whole at the first touch.
        whole_run: an object up to this size is fetched whole once it is read sequentially.
        gap: reads this far past a run's end still continue it: every block in between is touched anyway.
        runs: runs told apart in one handle.
    """

    streams: int = 16
    piece: int = 512 * KIB
    piece_max: int = 4 * MIB
    streaming: int = 128 * KIB
    whole: int = 128 * KIB
    whole_run: int = 4 * MIB
    gap: int = BLOCK
    runs: int = 8


DEFAULT = Limits()
NOTHING: tuple[Extent, ...] = ()


class _Run:
    """One reader: from `start` it has come to `pos`; up to `ahead` it was asked for."""

    __slots__ = ("ahead", "done", "grown", "pos", "start", "window")

    def __init__(self, start: int, stop: int) -> None:
        self.start, self.pos, self.ahead = start, stop, stop
        self.done = stop - start  # bytes read, each read counted
        self.window = 0
        self.grown = stop  # where it was when the window last grew


class Readahead:
    """The policy of one handle on an object of `size` bytes."""

    def __init__(self, size: int, limits: Limits = DEFAULT) -> None:
        self._size, self._limits = size, limits
        self._runs: list[_Run] = []  # the one read last comes last
        self._short = [0, 0, 0]  # lengths of the last runs that ended

    def wanted(self, offset: int, size: int) -> Extent:
        """What to fetch now for a read that found something missing."""
        if self._size <= self._limits.whole:
            return Extent(0, self._size)
        return Extent(offset, offset + size)

    def read(self, offset: int, size: int, share: int) -> Sequence[Extent]:
        """A read of `[offset, offset + size)`: what will be wanted soon and was not asked for yet, most urgent first.

        Args:
            share: how far past its reader this handle may fetch.
        """
        stop = offset + size
        lim = self._limits
        for run in reversed(self._runs):
            if run.start <= offset <= run.pos + lim.gap or run.pos <= offset <= run.ahead:
                break
        else:
            return self._begin(offset, stop, share)
        run.done += size
        if run is not self._runs[-1]:
            self._runs.remove(run)
            self._runs.append(run)
        if stop > run.pos:
            run.pos = stop
        if run.ahead >= self._size:
            return NOTHING
        if not run.window:
            if run.done <= min(self._short):
                return NOTHING  # as long as the runs before it were: it may end here too
            if self._size <= lim.whole_run:
                run.window = self._size
            else:
                run.window = min(max(lim.piece, 4 * run.done), lim.streams * lim.piece)
            run.grown = run.pos
        elif run.pos - run.grown >= run.window >> 2:
            run.window = min(2 * run.window, lim.streams * lim.piece_max)
            run.grown = run.pos
        return self._fill(run, share)

    def _begin(self, offset: int, stop: int, share: int) -> Sequence[Extent]:
        lim = self._limits
        first = not self._runs
        run = _Run(offset, stop)
        self._runs.append(run)
        if len(self._runs) > lim.runs:
            old = self._runs.pop(0)
            self._short = [*self._short[1:], old.done]
        if first and offset == 0 and stop >= lim.streaming and stop < self._size:
            run.window = lim.streams * lim.piece
            return self._fill(run, share)
        return NOTHING

    def _fill(self, run: _Run, share: int) -> Sequence[Extent]:
        """The pieces between what was asked for and the window's end; nothing until a whole piece fits."""
        lim = self._limits
        window = min(run.window, share)
        piece = max(window // lim.streams, min(lim.piece, window)) // BLOCK * BLOCK
        if piece < BLOCK:
            return NOTHING
        start = max(run.ahead, run.pos)
        end = run.pos + window
        if end >= self._size:
            end = self._size
        elif end - start < piece:
            return NOTHING
        pieces = []
        while start < end:
            stop = min((start // BLOCK * BLOCK) + piece, self._size)
            if stop > end:
                break
            pieces.append(Extent(start, stop))
            start = stop
        if pieces:
            run.ahead = start
        return pieces
