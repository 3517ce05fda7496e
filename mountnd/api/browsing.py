"""The half of the file system that knows names: sources, paths, listings, and what is told of each."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from ..errors import NotADirectory, NotFound, UsageError
from ..vfs.inodes import Inode
from .asynchronous import Asynchronous
from .entries import Info, directory_info, info_of, version_key
from .names import walk
from .oserrors import as_os_errors
from .places import Place, joined, normal, place_of
from .sources import Sources
from .trees import OpenTree

# What fsspec's own constructors take.
_OF_FSSPEC = frozenset({"use_listings_cache", "listings_expiry_time", "max_paths"})


class Names(Asynchronous):
    """Methods that read no bytes. Arguments: those of `MountndFileSystem`."""

    protocol = "mountnd"
    root_marker = ""
    blocksize = 4 << 20

    def __init__(
        self,
        source: str | Sequence[str] = (),
        *,
        fo: str = "",
        target_protocol: str = "",
        target_options: Mapping[str, Any] | None = None,
        asynchronous: bool = False,
        loop: Any = None,
        batch_size: int | None = None,
        **options: Any,
    ) -> None:
        own = {name: options.pop(name) for name in _OF_FSSPEC & options.keys()}
        super().__init__(asynchronous=asynchronous, loop=loop, batch_size=batch_size, **own)
        given = [source] if isinstance(source, str) else list(source)
        if target_protocol:
            if given:
                raise UsageError("source: the URL names one already")
            given = [fo if "://" in fo else f"{target_protocol}://{fo}"]
            options = {**(target_options or {}), **options}
        self._sources = Sources(given, options)

    # -- paths
    @classmethod
    def _strip_protocol(cls, path: Any) -> Any:
        if isinstance(path, (list, tuple)):
            return [cls._strip_protocol(one) for one in path]
        return normal(os.fsdecode(path).removeprefix("mountnd://"))

    @classmethod
    def _parent(cls, path: str) -> str:
        above: str = cls._strip_protocol(path).rpartition("/")[0]
        return above

    def _place(self, path: str) -> Place:
        return Place("", path) if self._sources.bound else self._sources.settled(place_of(path))

    def is_top(self, path: str) -> bool:
        """Whether `path` is where all sources are."""
        return not path and not self._sources.bound

    def tree_of(self, path: str) -> tuple[OpenTree, bytes]:
        """The tree that `path` lies in, and the path there. Raises MountndError."""
        place = self._place(path)
        return self._sources.tree(place.word), os.fsencode(place.path)

    def inode_of(self, path: str) -> tuple[OpenTree, Inode]:
        tree, below = self.tree_of(path)
        return tree, tree.vfs.resolve(_absolute(below))

    # -- names
    def info(self, path: str, **_: Any) -> Info:
        """What is known of one path: `name`, `type`, `size` in bytes; of a file also `ETag`, and where the store tells
        them `LastModified` (a datetime; `mtime` and `created` in seconds since the epoch), `VersionId`, `StorageClass`.
        """
        path = self._strip_protocol(path)
        if self.is_top(path):
            return directory_info(path)
        with as_os_errors(path):
            return info_of(path, self.inode_of(path)[1].entry)

    def ls(self, path: str, detail: bool = True, refresh: bool = False, **_: Any) -> list[Any]:
        """The entries of a directory, or the file itself: what `info` tells of them, or their paths.

        Args:
            refresh: believe nothing that is known of it.
        """
        path = self._strip_protocol(path)
        if refresh:
            self.invalidate_cache(path)
        if self.is_top(path):
            found = [directory_info(name) for name in self._sources.names()]
        else:
            with as_os_errors(path):
                found = self._listed(path)
        return found if detail else [one["name"] for one in found]

    def _listed(self, path: str) -> list[Info]:
        tree, below = self.tree_of(path)
        try:
            # It is taken to be a directory, which saves a request.
            directory = tree.vfs.resolve_directory(_absolute(below))
            return [info_of(joined(path, os.fsdecode(entry.name)), entry) for entry in tree.vfs.children(directory)]
        except (NotFound, NotADirectory):
            inode = tree.vfs.resolve(_absolute(below))
            if inode.is_dir:
                raise
            return [info_of(path, inode.entry)]

    def find(
        self, path: str, maxdepth: int | None = None, withdirs: bool = False, detail: bool = False, **kwargs: Any
    ) -> Any:
        """All files below `path`, sorted; where `detail`, what `info` tells of them, by path. Subtrees are listed in
        bulk: about a request for each thousand names.

        Args:
            maxdepth: how many levels.
            withdirs: directories, too, and `path` itself.
            prefix: how names right below `path` begin.
        """
        if maxdepth is not None and maxdepth < 1:
            raise ValueError("maxdepth must be at least 1")
        path = self._strip_protocol(path)
        found: dict[str, Info] = {}
        if not self.is_top(path):
            with as_os_errors(path):
                self._walk_into(found, path, maxdepth, withdirs, str(kwargs.get("prefix", "")))
        elif maxdepth != 1:
            raise ValueError("the path begins with a source, such as openneuro/ds000001")
        elif withdirs:
            found = {one["name"]: one for one in self.ls(path)}
        names = sorted(found)
        return {name: found[name] for name in names} if detail else names

    def _walk_into(self, found: dict[str, Info], path: str, maxdepth: int | None, withdirs: bool, prefix: str) -> None:
        """Add what lies below `path`."""
        tree, below = self.tree_of(path)
        try:
            top = tree.vfs.resolve_directory(_absolute(below))
            for directory in walk(tree, top, path, maxdepth, prefix):
                for entry in directory.entries:
                    if withdirs or not entry.is_dir:
                        name = joined(directory.path, os.fsdecode(entry.name))
                        found[name] = info_of(name, entry)
            if withdirs and path:
                found[path] = directory_info(path)
        except (NotFound, NotADirectory):
            try:
                inode = tree.vfs.resolve(_absolute(below))
            except NotFound:
                return  # nothing lies below what is not there
            if not inode.is_dir:
                found[path] = info_of(path, inode.entry)

    def exists(self, path: str, **_: Any) -> bool:
        """Whether there is such a file or directory. Raises OSError where that cannot be found out."""
        try:
            self.info(path)
        except (FileNotFoundError, NotADirectoryError):
            return False
        return True

    def du(self, path: str, total: bool = True, maxdepth: int | None = None, withdirs: bool = False, **_: Any) -> Any:
        """Bytes of all files below `path`, or by path."""
        found = self.find(path, maxdepth=maxdepth, withdirs=withdirs, detail=True)
        sizes = {name: info["size"] for name, info in found.items()}
        return sum(sizes.values()) if total else sizes

    def modified(self, path: str) -> datetime | None:
        """When a file was written; None where the store does not tell, and of directories."""
        when: datetime | None = self.info(path).get("LastModified")
        return when

    created = modified  # a version of an object is written once

    def ukey(self, path: str) -> str:
        """Names the file's bytes as they are now: another version has another, and so has another file."""
        path = self._strip_protocol(path)
        with as_os_errors(path):
            stat = self.inode_of(path)[1].entry.stat
        if stat is None:
            return super().ukey(path)  # type: ignore[no-any-return]
        return version_key(stat)

    def checksum(self, path: str) -> int:
        """`ukey` as a number."""
        return int(self.ukey(path), 16)

    def invalidate_cache(self, path: str | None = None) -> None:
        """Believe nothing that is known of names at and below `path`, or of any."""
        if path is None or self.is_top(self._strip_protocol(path)):
            for tree in self._sources.open_trees():
                tree.vfs.refresh([])
            return
        path = self._strip_protocol(path)
        with as_os_errors(path):
            tree, below = self.tree_of(path)
            tree.vfs.refresh([name for name in below.split(b"/") if name])


def _absolute(below: bytes) -> bytes:
    return b"/" + below if below else b""
