"""Names and paths to inodes: the sources of a mount as one tree, over their catalogues.

Directories that a path was resolved to are remembered by path until `refresh`. No lock: a dict's single operations are
atomic, and what two threads resolve at once is equal.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from ..catalog.catalogue import Catalogue
from ..catalog.model.entry import Entry
from ..errors import NotADirectory, NotFound, StoreError
from .failures import FailureLog
from .inodes import ROOT_NUMBER, Inode, inode_number, source_salt

# Directories whose inodes are remembered by path, some 300 bytes each.
DIRECTORIES = 16_384

_TOP = Entry(b"/", "", True, None)


class Namespace:
    """The names of one mount.

    Args:
        sources: catalogue of each source by name. One source: its content is the root; several: a directory each.
        single: whether the one source is the root.
        failures: where look-ups that fail are logged.

    Attributes:
        root: the tree's root.
    """

    def __init__(self, sources: Mapping[str, Catalogue], *, single: bool, failures: FailureLog | None = None) -> None:
        self._failures = failures or FailureLog()
        if single and len(sources) != 1:
            raise ValueError("only one source can be the root")
        self._salts = {id(c): source_salt(name) for name, c in sources.items()}
        self._sources: dict[bytes, Inode] = {}
        if single:
            (catalogue,) = sources.values()
            self.root = Inode(ROOT_NUMBER, catalogue, catalogue.root)
        else:
            self.root = Inode(ROOT_NUMBER, None, _TOP)
            for source, catalogue in sources.items():
                name = source.encode("utf-8", "surrogateescape")
                entry = catalogue.root._replace(name=name)
                self._sources[name] = Inode(inode_number(name[:64], entry.key), catalogue, entry)
        self._directories: dict[bytes, Inode] = {}

    def lookup(self, parent: Inode, name: bytes) -> Inode:
        """The inode called `name` in directory `parent`. Raises NotFound, NotADirectory, Forbidden, ..."""
        if not parent.entry.is_dir:
            raise NotADirectory(f"{parent.entry.key}: not a directory")
        if parent.catalogue is None:
            if name not in self._sources:
                raise NotFound(f"no source is called {name!r} here")
            return self._sources[name]
        try:
            entry = parent.catalogue.lookup(parent.entry, name)
        except StoreError as e:
            shown = parent.catalogue.display(parent.entry.key) + name.decode("utf-8", "backslashreplace")
            path = self.path(parent) + name.decode("utf-8", "backslashreplace")
            self._failures.report(parent.catalogue, parent.entry.key, f"{shown} cannot be looked up", e, path)
            raise
        return Inode(self._number(parent.catalogue, entry), parent.catalogue, entry)

    def resolve(self, path: bytes) -> Inode:
        """The inode at an absolute `path`; its last name is looked up anew. Raises what `lookup` raises."""
        parent, _, name = path.rpartition(b"/")
        return self.lookup(self.resolve_directory(parent), name) if name else self.root

    def resolve_directory(self, path: bytes) -> Inode:
        """The directory at an absolute `path` without a "/" at its end (b"" is the root).

        For callers that know it to be one, as the kernel does: it has looked up each name on the way itself, and does
        so again when its time-outs end. A walk of 2,000 directories spent a third of its time on repeating that.
        """
        directory = self._directories.get(path)
        if directory is None:
            parent, _, name = path.rpartition(b"/")
            directory = self._child_directory(self.resolve_directory(parent), name) if name else self.root
            if len(self._directories) >= DIRECTORIES:
                self._directories.clear()
            self._directories[path] = directory
        return directory

    def refresh(self, names: Sequence[bytes]) -> None:
        """Believe nothing below the path of these components any more, nor of the path itself.

        If the path is missing, only that is forgotten. Raises what `lookup` raises, NotFound only for a source.
        """
        inode = self.root
        try:
            for name in names:
                catalogue, directory = inode.catalogue, inode.entry
                try:
                    inode = self.lookup(inode, name)
                except NotFound:
                    if catalogue is None:
                        raise
                    catalogue.forget(directory.key + name.decode("utf-8", "surrogateescape"))
                    return
            for refreshed in [inode] if inode.catalogue is not None else self._sources.values():
                self._refresh(refreshed)
        finally:
            self._directories.clear()

    def sources(self, first: int) -> Iterator[tuple[bytes, Inode]]:
        """Where the root lists several sources: their names and inodes, from the `first` on."""
        rows = list(self._sources.items())
        yield from rows[first:]

    def path(self, inode: Inode) -> str:
        """The path of `inode` from the mount's root, for messages: no slash before it, one behind a directory's."""
        if inode.catalogue is None:
            return ""
        key = inode.entry.key.removeprefix(inode.catalogue.root.key)
        if not self._sources:
            return key
        source = next(name for name, top in self._sources.items() if top.catalogue is inode.catalogue)
        return f"{source.decode('utf-8', 'backslashreplace')}/{key}"

    def salt(self, catalogue: Catalogue) -> bytes:
        """What tells the inode numbers of this source from those of others."""
        return self._salts[id(catalogue)]

    def _child_directory(self, parent: Inode, name: bytes) -> Inode:
        """The directory called `name` in one, which is taken to be there: if it is gone, reading it tells."""
        if parent.catalogue is None:
            return self.lookup(parent, name)
        entry = parent.catalogue.below(parent.entry, name)
        return Inode(self._number(parent.catalogue, entry), parent.catalogue, entry)

    def _number(self, catalogue: Catalogue, entry: Entry) -> int:
        return inode_number(self._salts[id(catalogue)], entry.key)

    @staticmethod
    def _refresh(inode: Inode) -> None:
        assert inode.catalogue is not None
        key = inode.entry.key
        (inode.catalogue.refresh if inode.entry.is_dir else inode.catalogue.forget)(key)
