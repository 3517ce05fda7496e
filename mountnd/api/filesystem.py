"""`mountnd://` for fsspec, and so for pandas, xarray, zarr, dask and all others that read through it: no FUSE, no copy.

What a mount does goes for it, too: names are listed in bulk and believed for `ttl`, bytes come in blocks, with
readahead, and from the same disk cache, which mounts and other processes share. See `mountnd help python`.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from fsspec.asyn import get_loop, sync

from ..errors import MountndError, NotADirectory, NotFound, UsageError
from ..vfs.inodes import Inode
from .asynchronous import CHANGING, Asynchronous
from .entries import Info, directory_info, info_of, version_key
from .files import MountndFile, OpenHandle
from .oserrors import as_os_errors, os_error, read_only
from .places import Place, joined, normal, place_of
from .reading import Wanted, read_files, walk
from .sources import Sources
from .trees import OpenTree

# What fsspec's own constructors take.
_OF_FSSPEC = frozenset({"use_listings_cache", "listings_expiry_time", "max_paths"})


class MountndFileSystem(Asynchronous):
    """Datasets as read-only files, as a mount shows them.

    A path begins with its source (`openneuro/ds000001/...`, `s3://bucket/...`: see `places`), unless `source` says in
    which one, or which ones, all paths lie.

    Args:
        source: a source, or several (a directory each).
        fo, target_protocol, target_options: the source and its options in a chained URL, `mountnd://PATH::s3://bucket`.
        options: by name, those of a mount that are of its sources, caches and requests.

    Raises UsageError for options, and for sources given, that are invalid. Methods raise OSErrors as Python's own file
    functions do; those that would change something raise OSError (EROFS).

    Safe to use from many threads. Pickled, it is its options; in a forked process it opens its sources anew.
    """

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
        return Place("", path) if self._sources.bound else place_of(path)

    def _is_top(self, path: str) -> bool:
        """Whether `path` is where all sources are."""
        return not path and not self._sources.bound

    def tree_of(self, path: str) -> tuple[OpenTree, bytes]:
        """The tree that `path` lies in, and the path there. Raises MountndError."""
        place = self._place(path)
        return self._sources.tree(place.word), os.fsencode(place.path)

    def _inode(self, path: str) -> tuple[OpenTree, Inode]:
        tree, below = self.tree_of(path)
        return tree, tree.vfs.resolve(_absolute(below))

    # -- names
    def info(self, path: str, **_: Any) -> Info:
        """What is known of one path: `name`, `type`, `size` in bytes; of a file also `ETag`, and where the store tells
        them `LastModified` (a datetime; `mtime` and `created` in seconds since the epoch), `VersionId`, `StorageClass`.
        """
        path = self._strip_protocol(path)
        if self._is_top(path):
            return directory_info(path)
        with as_os_errors(path):
            return info_of(path, self._inode(path)[1].entry)

    def ls(self, path: str, detail: bool = True, refresh: bool = False, **_: Any) -> list[Any]:
        """The entries of a directory, or the file itself: what `info` tells of them, or their paths.

        Args:
            refresh: believe nothing that is known of it.
        """
        path = self._strip_protocol(path)
        if refresh:
            self.invalidate_cache(path)
        if self._is_top(path):
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
        if not self._is_top(path):
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
            stat = self._inode(path)[1].entry.stat
        if stat is None:
            return super().ukey(path)  # type: ignore[no-any-return]
        return version_key(stat)

    def checksum(self, path: str) -> int:
        """`ukey` as a number."""
        return int(self.ukey(path), 16)

    def invalidate_cache(self, path: str | None = None) -> None:
        """Believe nothing that is known of names at and below `path`, or of any."""
        if path is None or self._is_top(self._strip_protocol(path)):
            for tree in self._sources.open_trees():
                tree.vfs.refresh([])
            return
        path = self._strip_protocol(path)
        with as_os_errors(path):
            tree, below = self.tree_of(path)
            tree.vfs.refresh([name for name in below.split(b"/") if name])

    # -- bytes
    def cat_file(self, path: str, start: int | None = None, end: int | None = None, **_: Any) -> bytes:
        """The bytes of a file, or some of them: `start` and `end` as in a slice."""
        (data,) = self._read([(self._strip_protocol(path), start, end)])
        if isinstance(data, OSError):
            raise data
        return data

    def cat(self, path: Any, recursive: bool = False, on_error: str = "raise", **kwargs: Any) -> Any:
        """The bytes of a file, or of several by path: all are under way at once.

        Args:
            recursive: of all files below directories.
            on_error: "raise", or "omit" those that cannot be read, or "return" the error in their place.
        """
        paths = self.expand_path(path, recursive=recursive, **kwargs)
        read = dict(zip(paths, self._read([(one, None, None) for one in paths]), strict=True))
        if recursive:
            read = {one: data for one, data in read.items() if not isinstance(data, IsADirectoryError)}
        if on_error == "omit":
            read = {one: data for one, data in read.items() if isinstance(data, bytes)}
        elif on_error == "raise":
            for data in read.values():
                if isinstance(data, OSError):
                    raise data
        if isinstance(path, list) or paths != [self._strip_protocol(path)]:
            return read
        return next(iter(read.values()), b"")

    def cat_ranges(
        self, paths: list[str], starts: Any, ends: Any, max_gap: int | None = None, on_error: str = "return", **_: Any
    ) -> list[Any]:
        """The bytes of each range, of one file or many: all are under way at once, and those that are near each other
        come together.

        Args:
            starts, ends: as in a slice; one number, or None, is for all.
            on_error: "return" the error in place of the bytes, or "raise" the first.
            max_gap: not needed: what is near is told from where blocks lie.
        """
        if not isinstance(paths, list):
            raise TypeError("paths must be a list")
        firsts, lasts = (
            list(some) if isinstance(some, Sequence) or hasattr(some, "__len__") else [some] * len(paths)
            for some in (starts, ends)
        )
        if not len(paths) == len(firsts) == len(lasts):
            raise ValueError("there must be as many starts and ends as paths")
        results = self._read(list(zip(map(self._strip_protocol, paths), firsts, lasts, strict=True)))
        if on_error != "return":
            for data in results:
                if isinstance(data, OSError):
                    raise data
        return results

    def _read(self, wanted: Sequence[tuple[str, int | None, int | None]]) -> list[bytes | OSError]:
        """The bytes of each (path, start, end), or what went wrong."""
        results: list[bytes | OSError] = [b""] * len(wanted)
        by_tree: dict[OpenTree, list[tuple[int, Wanted]]] = {}
        for i, (path, start, end) in enumerate(wanted):
            try:
                tree, below = self.tree_of(path)
            except MountndError as e:
                results[i] = os_error(e, path)
                continue
            by_tree.setdefault(tree, []).append((i, Wanted(below, start, end)))
        for tree, some in by_tree.items():
            for (i, _), data in zip(some, read_files(tree, [one for _, one in some]), strict=True):
                results[i] = data if isinstance(data, bytes) else os_error(data, wanted[i][0])
        return results

    def get(self, rpath: Any, lpath: Any, **kwargs: Any) -> Any:
        """Copy files here, many at once. As every file system of fsspec does."""
        return sync(get_loop(), self._get, rpath, lpath, **kwargs)

    def _open(self, path: str, mode: str = "rb", **_: Any) -> MountndFile:
        if mode != "rb":
            raise read_only(path)
        return MountndFile(self, path)

    def open_handle(self, path: str) -> OpenHandle:
        """A handle of the vfs on the file at `path`, for a file object. Raises OSError."""
        path = self._strip_protocol(path)
        if self._is_top(path):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
        with as_os_errors(path):
            tree, inode = self._inode(path)
            fh = tree.vfs.open(inode)[0]
            return OpenHandle(tree, fh, tree.vfs.version(fh), tree.vfs.fstat(fh).size)


def _absolute(below: bytes) -> bytes:
    return b"/" + below if below else b""


def _refuse(name: str) -> Any:
    def method(self: MountndFileSystem, path: Any = "", *_: Any, **kwargs: Any) -> None:
        one = path[0] if isinstance(path, list) and path else path
        if not (name == "makedirs" and kwargs.get("exist_ok") and self.isdir(one)):
            raise read_only(str(one))

    method.__name__ = method.__qualname__ = name
    method.__doc__ = "Raises OSError (EROFS)."
    return method


for _name in CHANGING:
    setattr(MountndFileSystem, _name, _refuse(_name))
