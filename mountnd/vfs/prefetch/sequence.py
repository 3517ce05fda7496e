"""Readahead across files: when a program walks over files of one kind, the next ones are fetched before it asks.

`pattern.py` says which files come next; this says when to believe it, how many, and how much of each: the start
of a file where the walk reads headers, all of it where the walk reads whole files or the file is small. A guess
that fails ends the sweep of that kind: what was guessed is given up, and the next one must be earned by more opens.

Pure but for its memory: no I/O, no clock. Each source has one; the caller serialises calls.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterator, Sequence
from itertools import takewhile
from typing import NamedTuple

from .pattern import Children, Moving, Passed, Path, kind, learn, successors

# Opens of one kind before the first guess: two could be chance, and a third costs one round trip more. Each sweep that
# fails doubles it, up to EARNED_MOST, and each guess that is right halves it: opens at random earn no more sweeps.
EARNED, EARNED_MOST = 3, 192
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
# Places without such a file that one open looks at, some 20 us each; and those of them whose names are not known yet,
# behind which it is not worth looking: more of them may be known soon.
PLACES, UNKNOWN = 64, 16


class Wanted(NamedTuple):
    """A file to be fetched ahead: all of it, or its first `START` bytes."""

    path: Path
    whole: bool


class Step(NamedTuple):
    """What an open leads to: files to fetch ahead, nearest first, and guesses that are given up."""

    wanted: Sequence[Wanted] = ()
    dropped: Sequence[Path] = ()


class _Kind:
    __slots__ = (
        "ahead",
        "enough",
        "guessed",
        "history",
        "misses",
        "moving",
        "need",
        "next",
        "streak",
        "typical",
        "whole",
    )

    def __init__(self) -> None:
        self.history: deque[Path] = deque(maxlen=6)
        self.guessed: OrderedDict[Path, None] = OrderedDict()  # wanted, not opened yet
        self.streak = self.ahead = self.misses = 0
        self.need = EARNED  # opens before the next sweep
        self.moving = Moving(frozenset(), frozenset())
        self.next: Iterator[Path | Passed] | None = None
        self.enough = 0  # with `next` at its end: look again once no more than these are still to come
        self.whole = 0  # > 0: the files closed lately were read whole
        self.typical = 0  # size of the last one opened, bytes


class Sweep:
    """The walks over one source. `children` as in `pattern.py`."""

    def __init__(self, children: Children) -> None:
        self._children = children
        self._kinds: OrderedDict[tuple[int, str], _Kind] = OrderedDict()
        self._dropped: list[Path] = []

    def opened(self, path: Path, size: int) -> Step:
        """A program opened `path` (of `size` bytes)."""
        wanted = self._opened(self._kind(path), path, size)
        dropped, self._dropped = self._dropped, []
        return Step(wanted, dropped)

    def closed(self, path: Path, size: int, stop: int) -> None:
        """A program closed `path`, having read up to byte `stop` of `size`: whole files, or headers only?"""
        k = self._kind(path)
        whole = stop >= size - (size >> 4)
        k.whole = min(3, max(k.whole, 0) + 1) if whole else -1

    def _opened(self, k: _Kind, path: Path, size: int) -> list[Wanted]:
        k.typical = size
        if path in k.history:
            return []  # tools open a file several times over: sniff, header, data
        k.history.append(path)
        k.streak += 1
        if path in k.guessed:
            strayed = k.misses > 0
            if self._hit(k, path) and learn(k.history) != k.moving:
                k.next, strayed = None, True  # less of the path moves than was thought
        elif k.next is not None:
            k.misses += 1
            if k.misses > TOLERATED:
                self._forget(k)
            return []
        else:
            strayed = True
        return self._guess(k, path, strayed) if k.streak >= k.need else []

    def _kind(self, path: Path) -> _Kind:
        key = kind(path)
        k = self._kinds.get(key)
        if k is None:
            k = self._kinds[key] = _Kind()
            if len(self._kinds) > KINDS:
                _, old = self._kinds.popitem(last=False)
                self._dropped += old.guessed
        else:
            self._kinds.move_to_end(key)
        return k

    def _hit(self, k: _Kind, path: Path) -> bool:
        """A guess was right; whether others were passed by."""
        k.misses, k.ahead, k.need = 0, min(MOST, 2 * k.ahead), max(EARNED, k.need // 2)
        before = list(takewhile(lambda guess: guess != path, k.guessed))
        passed = before[: max(0, len(before) - PASSED)]
        for guess in passed:
            del k.guessed[guess]
        del k.guessed[path]
        self._dropped += passed
        return bool(passed)

    def _forget(self, k: _Kind) -> None:
        """The guess was wrong: only the last open still counts."""
        last = k.history[-1]
        k.history.clear()
        k.history.append(last)
        self._dropped += k.guessed
        k.guessed.clear()
        k.streak, k.ahead, k.misses, k.next = 1, 0, 0, None
        k.need = min(EARNED_MOST, 2 * k.need)

    def _guess(self, k: _Kind, path: Path, strayed: bool) -> list[Wanted]:
        """`strayed`: not all that was opened lately had been guessed, so there is something to learn."""
        if not strayed and k.next is None and len(k.guessed) > k.enough:
            return []
        if strayed or k.next is None:
            moving = learn(k.history)
            if k.next is None or moving.levels - k.moving.levels or moving.parts - k.moving.parts:
                k.moving, k.ahead = moving, max(k.ahead, FIRST)
                k.next = successors(self._children, path, moving)
        whole = k.typical <= SMALL or k.whole >= 2
        most = k.ahead
        if whole and k.typical > SMALL:
            most = max(1, min(most, WHOLE_BUDGET // max(k.typical, 1)))
        return [Wanted(following, whole) for following in self._look(k, k.next, most)]

    @staticmethod
    def _look(k: _Kind, coming: Iterator[Path | Passed], most: int) -> list[Path]:
        """What comes next, until `most` are guessed or enough was looked at for now."""
        out: list[Path] = []
        passed = unknown = 0
        while len(k.guessed) < most and passed < PLACES:
            following = next(coming, None)
            if isinstance(following, Passed):
                passed += 1
                unknown += following is Passed.UNKNOWN
            elif following is not None and following not in k.guessed and following not in k.history:
                k.guessed[following] = None
                out.append(following)
            if following is None or unknown > UNKNOWN:
                # The end, or as far as is known yet: once half of these are opened, look again from there.
                k.next, k.enough = None, len(k.guessed) // 2
                break
        return out
