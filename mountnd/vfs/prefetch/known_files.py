"""The catalogue as policies see it: paths of names below a source's root, decoded only where they are looked at."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Container, Sequence

from ...catalog.catalogue import Catalogue
from ...catalog.model.entry import Entry
from ...stores.base import ObjectStat
from .pattern import ChildName, Path
from .policy import Neighbour, Neighbourhood


class CatalogueFiles:
    """`KnownFiles` over a catalogue, which is never asked for what it does not know.

    Args:
        predicted: the paths that were predicted and not opened yet; looked into at each call.
    """

    def __init__(self, catalogue: Catalogue, predicted: Container[Path]) -> None:
        self._catalogue, self._root, self._predicted = catalogue, catalogue.root.key, predicted
        self._position = _LastPosition()
        self._last: tuple[str, _EntryNames | None] = "", None

    def path(self, key: str) -> Path:
        """The path of a key below the root."""
        return tuple(key[len(self._root) :].split("/"))

    def expire(self) -> None:
        """What was looked up for one open may be too old for the next."""
        self._last = "", None

    def names(self, path: Path) -> _EntryNames | None:
        """What is known of a directory."""
        prefix = self._root + "".join(c + "/" for c in path)
        if self._last[1] is None or self._last[0] != prefix:
            entries = self._catalogue.known(Entry(b"-", prefix, True, None))
            self._last = prefix, None if entries is None else _EntryNames(entries, len(prefix), self._position)
        return self._last[1]

    def stat(self, path: Path) -> ObjectStat | None:
        """The stat of a file, None where it is not known."""
        names = self.names(path[:-1])
        stat = None if names is None else names.stat(path[-1])
        return None if stat is None else self._catalogue.relied(stat)

    def neighbours(self, path: Path, reach: int) -> Neighbourhood | None:
        names = self.names(path[:-1])
        if names is None:
            return None
        at = names.position(ChildName(path[-1], False))
        near = [(names.entry(i), i - at) for i in range(max(0, at - reach), min(len(names), at + reach + 1)) if i != at]
        files = [Neighbour(e.key[names.cut :], e.stat.size, places) for e, places in near if e.stat and not e.is_dir]
        return Neighbourhood(len(names), files)

    def predicted(self, path: Path) -> bool:
        return path in self._predicted


class _LastPosition:
    """Index in its directory of the file that was looked at last, in any directory of a source."""

    __slots__ = ("at",)

    def __init__(self) -> None:
        self.at = 0


class _EntryNames:
    """Entries of a directory as names, decoded when looked at: a directory may hold a hundred thousand.

    Attributes:
        cut: length of the directory's key prefix.
    """

    __slots__ = ("_entries", "_last", "_position", "cut")

    def __init__(self, entries: Sequence[Entry], cut: int, position: _LastPosition) -> None:
        self._entries, self.cut, self._position = entries, cut, position
        self._last: tuple[int, Entry | None] = -1, None

    def __len__(self) -> int:
        return len(self._entries)

    def __getitem__(self, i: int) -> ChildName:
        e = self.entry(i)
        return ChildName(e.key[self.cut : -1] if e.is_dir else e.key[self.cut :], e.is_dir)

    def entry(self, i: int) -> Entry:
        """The `i`-th; the one looked at last is remembered, as it is often asked for twice."""
        last, entry = self._last
        if entry is None or last != i:
            entry = self._entries[i]
            self._last = i, entry
        if not entry.is_dir:
            self._position.at = i
        return entry

    def position(self, name: ChildName) -> int:
        """Index of the first that is not before `name`. A file is looked for first where the last one was:
        directories of a data set are alike, and decoding is what an open costs most (a third, measured)."""
        at = self._position.at
        if not name.is_dir and at < len(self) and self[at] == name:
            return at
        return bisect_left(range(len(self)), name.order(), key=self._order)

    def stat(self, name: str) -> ObjectStat | None:
        """The stat of the file called `name`, if there is one."""
        i = self.position(ChildName(name, False))
        return self.entry(i).stat if i < len(self) and self[i] == ChildName(name, False) else None

    def _order(self, i: int) -> bytes:
        e = self.entry(i)
        return e.name + b"/" if e.is_dir else e.name
