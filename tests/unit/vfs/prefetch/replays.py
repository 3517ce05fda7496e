"""Replays opens through a policy and keeps the books: what was predicted, what of it was opened, what it cost."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from mountnd.vfs.prefetch.names import Path
from mountnd.vfs.prefetch.walk import AHEAD_BYTES, FILE_BYTES, FIRST_BYTES
from mountnd.vfs.prefetch.walks import WalkPolicy

from .trees import Tree, parts

# Small files ahead of a walk, at first and at most.
FIRST_AHEAD, MAX_AHEAD = FIRST_BYTES // FILE_BYTES, AHEAD_BYTES // FILE_BYTES


class Replay:
    """Opens files of a tree, which are read to the end or to a byte, and closes them.

    Each prediction is made once and ends once, by an open or by being dropped: checked at each open.

    Attributes:
        hits: opens that had been predicted; misses: those that had not.
        coming: what is predicted, with how many bytes of it.
        predicted, dropped: all that ever was, in order.
        vain: bytes of predictions that were dropped; read: bytes of what was opened.
        worst: the most directories that one open asked for.
    """

    def __init__(self, tree: Tree, stop: int | None = None) -> None:
        self.tree, self.stop = tree, stop
        self.policy = WalkPolicy(tree)
        self.coming: dict[Path, int] = {}
        self.predicted: list[Path] = []
        self.dropped: list[Path] = []
        self.hits = self.misses = self.vain = self.read = self.worst = 0

    def open(self, path: Path, *, close: bool = True) -> list[Path]:
        """Returns what is predicted at this open."""
        size = self.tree.sizes.get(path, 1000)
        before = self.tree.asked
        decision = self.policy.opened(path, size)
        self.worst = max(self.worst, self.tree.asked - before)
        if self.coming.pop(path, None) is None:
            self.misses += 1
        else:
            self.hits += 1
        for given_up in decision.dropped:
            self.vain += self.coming.pop(given_up)
        for new, stop in decision.predicted:
            assert new not in self.coming and new != path
            self.coming[new] = self.tree.sizes[new] if stop is None else stop
        self.predicted += (new for new, _ in decision.predicted)
        self.dropped += decision.dropped
        assert len(self.coming) == len(self.policy._coming) == sum(len(walk.coming) for walk in self.policy._walks)
        if decision.dropped:
            walks = {path for walk in self.policy._walks for path in walk.coming}
            assert self.coming.keys() == self.policy._coming.keys() == walks
        read = size if self.stop is None else min(size, self.stop)
        self.read += read
        if read:
            self.tree.habits.closed(path, size, read, read)
        if close:
            self.close(path)
        return [new for new, _ in decision.predicted]

    def close(self, path: Path) -> None:
        size = self.tree.sizes.get(path, 1000)
        self.policy.closed(path, size, size if self.stop is None else min(size, self.stop))

    def all(self, paths: Iterable[str]) -> Replay:
        for path in paths:
            self.open(parts(path))
        return self

    def wasted(self) -> float:
        """Bytes predicted and dropped, or not opened so far, as a share of those read."""
        return (self.vain + sum(self.coming.values())) / self.read


def replay(files: Tree | Sequence[str] | dict[str, int], opens: Iterable[str], stop: int | None = None) -> Replay:
    return Replay(files if isinstance(files, Tree) else Tree(files), stop).all(opens)
