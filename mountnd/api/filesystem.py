"""`mountnd://` for fsspec, and so for pandas, xarray, zarr, dask and all others that read through it: no FUSE, no copy.

What a mount does goes for it, too: names are listed in bulk and believed for `ttl`, bytes come in blocks, with
readahead, and from the same disk cache, which mounts and other processes share. See `mountnd help python`.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from typing import Any

from fsspec.asyn import get_loop, sync

from ..errors import MountndError
from .asynchronous import CHANGING
from .browsing import Names
from .files import MountndFile, OpenHandle
from .oserrors import as_os_errors, os_error, read_only
from .reading import Wanted, read_files
from .trees import OpenTree


class MountndFileSystem(Names):
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
        if self.is_top(path):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
        with as_os_errors(path):
            tree, inode = self.inode_of(path)
            fh = tree.vfs.open(inode)[0]
            return OpenHandle(tree, fh, tree.vfs.version(fh), tree.vfs.fstat(fh).size)


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
