"""Policy: programs walk the tree, so what they open next is what comes next in the order that they follow.

An open that was predicted belongs to the walk that predicted it. Any other continues the walk from whose last open one
of the orders leads to it, or begins one. A walk predicts from its third open on; one of whose predictions none comes
true any more ends, and then the next one takes more opens: opens at random soon lead to no predictions. What may be
predicted in vain is earned.

Pure but for its memory: no I/O, no clock. Each source has one; the caller serialises calls.
"""

from __future__ import annotations

from cachetools import LRUCache

from ...stats import PREFETCHED_IN_SEQUENCE
from .names import Path
from .policy import Decision, KnownFiles, Prediction
from .walk import AHEAD_BYTES, Walk, cost

# Opens before the first prediction: two could be chance, and a third costs one round trip more. Each walk that fails
# doubles it, up to OPENS_NEEDED_MAX, and each right prediction halves it.
OPENS_NEEDED, OPENS_NEEDED_MAX = 3, 192
# Opens of files as a walk opens them that it had not predicted, since the last that it had.
MISSES_TOLERATED = 8
# Walks told apart: programs side by side, and opens that belong to none.
WALKS = 8
# Of those without predictions only the last ones can be joined.
BEGUN_TRIED = 3
# Looks for an order in opens that found none, some 1 ms each: then there is one in so many opens.
# Some in a row, since it takes two opens to see a walk.
FRUITLESS_MAX, FRUITLESS_REGAINED, LOOKS_IN_A_ROW = 32, 1 / 32, 4
# What may be predicted in vain, in bytes (a file counts as its walk counts it): so many at first, and then shares of
# what is opened, predicted or not. So it is a fifth of what is read in the long run, whatever programs do.
CREDIT, CREDIT_MAX = 3 * AHEAD_BYTES // 2, 4 * AHEAD_BYTES
CREDIT_OF_RIGHT, CREDIT_OF_OTHERS = 1 / 5, 1 / 32
# So many files open side by side are opened by threads, in no exact order: closes come a moment late, and programs keep
# one or two open. Who keeps more than the second figure open need not have so many threads.
TOGETHER, TOGETHER_MAX = 3, 16
# Before a prediction each of the threads has opened a file: which way they go cannot be told from some of these. That
# many are enough, though.
TOGETHER_NEEDED = 8
# Predictions given up that are remembered: opened after all, such a share of it was not in vain.
GIVEN_UP, LATE = 64, 1 / 2
# Files opened lately: tools open a file several times over (sniff, header, data), which tells nothing.
OPENED_LATELY = 128


class WalkPolicy:
    """The walks of the programs that read one source."""

    counter = PREFETCHED_IN_SEQUENCE

    def __init__(self, known: KnownFiles) -> None:
        self._known = known
        self._walks: list[Walk] = []  # the one that had an open last comes last
        self._coming: dict[Path, tuple[Walk, int]] = {}  # and what it counts
        self._credit: float = CREDIT  # less what is coming
        self._given_up: LRUCache[Path, int] = LRUCache(GIVEN_UP)  # and what it counted
        self._lately: LRUCache[Path, None] = LRUCache(OPENED_LATELY)
        self._need = OPENS_NEEDED
        self._looks: float = FRUITLESS_MAX
        self._resting = False
        self._open = 0

    def opened(self, path: Path, size: int) -> Decision:
        """A program opened `path` (of `size` bytes)."""
        self._open += 1
        if path in self._lately:
            self._lately[path]  # it is the latest again
            return Decision()
        dropped: list[Path] = []
        walk, counted = self._coming.pop(path, (None, 0))
        if walk is not None:
            self._need = max(OPENS_NEEDED, self._need // 2)
            self._earn(counted + counted * CREDIT_OF_RIGHT)
            dropped = walk.hit(path, self._together)
        else:
            self._earn(self._given_up.pop(path, 0) * LATE + cost(self._known.wanted(path, size)) * CREDIT_OF_OTHERS)
            looks = self._is_worth_a_look()
            if looks:
                walk, dropped = self._joined(path)
            dropped += self._missed(path, walk)
            if looks and walk is None:
                dropped += self._begin(path)
        self._lately[path] = None
        self._forget(dropped)
        if walk is None:
            return Decision((), dropped)
        self._walks.remove(walk)
        self._walks.append(walk)
        need = max(self._need, min(self._together, TOGETHER_NEEDED))
        return Decision(self._predict(walk) if walk.opens >= need else (), dropped)

    def closed(self, path: Path, size: int, stop: int) -> None:
        """How much of it was read is seen to elsewhere (`habits.py`)."""
        self._open = max(0, self._open - 1)  # some were opened before this policy was made

    @property
    def _together(self) -> int:
        """How many files threads of a program have open side by side; 0 where it seems to be one after the other."""
        return min(self._open, TOGETHER_MAX) if self._open >= TOGETHER else 0

    def _is_worth_a_look(self) -> bool:
        """Whether to look for a walk of which an open is part that was not predicted."""
        self._looks = min(FRUITLESS_MAX, self._looks + FRUITLESS_REGAINED)
        if not 1 <= self._looks < LOOKS_IN_A_ROW:
            self._resting = self._looks < 1
        return not self._resting

    def _joined(self, path: Path) -> tuple[Walk | None, list[Path]]:
        """The walk that this open continues, and what is given up for it."""
        for walk in reversed(self._walks):
            if walk.steps_back(path, self._together):
                return walk, []
        tried = 0
        beside = [walk for walk in self._walks if walk.is_beside(path)]
        elsewhere = [walk for walk in self._walks if walk not in beside]
        for walk in (*beside[::-1], *elsewhere[::-1]):
            orders = walk.orders_to(path) if walk.coming or tried < BEGUN_TRIED else ()
            if orders:
                tried += not walk.coming
                if (dropped := walk.joins(path, orders, self._together)) is not None:
                    return walk, dropped
        self._looks -= 1
        return None, []

    def _missed(self, path: Path, joined: Walk | None) -> list[Path]:
        """No walk had predicted `path`: others than the one it `joined` that would open such a file may have ended."""
        ended = []
        for walk in self._walks:
            if walk is not joined and walk.coming and walk.wants(path):
                walk.misses += 1
                if walk.misses > MISSES_TOLERATED:
                    ended.append(walk)
        for walk in ended:
            self._walks.remove(walk)
            self._need = min(OPENS_NEEDED_MAX, 2 * self._need)
        return [p for walk in ended for p in walk.coming]

    def _begin(self, path: Path) -> list[Path]:
        self._walks.append(Walk(self._known, path, self._lately, self._coming))
        if len(self._walks) <= WALKS:
            return []
        forgotten = next((walk for walk in self._walks[:-1] if not walk.coming), self._walks[0])
        self._walks.remove(forgotten)
        return list(forgotten.coming)

    def _predict(self, walk: Walk) -> list[Prediction]:
        predicted = walk.predict(int(self._credit))
        for prediction in predicted:
            counted = walk.coming[prediction.path][1]
            self._coming[prediction.path] = walk, counted
            self._credit -= counted
        return predicted

    def _forget(self, dropped: list[Path]) -> None:
        for path in dropped:
            _, self._given_up[path] = self._coming.pop(path)  # what it counts is lost, it seems

    def _earn(self, credit: float) -> None:
        """Bytes that may be predicted in vain."""
        self._credit = min(CREDIT_MAX - sum(counted for _, counted in self._coming.values()), self._credit + credit)
