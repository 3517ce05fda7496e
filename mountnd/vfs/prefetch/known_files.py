"""The catalogue as policies see it: paths of names below a source's root, decoded only where they are looked at."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Callable, Container, Iterator, Sequence
from itertools import count, islice
from typing import NamedTuple

from cachetools import LRUCache

from ...catalog.catalogue import Catalogue
from ...catalog.model.entry import Entry
from ...catalog.model.table import BriefRow
from ...catalog.query.directory_stream import ListedEntries
from ...stores.base import ObjectStat
from ..inodes import inode_numbers
from .names import Path
from .orders import Child, Sorting, natural
from .policy import Neighbour, Neighbourhood

# Directories remembered in the order in which programs listed them.
LISTED = 16_384
# Places in a row that are empty because their directory was listed again, behind which the end is.
LISTED_GAP = 64
# Directories of at most so many names are kept as they were decoded, and so many names in all, some 200 bytes each.
SMALL_DIRECTORY, DECODED_NAMES = 256, 16_384
# Directories whose names are kept sorted otherwise than listed, some 20 KB each at most.
SORTED = 64


class CatalogueFiles:
    """`KnownFiles` over a catalogue, which is never asked for what it does not know.

    Args:
        salt: what its inode numbers are made with.
        predicted: the paths that were predicted and not opened yet; looked into at each call.
        wanted: how many bytes of a file programs read, from its path and size.
    """

    def __init__(
        self, catalogue: Catalogue, salt: bytes, predicted: Container[Path], wanted: Callable[[Path, int], int]
    ) -> None:
        self._catalogue, self._salt, self._root, self._predicted = catalogue, salt, catalogue.root.key, predicted
        self.wanted = wanted
        self._memory = _Memory()
        self._directories: dict[Path, _Directory | None] = {}
        self._listed: dict[Path, int] = {}  # directory -> its place in the order of listing
        self._order: dict[int, Path] = {}
        self._places = count()

    def path(self, key: str) -> Path:
        """The path of a key below the root."""
        return tuple(key[len(self._root) :].split("/"))

    def listed(self, key: str) -> None:
        """A program lists the directory whose key prefix this is."""
        path = () if key == self._root else self.path(key.removesuffix("/"))
        self._order.pop(self._listed.pop(path, -1), None)
        place = next(self._places)
        self._listed[path], self._order[place] = place, path
        if len(self._listed) > LISTED:
            oldest = next(iter(self._listed))
            del self._order[self._listed.pop(oldest)]

    def listed_after(self, path: Path) -> Iterator[Path]:
        place = self._listed.get(path)
        missing = 0
        while place is not None and missing < LISTED_GAP:
            place += 1
            found = self._order.get(place)
            if found is None:
                missing += 1
            else:
                missing = 0
                yield found

    def expire(self) -> None:
        """What was looked up for one open may be too old for the next."""
        self._directories.clear()

    def directory(self, path: Path) -> _Directory | None:
        """What is known of a directory."""
        try:
            return self._directories[path]
        except KeyError:
            prefix = self._root + "".join(c + "/" for c in path)
            entries = self._catalogue.known(Entry(b"-", prefix, True, None))
            found = None if entries is None else self._decoded(path, entries, prefix)
            self._directories[path] = found
            return found

    def _decoded(self, path: Path, entries: ListedEntries, prefix: str) -> _Directory:
        """A directory; a small one as it was decoded for an earlier open, as long as nobody listed it again."""
        if len(entries) > SMALL_DIRECTORY:
            return _Directory(entries, prefix, self._salt, self._memory)
        found = self._memory.decoded.get(path)
        if found is None or found.version != entries.version:
            found = self._memory.decoded[path] = _SmallDirectory(entries, prefix, self._salt, self._memory)
        return found

    def stat(self, path: Path) -> ObjectStat | None:
        """The stat of a file, None where it is not known."""
        directory = self.directory(path[:-1])
        stat = None if directory is None else directory.stat(path[-1])
        return None if stat is None else self._catalogue.known_readable(stat)

    def neighbours(self, path: Path, reach: int) -> Neighbourhood | None:
        directory = self.directory(path[:-1])
        if directory is None:
            return None
        at = directory.position(path[-1], False)
        near = list(islice(directory.children(max(0, at - reach)), at - max(0, at - reach) + reach + 1))
        places = range(-min(reach, at), reach + 1)
        files = [Neighbour(c.name, c.size, n) for c, n in zip(near, places, strict=False) if n and not c.is_dir]
        return Neighbourhood(len(directory), files)

    def predicted(self, path: Path) -> bool:
        return path in self._predicted


class _Sorted(NamedTuple):
    """Indices of the entries of one version of a directory in some order."""

    version: object
    indices: Sequence[int]


class _Memory:
    """What one open leaves for the next.

    Attributes:
        at: index in its directory of the file that was looked for last, in any directory.
        decoded: small directories looked at lately.
        orders: directories sorted lately: by key prefix and sorting.
    """

    __slots__ = ("at", "decoded", "orders")

    def __init__(self) -> None:
        self.at = 0
        self.decoded: LRUCache[Path, _SmallDirectory] = LRUCache(DECODED_NAMES, lambda directory: len(directory) + 8)
        self.orders: LRUCache[tuple[str, Sorting], _Sorted] = LRUCache(SORTED)


class _Directory:
    """`Directory` over a known listing, decoded as far as it is looked at: it may hold a hundred thousand names."""

    __slots__ = ("_entries", "_memory", "_prefix", "_salt")

    def __init__(self, entries: ListedEntries, prefix: str, salt: bytes, memory: _Memory) -> None:
        self._entries, self._prefix, self._salt, self._memory = entries, prefix, salt, memory

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def version(self) -> object:
        """Equal for two of one directory if their names are the same."""
        return self._entries.version

    def position(self, name: str, is_dir: bool) -> int:
        """Index of the first that is not before `name`. A file is looked for first where the last one was:
        directories of a data set are alike, and decoding is what an open costs most (a third, measured)."""
        wanted = (name + "/" * is_dir).encode("utf-8", "surrogateescape")
        at, name_of = self._memory.at, self._entries.name
        if is_dir or at >= len(self) or name_of(at) != wanted:
            at = bisect_left(range(len(self)), wanted, key=name_of)
            if not is_dir:
                self._memory.at = at
        return at

    def children(self, start: int = 0) -> Iterator[Child]:
        return map(_child, self._entries.brief_rows(start))

    def child(self, i: int) -> Child:
        return _child(self._entries.brief_row(i))

    def sorted_by(self, sorting: Sorting) -> Sequence[int]:
        known = self._memory.orders.get((self._prefix, sorting))
        if known is None or known.version != self.version:
            known = _Sorted(self.version, array("I", self._sort(sorting)))
            self._memory.orders[self._prefix, sorting] = known
        return known.indices

    def _sort(self, sorting: Sorting) -> Sequence[int]:
        everything = range(len(self))
        if sorting is Sorting.NUMBER:
            numbers = list(map(inode_numbers(self._salt, self._prefix), map(self._entries.name, everything)))
            return sorted(everything, key=numbers.__getitem__)
        names = [natural(child.name) for child in self.children()]
        return sorted(everything, key=names.__getitem__)

    def stat(self, name: str) -> ObjectStat | None:
        """The stat of the file called `name`, if there is one."""
        i = self.position(name, False)
        if i >= len(self):
            return None
        entry = self._entries[i]
        return entry.stat if not entry.is_dir and entry.key[len(self._prefix) :] == name else None


class _SmallDirectory(_Directory):
    """One of few names, decoded at once: walks look at each of their directories again and again."""

    __slots__ = ("_children", "_names", "_orders")

    def __init__(self, entries: ListedEntries, prefix: str, salt: bytes, memory: _Memory) -> None:
        super().__init__(entries, prefix, salt, memory)
        self._children = list(super().children())
        self._names = [entries.name(i) for i in range(len(entries))]
        self._orders: dict[Sorting, Sequence[int]] = {}

    def position(self, name: str, is_dir: bool) -> int:
        return bisect_left(self._names, (name + "/" * is_dir).encode("utf-8", "surrogateescape"))

    def children(self, start: int = 0) -> Iterator[Child]:
        return islice(self._children, start, None)

    def child(self, i: int) -> Child:
        return self._children[i]

    def sorted_by(self, sorting: Sorting) -> Sequence[int]:
        if sorting not in self._orders:
            self._orders[sorting] = self._sort(sorting)
        return self._orders[sorting]


def _child(row: BriefRow) -> Child:
    name, size, _, is_dir = row
    return Child((name[:-1] if is_dir else name).decode("utf-8", "surrogateescape"), is_dir, size)
