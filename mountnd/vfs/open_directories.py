"""The open directories of a tree, by number, and what is said of a listing that fails."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import TypeVar

from ..catalog.model.entry import Entry
from ..errors import NotADirectory, StaleHandle, StoreError
from .failures import FailureLog
from .handles import Handles
from .inodes import Attributes, Inode, Ownership
from .namespace import Namespace
from .open_directory import DirectoryRow, NameRow, OpenDirectory

T = TypeVar("T")


class OpenDirectories:
    """Opens directories, and reads them. No lock: a dict's single operations are atomic.

    Args:
        listed: told of each directory that a program lists.
    """

    def __init__(
        self,
        namespace: Namespace,
        owner: Ownership,
        handles: Handles,
        failures: FailureLog,
        listed: Callable[[Inode], None] | None,
    ) -> None:
        self._namespace, self._owner, self._handles, self._failures = namespace, owner, handles, failures
        self._listed = listed
        self._open: dict[int, OpenDirectory] = {}
        self._numbers = itertools.count(1)

    def children(self, inode: Inode) -> Iterator[Entry]:
        """The entries of a directory, for a door that shows more of them than attributes. Raises as `opendir`."""
        if not inode.entry.is_dir:
            raise NotADirectory(f"{inode.entry.key}: not a directory")
        if inode.catalogue is None:
            yield from (source.entry for _, source in self._namespace.sources(0))
            return
        try:
            scan = inode.catalogue.scan(inode.entry)
            try:
                entries, sizes = (entry for entry, _ in scan.read(0)), inode.catalogue.sizes
                yield from entries if sizes is None else sizes.sized(entries)
            finally:
                scan.close()
        except StoreError as e:
            self._listing_failed(inode, e)
            raise

    def opendir(self, inode: Inode) -> int:
        """Open a directory: one listing, answered once; rows come from `readdir`."""
        if not inode.entry.is_dir:
            raise NotADirectory(f"{inode.entry.key}: not a directory")
        try:
            scan = None if inode.catalogue is None else inode.catalogue.scan(inode.entry)
        except StoreError as e:
            self._listing_failed(inode, e)
            raise
        if self._listed is not None:
            self._listed(inode)
        number = next(self._numbers)
        self._open[number] = OpenDirectory(inode, scan, self._namespace, self._owner, self._handles)
        return number

    def readdir(self, dh: int, offset: int) -> Iterator[DirectoryRow]:
        """Rows (name, attributes, offset of the next row) from `offset` on: 0, or one that was given before."""
        return self._rows_of(dh, lambda directory: directory.rows(offset))

    def read_names(self, dh: int, offset: int) -> Iterator[NameRow]:
        """The same without attributes, for those who stat nothing: (name, inode's number, whether it is a directory,
        offset of the next row)."""
        return self._rows_of(dh, lambda directory: directory.names(offset))

    def ended(self, dh: int, offset: int) -> bool:
        """Whether it is known already that no row comes from `offset` on."""
        return self._directory(dh).ended(offset)

    def subdirectory(self, dh: int, row: NameRow) -> Attributes:
        """Attributes of a directory that `read_names` has told of."""
        return self._directory(dh).attributes(row)

    def _rows_of(self, dh: int, rows: Callable[[OpenDirectory], Iterator[T]]) -> Iterator[T]:
        directory = self._directory(dh)
        try:
            yield from rows(directory)
        except StoreError as e:
            self._listing_failed(directory.inode, e)
            raise

    def _directory(self, dh: int) -> OpenDirectory:
        try:
            return self._open[dh]
        except KeyError:
            raise StaleHandle(f"directory handle {dh} is not open") from None

    def releasedir(self, dh: int) -> None:
        directory = self._open.pop(dh, None)
        if directory is not None:
            directory.close()

    def _listing_failed(self, inode: Inode, error: StoreError) -> None:
        assert inode.catalogue is not None
        shown = inode.catalogue.display(inode.entry.key)
        path = self._namespace.path(inode)
        self._failures.report(inode.catalogue, inode.entry.key, f"{shown} cannot be listed", error, path)
