"""Readahead across files, put to work: the guesses of `sweep.py` and `siblings.py` become prefetches.

Runs on the thread that opens a file, from memory only: the catalogue says what it knows and is never asked
to ask, and `Blocks.prefetch` returns at once. Each guess owns its prefetch, so that it can be cancelled alone: one
that the walk passes by, or that a broken pattern leaves behind, but never what was opened meanwhile.

Lock: one per source, a leaf but for the rooms' own locks below. Blocks are spoken to outside it.
"""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections.abc import Sequence
from typing import NamedTuple

from ...blocks.stream import Blocks
from ...catalog.catalogue import Catalogue
from ...catalog.model.entry import Entry
from ...stats import Stats
from ...stores.base import ObjectStat
from ..inodes import Inode
from .pattern import Name, Path
from .sequence import START, Sweep
from .sidecars import Around, Beside, Siblings


class Ahead:
    """The walks over one mount, by catalogue."""

    def __init__(self, blocks: Blocks, stats: Stats) -> None:
        self._blocks, self._stats = blocks, stats
        self._sources: dict[int, _Source] = {}

    def add(self, catalogue: Catalogue) -> None:
        self._sources[id(catalogue)] = _Source(catalogue)

    def opened(self, inode: Inode) -> None:
        """A file was opened: fetch ahead what the program opens next, if there is a pattern to its opens."""
        source, meta = self._sources.get(id(inode.catalogue)), inode.entry.stat
        if source is None or meta is None:
            return
        with source.lock:
            wanted, dropped = source.opened(source.path(inode.entry.key), meta.size)
        for guess in dropped:
            self._blocks.cancel(guess)
        for counter, guess, file, stop in wanted:
            self._stats.add(counter)
            self._blocks.prefetch(file.id, file.size, 0, stop, guess)
            if guess.over:  # another thread gave it up before its prefetch was there to be cancelled
                self._blocks.cancel(guess)

    def closed(self, inode: Inode, size: int, stop: int) -> None:
        """A file of `size` bytes was closed after reads up to byte `stop`."""
        source = self._sources.get(id(inode.catalogue))
        if source is not None:
            path = source.path(inode.entry.key)
            with source.lock:
                source.sweep.closed(path, size, stop)
                source.siblings.closed(path, size, stop)


class _Guess:
    """A file that was fetched ahead and not opened yet: the owner of its prefetch.

    Attributes:
        held: how many policies believe in it; `over`: none any more.
    """

    __slots__ = ("held", "over")

    def __init__(self) -> None:
        self.held, self.over = 1, False


class _Wanted(NamedTuple):
    """Bytes `[0, stop)` of `file` to be fetched ahead, and the counter to count it by."""

    counter: str
    guess: _Guess
    file: ObjectStat
    stop: int


class _Source:
    """One catalogue as the policies see it: paths of names below its root. Its lock is the caller's to hold."""

    def __init__(self, catalogue: Catalogue) -> None:
        self.lock = threading.Lock()
        self.sweep = Sweep(self.names)
        self.siblings = Siblings(self.around, self.coming)
        self._catalogue, self._root = catalogue, catalogue.root.key
        self._guesses: dict[Path, _Guess] = {}
        self._place = _Place()
        self._last: tuple[str, _Names | None] = "", None  # of one call: what is known may be too old in the next

    def path(self, key: str) -> Path:
        return tuple(key[len(self._root) :].split("/"))

    def opened(self, path: Path, size: int) -> tuple[list[_Wanted], list[_Guess]]:
        """What to fetch now, and which guesses to give up."""
        self._last = "", None
        sweep = self.sweep.opened(path, size)
        ahead = [self._believe("sweep.files", w.path, None if w.whole else START) for w in sweep.wanted]
        siblings = self.siblings.opened(path, size)
        beside = [self._believe("siblings.files", p, None) for p in siblings.wanted]
        self._guesses.pop(path, None)
        # The program has its directory open: what lies beside is likely to be asked for first.
        wanted = [w for w in (*beside, *ahead) if w is not None]
        return wanted, [g for p in (*sweep.dropped, *siblings.dropped) if (g := self._disbelieve(p)) is not None]

    def coming(self, path: Path) -> bool:
        """Whether the file is being fetched ahead already, or was and is not opened yet."""
        return path in self._guesses

    def names(self, path: Path) -> _Names | None:
        """What is known of a directory."""
        prefix = self._root + "".join(c + "/" for c in path)
        if self._last[1] is None or self._last[0] != prefix:
            entries = self._catalogue.known(Entry(b"-", prefix, True, None))
            self._last = prefix, None if entries is None else _Names(entries, len(prefix), self._place)
        return self._last[1]

    def around(self, path: Path, reach: int) -> Around | None:
        """What is known to lie within `reach` places of a file."""
        names = self.names(path[:-1])
        if names is None:
            return None
        at = names.position(Name(path[-1], False))
        near = [(names.entry(i), i - at) for i in range(max(0, at - reach), min(len(names), at + reach + 1)) if i != at]
        files = [Beside(e.key[names.cut :], e.stat.size, places) for e, places in near if e.stat and not e.is_dir]
        return Around(len(names), files)

    def _believe(self, counter: str, path: Path, start: int | None) -> _Wanted | None:
        """A policy guesses that `path` is opened soon; None where it is coming already. `start`: how much of it."""
        guess = self._guesses.get(path)
        if guess is not None:
            guess.held += 1
            return None
        guess = self._guesses[path] = _Guess()
        names = self.names(path[:-1])
        file = None if names is None else names.file(path[-1])
        if file is None or not file.size:
            return None
        return _Wanted(counter, guess, file, file.size if start is None else min(start, file.size))

    def _disbelieve(self, path: Path) -> _Guess | None:
        """A policy has given up a guess; returns it once the last one has."""
        guess = self._guesses.get(path)
        if guess is None:
            return None
        guess.held -= 1
        if guess.held:
            return None
        guess.over = True
        return self._guesses.pop(path)


class _Place:
    """Index in its directory of the file that was looked at last, in any directory of a source."""

    __slots__ = ("at",)

    def __init__(self) -> None:
        self.at = 0


class _Names:
    """Entries of a directory as names, decoded when looked at: a directory may hold a hundred thousand.

    Attributes:
        cut: length of the directory's key prefix.
    """

    __slots__ = ("_entries", "_last", "_place", "cut")

    def __init__(self, entries: Sequence[Entry], cut: int, place: _Place) -> None:
        self._entries, self.cut, self._place = entries, cut, place
        self._last: tuple[int, Entry | None] = -1, None

    def __len__(self) -> int:
        return len(self._entries)

    def __getitem__(self, i: int) -> Name:
        e = self.entry(i)
        return Name(e.key[self.cut : -1] if e.is_dir else e.key[self.cut :], e.is_dir)

    def entry(self, i: int) -> Entry:
        """The `i`-th; the one looked at last is remembered, as it is often asked for twice."""
        last, entry = self._last
        if entry is None or last != i:
            entry = self._entries[i]
            self._last = i, entry
        if not entry.is_dir:
            self._place.at = i
        return entry

    def position(self, name: Name) -> int:
        """Index of the first that is not before `name`. A file is looked for first where the last one was:
        directories of a data set are alike, and decoding is what an open costs most (a third, measured)."""
        at = self._place.at
        if not name.is_dir and at < len(self) and self[at] == name:
            return at
        return bisect_left(range(len(self)), name.order(), key=self._order)

    def file(self, name: str) -> ObjectStat | None:
        """The stat of the file called `name`, if there is one."""
        i = self.position(Name(name, False))
        return self.entry(i).stat if i < len(self) and self[i] == Name(name, False) else None

    def _order(self, i: int) -> bytes:
        e = self.entry(i)
        return e.name + b"/" if e.is_dir else e.name
