"""Readahead across files: when a program walks over files of one kind, the next ones are fetched before it asks.

`pattern.py` says which files come next; this says when to believe it, how many, and how much of each: the start
of a file where the walk reads headers, all of it where the walk reads whole files or the file is small. A guess
that fails ends the sweep of that kind, and it must be earned anew.

Pure but for its memory: no I/O, no clock. Each source has one; the caller serialises calls.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterator
from typing import NamedTuple

from .pattern import Children, Moving, Path, kind, learn, successors

# Opens of one kind before the first guess: two could be chance, and a third costs one round trip more.
EARNED = 3
# The first guess fetches so many files ahead, doubling with each one that proves right, up to MOST:
# the prototype's 200 headers in 200 directories took 1.4 s with it against 7 s of the best peer.
FIRST, MOST = 8, 64
# Bytes fetched ahead of a walk over whole files: about what a round trip of 30 ms holds on a fast line, tenfold.
WHOLE_BUDGET = 48 << 20
# A file up to this size costs about the same whole as its first block.
SMALL = 256 << 10
# The start of a file that holds the headers of every format these tools read.
START = 64 << 10
# Opens that were not guessed, since the last that was: several threads of one program open a little out of order,
# and a guess that holds costs nothing more until then.
TOLERATED = 8
# Guessed files that the walk has passed by so far are not coming any more.
PASSED = 16
# Kinds remembered; a walk uses a handful.
KINDS = 64


class Wanted(NamedTuple):
    """A file to be fetched ahead: all of it, or its first `START` bytes."""

    path: Path
    whole: bool


class _Kind:
    __slots__ = ("ahead", "guessed", "history", "misses", "moving", "next", "streak", "typical", "whole")

    def __init__(self) -> None:
        self.history: deque[Path] = deque(maxlen=6)
        self.guessed: OrderedDict[Path, None] = OrderedDict()  # fetched, not opened yet
        self.streak = self.ahead = self.misses = 0
        self.moving: Moving | None = None
        self.next: Iterator[Path] | None = None
        self.whole = 0  # > 0: the files closed lately were read whole
        self.typical = 0  # size of the last one opened, bytes


class Sweep:
    """The walks over one source. `children` as in `pattern.py`."""

    def __init__(self, children: Children) -> None:
        self._children = children
        self._kinds: OrderedDict[tuple[int, str], _Kind] = OrderedDict()

    def opened(self, path: Path, size: int) -> list[Wanted]:
        """A program opened `path` (of `size` bytes): what to fetch now, nearest first."""
        k = self._kind(path)
        k.typical = size
        if path in k.history:
            return []  # tools open a file several times over: sniff, header, data
        k.history.append(path)
        k.streak += 1
        if path in k.guessed:
            self._hit(k, path)
        elif k.next is not None:
            k.misses += 1
            if k.misses > TOLERATED:
                self._forget(k)
            return []
        return self._guess(k, path) if k.streak >= EARNED else []

    def closed(self, path: Path, size: int, stop: int) -> None:
        """A program closed `path`, having read up to byte `stop` of `size`: whole files, or headers only?"""
        k = self._kind(path)
        whole = stop >= size - (size >> 4)
        k.whole = min(3, max(k.whole, 0) + 1) if whole else -1

    def _kind(self, path: Path) -> _Kind:
        key = kind(path)
        k = self._kinds.get(key)
        if k is None:
            k = self._kinds[key] = _Kind()
            if len(self._kinds) > KINDS:
                self._kinds.popitem(last=False)
        else:
            self._kinds.move_to_end(key)
        return k

    def _hit(self, k: _Kind, path: Path) -> None:
        k.misses, k.ahead = 0, min(MOST, 2 * k.ahead)
        before = list(k.guessed).index(path)
        for passed in list(k.guessed)[: max(0, before - PASSED)]:
            del k.guessed[passed]
        del k.guessed[path]

    def _forget(self, k: _Kind) -> None:
        """The guess was wrong: only the last open still counts."""
        last = k.history[-1]
        k.history.clear()
        k.history.append(last)
        k.guessed.clear()
        k.streak, k.ahead, k.misses, k.next, k.moving = 1, 0, 0, None, None

    def _guess(self, k: _Kind, path: Path) -> list[Wanted]:
        moving = learn(k.history)
        if k.moving is not None and (moving.levels - k.moving.levels or moving.parts - k.moving.parts):
            k.next = None  # more of the path moves than was thought
        if k.next is None:
            k.moving = moving
            k.ahead = max(k.ahead, FIRST)
            k.next = successors(self._children, path, moving)
        whole = k.typical <= SMALL or k.whole >= 2
        most = k.ahead
        if whole and k.typical > SMALL:
            most = max(1, min(most, WHOLE_BUDGET // max(k.typical, 1)))
        out = []
        while len(k.guessed) < most:
            following = next(k.next, None)
            if following is None:
                k.next = None  # the end, or as far as is known yet: the next open looks again from there
                break
            if following not in k.guessed and following not in k.history:
                k.guessed[following] = None
                out.append(Wanted(following, whole))
        return out
