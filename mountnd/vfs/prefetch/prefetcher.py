"""Runs the policies of the readahead across files: what they predict becomes prefetches.

Runs on the thread that opens a file, from memory only: the catalogue says what it knows and never asks the store, and
`Blocks.prefetch` returns at once. Each predicted file owns its prefetch, so that it can be cancelled alone: one
that the walk passes by, or that a broken pattern leaves behind, but never what was opened meanwhile.

Lock order: one lock per source, before the catalogue's own. Blocks are called without it.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import NamedTuple, TypeVar

from ...blocks.stream import Blocks
from ...catalog.catalogue import Catalogue
from ...stats import Stats
from ...stores.base import ObjectStat
from ..inodes import Inode
from .habits import Habits
from .known_files import CatalogueFiles
from .names import Path
from .policy import KnownFiles, Policy, Prediction
from .sidecars import SidecarPolicy
from .walks import WalkPolicy

log = logging.getLogger(__name__)

T = TypeVar("T")

# The policies of every source, in the order in which they are asked: a later one sees what an earlier one predicts. Its
# own predictions are fetched first: sidecars lie in a directory that the program has open, and are likely to be opened
# before the next file of a walk.
POLICIES: tuple[Callable[[KnownFiles], Policy], ...] = (WalkPolicy, SidecarPolicy)


class Prefetcher:
    """The readahead across files of one mount."""

    def __init__(self, blocks: Blocks, stats: Stats) -> None:
        self._blocks, self._stats = blocks, stats
        self._sources: dict[int, _Source] = {}

    def add(self, catalogue: Catalogue, salt: bytes = b"") -> None:
        """Prefetch for this source too, whose inode numbers are made with `salt`."""
        self._sources[id(catalogue)] = _Source(catalogue, salt, lambda: self._blocks.small(catalogue.source))

    def listed(self, inode: Inode) -> None:
        """A program lists a directory."""
        source = self._sources.get(id(inode.catalogue))
        if source is not None:
            self._ask(source, lambda: source.known.listed(inode.entry.key), None)

    def opened(self, inode: Inode) -> int:
        """A file was opened: fetch ahead what the program opens next, if there is a pattern to its opens.

        Returns how many bytes of this one, from the first on, its first read should bring.
        """
        source, meta = self._sources.get(id(inode.catalogue)), inode.entry.stat
        if source is None or meta is None:
            return 0
        nothing: tuple[list[_Fetch], list[_PredictedFile], int] = [], [], 0
        fetches, dropped, worth = self._ask(source, lambda: source.opened(inode.entry.key, meta.size), nothing)
        for owner in dropped:
            self._blocks.cancel(owner)
        for counter, owner, file, stop in fetches:
            self._stats.add(counter)
            self._blocks.prefetch(file.id, file.size, 0, stop, owner)
            if owner.dropped:  # another thread gave it up before its prefetch was there to be cancelled
                self._blocks.cancel(owner)
        return worth

    def closed(self, inode: Inode, size: int, stop: int, read: int) -> None:
        """A file of `size` bytes was closed, of which `read` were read, up to byte `stop`: 0, 0 where nothing was."""
        source = self._sources.get(id(inode.catalogue))
        if source is not None:
            self._ask(source, lambda: source.closed(inode.entry.key, size, stop, read), None)

    def _ask(self, source: _Source, call: Callable[[], T], otherwise: T) -> T:
        """Tell the policies of a source. A fault of theirs costs what they have learnt, never an open or a close."""
        with source.lock:
            try:
                return call()
            except Exception as fault:
                owners = source.begin_anew()
                log.warning("readahead across files begins anew after a fault of its own: %r", fault)
                log.debug("where that was", exc_info=True)
        for owner in owners:
            self._blocks.cancel(owner)
        return otherwise


class _PredictedFile:
    """A file that was predicted and not opened yet: the owner of its prefetch.

    Attributes:
        policies: how many predict it; `dropped`: none any more.
    """

    __slots__ = ("dropped", "policies")

    def __init__(self) -> None:
        self.policies, self.dropped = 1, False


class _Fetch(NamedTuple):
    """Bytes `[0, stop)` of `file` to be fetched ahead for `owner`, and the counter to count it by."""

    counter: str
    owner: _PredictedFile
    file: ObjectStat
    stop: int


class _Source:
    """The policies of one source, and the files that they predict. Its lock is the caller's to hold."""

    def __init__(self, catalogue: Catalogue, salt: bytes, small: Callable[[], int]) -> None:
        self.lock = threading.Lock()
        self._predicted: dict[Path, _PredictedFile] = {}
        self.habits = Habits(small)
        self.known = CatalogueFiles(catalogue, salt, self._predicted, self.habits.wanted)
        self._policies = [make(self.known) for make in POLICIES]

    def begin_anew(self) -> list[_PredictedFile]:
        """Forget all that was learnt and predicted; returns the files whose prefetches are to be given up."""
        files = list(self._predicted.values())
        for file in files:
            file.dropped = True
        self._predicted.clear()
        self._policies = [make(self.known) for make in POLICIES]
        return files

    def opened(self, key: str, size: int) -> tuple[list[_Fetch], list[_PredictedFile], int]:
        """What to fetch now, which predicted files to give up, and how many bytes of this one are worth fetching."""
        self.known.expire()
        path = self.known.path(key)
        fetches: list[_Fetch] = []
        dropped: list[Path] = []
        for policy in self._policies:
            decision = policy.opened(path, size)
            fetches[:0] = [f for p in decision.predicted if (f := self._predict(policy.counter, p)) is not None]
            dropped += decision.dropped
        self._predicted.pop(path, None)
        given_up = [file for p in dropped if (file := self._drop(p)) is not None]
        return fetches, given_up, self.habits.worth(path, size)

    def closed(self, key: str, size: int, stop: int, read: int) -> None:
        path = self.known.path(key)
        if stop:
            self.habits.closed(path, size, stop, read)
        for policy in self._policies:
            policy.closed(path, size, stop)

    def _predict(self, counter: str, prediction: Prediction) -> _Fetch | None:
        """What to fetch for a prediction of one policy; None where it is predicted already, or there is nothing."""
        path, stop = prediction
        predicted = self._predicted.get(path)
        if predicted is not None:
            predicted.policies += 1
            return None
        predicted = self._predicted[path] = _PredictedFile()
        file = self.known.stat(path)
        if file is None or not file.size:
            return None
        return _Fetch(counter, predicted, file, file.size if stop is None else min(stop, file.size))

    def _drop(self, path: Path) -> _PredictedFile | None:
        """A policy has given up a prediction; returns the file once the last one has."""
        predicted = self._predicted.get(path)
        if predicted is None:
            return None
        predicted.policies -= 1
        if predicted.policies:
            return None
        predicted.dropped = True
        return self._predicted.pop(path)
