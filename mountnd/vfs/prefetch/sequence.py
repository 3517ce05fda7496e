"""Policy: when a program opens files of one kind one after another, the next ones are fetched before it does.

`pattern.py` says which files come next; this says when to predict, how many, and how much of each: the start
of a file where the program reads headers, all of it where it reads whole files or the file is small. A prediction
that fails ends the sequence of that kind: what was predicted is dropped, and the next one takes more opens.

Pure but for its memory: no I/O, no clock. Each source has one; the caller serialises calls.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterator
from itertools import takewhile

from ...stats import PREFETCHED_IN_SEQUENCE
from .pattern import Path, Skipped, VaryingParts, kind, successors, varying_parts
from .policy import Decision, KnownFiles, Prediction

# Opens of one kind before the first prediction: two could be chance, and a third costs one round trip more. Each
# sequence that fails doubles it, up to OPENS_NEEDED_MAX, and each right prediction halves it: opens at random soon
# lead to none.
OPENS_NEEDED, OPENS_NEEDED_MAX = 3, 192
# The first prediction is of so many files, doubling with each one that proves right, up to MAX_AHEAD:
# the prototype's 200 headers in 200 directories took 1.4 s with it against 7 s of the best peer.
FIRST_AHEAD, MAX_AHEAD = 8, 64
# Bytes fetched ahead of a walk over whole files: about what a round trip of 30 ms holds on a fast line, tenfold.
WHOLE_BUDGET = 48 << 20
# A file up to this size costs about the same whole as its first block.
SMALL = 256 << 10
# The start of a file that holds the headers of every format these tools read.
HEAD_BYTES = 64 << 10
# Opens that were not predicted, since the last that was: several threads of one program open a little out of order,
# and predictions that are right cost nothing more until then.
MISSES_TOLERATED = 8
# Predicted files that the walk has passed by so far will not be opened any more.
PASSED_KEPT = 16
# Kinds remembered; a walk uses a handful.
KINDS = 64
# Places without such a file that one open looks at, some 20 us each; and those of them whose names are not known yet,
# behind which it is not worth looking: more of them may be known soon.
PLACES_SEARCHED, UNKNOWN_SEARCHED = 64, 16


class _Kind:
    """The files of one kind: what was opened lately, what is predicted."""

    __slots__ = (
        "ahead",
        "enough",
        "history",
        "misses",
        "need",
        "next",
        "opens",
        "predicted",
        "typical",
        "varying",
        "whole",
    )

    def __init__(self) -> None:
        self.history: deque[Path] = deque(maxlen=6)
        self.predicted: OrderedDict[Path, None] = OrderedDict()  # not opened yet, nearest first
        self.opens = self.ahead = self.misses = 0
        self.need = OPENS_NEEDED  # opens before the next prediction
        self.varying = VaryingParts(frozenset(), frozenset())
        self.next: Iterator[Path | Skipped] | None = None
        self.enough = 0  # with `next` at its end: look again once no more than these are still to come
        self.whole = 0  # > 0: the files closed lately were read whole
        self.typical = 0  # size of the last one opened, bytes


class SequencePolicy:
    """The sequences of files opened in one source."""

    counter = PREFETCHED_IN_SEQUENCE

    def __init__(self, known: KnownFiles) -> None:
        self._known = known
        self._kinds: OrderedDict[tuple[int, str], _Kind] = OrderedDict()
        self._dropped: list[Path] = []

    def opened(self, path: Path, size: int) -> Decision:
        """A program opened `path` (of `size` bytes)."""
        predicted = self._opened(self._kind(path), path, size)
        dropped, self._dropped = self._dropped, []
        return Decision(predicted, dropped)

    def closed(self, path: Path, size: int, stop: int) -> None:
        """A program closed `path`, having read up to byte `stop` of `size`: whole files, or headers only?"""
        k = self._kind(path)
        whole = stop >= size - (size >> 4)
        k.whole = min(3, max(k.whole, 0) + 1) if whole else -1

    def _opened(self, k: _Kind, path: Path, size: int) -> list[Prediction]:
        k.typical = size
        if path in k.history:
            return []  # tools open a file several times over: sniff, header, data
        k.history.append(path)
        k.opens += 1
        if path in k.predicted:
            strayed = k.misses > 0
            if self._predicted_right(k, path) and varying_parts(k.history) != k.varying:
                k.next, strayed = None, True  # less of the path varies than was thought
        elif k.next is not None:
            k.misses += 1
            if k.misses > MISSES_TOLERATED:
                self._abandon(k)
            return []
        else:
            strayed = True
        return self._predict(k, path, strayed) if k.opens >= k.need else []

    def _kind(self, path: Path) -> _Kind:
        key = kind(path)
        k = self._kinds.get(key)
        if k is None:
            k = self._kinds[key] = _Kind()
            if len(self._kinds) > KINDS:
                _, old = self._kinds.popitem(last=False)
                self._dropped += old.predicted
        else:
            self._kinds.move_to_end(key)
        return k

    def _predicted_right(self, k: _Kind, path: Path) -> bool:
        """A prediction was right; whether others were passed by."""
        k.misses, k.ahead, k.need = 0, min(MAX_AHEAD, 2 * k.ahead), max(OPENS_NEEDED, k.need // 2)
        before = list(takewhile(lambda prediction: prediction != path, k.predicted))
        passed = before[: max(0, len(before) - PASSED_KEPT)]
        for prediction in passed:
            del k.predicted[prediction]
        del k.predicted[path]
        self._dropped += passed
        return bool(passed)

    def _abandon(self, k: _Kind) -> None:
        """The predictions were wrong: only the last open still counts."""
        last = k.history[-1]
        k.history.clear()
        k.history.append(last)
        self._dropped += k.predicted
        k.predicted.clear()
        k.opens, k.ahead, k.misses, k.next = 1, 0, 0, None
        k.need = min(OPENS_NEEDED_MAX, 2 * k.need)

    def _predict(self, k: _Kind, path: Path, strayed: bool) -> list[Prediction]:
        """`strayed`: not all that was opened lately had been predicted, so there is something to learn."""
        if not strayed and k.next is None and len(k.predicted) > k.enough:
            return []
        if strayed or k.next is None:
            varying = varying_parts(k.history)
            if k.next is None or varying.levels - k.varying.levels or varying.parts - k.varying.parts:
                k.varying, k.ahead = varying, max(k.ahead, FIRST_AHEAD)
                k.next = successors(self._known, path, varying)
        whole = k.typical <= SMALL or k.whole >= 2
        most = k.ahead
        if whole and k.typical > SMALL:
            most = max(1, min(most, WHOLE_BUDGET // max(k.typical, 1)))
        stop = None if whole else HEAD_BYTES
        return [Prediction(following, stop) for following in self._next_files(k, k.next, most)]

    @staticmethod
    def _next_files(k: _Kind, coming: Iterator[Path | Skipped], most: int) -> list[Path]:
        """What comes next, until `most` are predicted or enough was searched for now."""
        out: list[Path] = []
        passed = unknown = 0
        while len(k.predicted) < most and passed < PLACES_SEARCHED:
            following = next(coming, None)
            if isinstance(following, Skipped):
                passed += 1
                unknown += following is Skipped.UNKNOWN
            elif following is not None and following not in k.predicted and following not in k.history:
                k.predicted[following] = None
                out.append(following)
            if following is None or unknown > UNKNOWN_SEARCHED:
                # The end, or as far as is known yet: once half of these are opened, look again from there.
                k.next, k.enough = None, len(k.predicted) // 2
                break
        return out
