"""Readahead across files, put to work: the sweep's guesses become prefetches.

Runs on the thread that opens a file, from memory only: the catalogue says what it knows and is never asked
to ask, and `Blocks.prefetch` returns at once. Lock: one per source, a leaf but for the rooms' own locks below.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import overload

from ..blocks.cache import Blocks
from ..catalog.catalogue import Catalogue
from ..catalog.entry import Entry
from ..stats import Stats
from ..stores.base import ObjectStat
from .inodes import Inode
from .pattern import Name, Path, position
from .sweep import START, Sweep


class Ahead:
    """The sweeps of one mount, by catalogue."""

    def __init__(self, blocks: Blocks, stats: Stats) -> None:
        self._blocks, self._stats = blocks, stats
        self._sources: dict[int, _Source] = {}

    def add(self, catalogue: Catalogue) -> None:
        self._sources[id(catalogue)] = _Source(catalogue)

    def opened(self, inode: Inode) -> None:
        """A file was opened: fetch ahead what the walk opens next, if there is a walk."""
        source, meta = self._sources.get(id(inode.catalogue)), inode.entry.stat
        if source is None or meta is None:
            return
        with source.lock:
            wanted = source.sweep.opened(source.path(inode.entry.key), meta.size)
            found = [(source.meta(w.path), w.whole) for w in wanted]
        for following, whole in found:
            if following is not None and following.size:
                self._stats.add("sweep.files")
                stop = following.size if whole else min(START, following.size)
                self._blocks.prefetch(following.id, following.size, 0, stop)

    def closed(self, inode: Inode, size: int, stop: int) -> None:
        """A file of `size` bytes was closed after reads up to byte `stop`."""
        source = self._sources.get(id(inode.catalogue))
        if source is not None:
            with source.lock:
                source.sweep.closed(source.path(inode.entry.key), size, stop)


class _Source:
    """One catalogue as the sweep sees it: paths of names below its root."""

    def __init__(self, catalogue: Catalogue) -> None:
        self.lock = threading.Lock()
        self.sweep = Sweep(self.children)
        self._catalogue, self._root = catalogue, catalogue.root.key

    def path(self, key: str) -> Path:
        return tuple(key[len(self._root) :].split("/"))

    def children(self, path: Path) -> Sequence[Name] | None:
        prefix = self._prefix(path)
        entries = self._catalogue.known(Entry(b"-", prefix, True, None))
        return None if entries is None else _Names(entries, len(prefix))

    def meta(self, path: Path) -> ObjectStat | None:
        prefix, name = self._prefix(path[:-1]), Name(path[-1], False)
        entries = self._catalogue.known(Entry(b"-", prefix, True, None))
        if entries is None:
            return None
        names = _Names(entries, len(prefix))
        i = position(names, name)
        return entries[i].stat if i < len(names) and names[i] == name else None

    def _prefix(self, path: Path) -> str:
        return self._root + "".join(c + "/" for c in path)


class _Names(Sequence[Name]):
    """Entries of a directory as names, decoded when looked at: a directory may hold a hundred thousand."""

    def __init__(self, entries: Sequence[Entry], cut: int) -> None:
        self._entries, self._cut = entries, cut

    def __len__(self) -> int:
        return len(self._entries)

    @overload
    def __getitem__(self, i: int) -> Name: ...
    @overload
    def __getitem__(self, i: slice) -> Sequence[Name]: ...
    def __getitem__(self, i: int | slice) -> Name | Sequence[Name]:
        if isinstance(i, slice):
            return _Names(self._entries[i], self._cut)
        e = self._entries[i]
        return Name(e.key[self._cut : -1] if e.is_dir else e.key[self._cut :], e.is_dir)
