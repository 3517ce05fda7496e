"""The objects of a lockfile as a mount looks them up: by path, and from a path on.

A million lines are 160 MB. They lie in a file without a name (in the cache directory, from where their pages can be
read again when memory is short; else in memory), of which 8 KiB are read at a time. What is held is where each of these
begins, and with which path: some 3 MB. Once it is open, nothing depends on the lockfile, nor on how it was compressed.

No lock: a table is immutable once it is loaded, and pread(2) has no position. A `Cursor` is of one thread.
"""

from __future__ import annotations

import os
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from ..errors import ConfigError, StoreError
from ..private_directory import PrivatePath
from .header import Header
from .reading import read_pieces
from .record import COLUMNS, Locked, path_of, record_of

# Bytes of lines that are read together, at least: some 50 lines.
_PAGE = 8 << 10

_KEY_TABS = len(COLUMNS) - 1  # tabs of a line that spells its key out


class Table:
    """The objects of a lockfile. Make it with `load`.

    Attributes:
        path: the file.
        header: its header.
        objects: how many there are.
        moved: whether any has another key than root + path.
    """

    def __init__(self, path: Path, header: Header, fd: int) -> None:
        self.path, self.header, self.objects, self.moved = path, header, 0, False
        self._fd = fd
        self._firsts: list[bytes] = []
        self._starts = array("Q", [0])

    def __del__(self) -> None:
        with suppress(OSError):
            os.close(self._fd)

    @classmethod
    def load(cls, path: Path, directory: PrivatePath | None = None) -> Table:
        """The table of the lockfile `path`, every line looked at. Raises ConfigError, which names the line.

        Args:
            directory: where there is room for the lines; None: in memory.
        """
        header, pieces = read_pieces(path)
        table = cls(path, header, _unnamed_file(directory))
        for piece in pieces:
            table.objects += len(piece.paths)
            table._add(piece.text)
        return table

    def _add(self, text: bytes) -> None:
        begin = 0
        while begin < len(text):
            end = text.find(b"\n", begin + _PAGE) + 1 or len(text)
            self._firsts.append(path_of(text[begin : text.index(b"\t", begin) + 1]))
            self._starts.append(self._starts[-1] + end - begin)
            begin = end
        # Where no line has more than the columns that it must have, none spells its key out.
        if not self.moved and text.count(b"\t") > text.count(b"\n") * (_KEY_TABS - 2):
            self.moved = any(line.count(b"\t") == _KEY_TABS for line in text.splitlines())
        left = memoryview(text)
        try:
            while left:
                left = left[os.write(self._fd, left) :]
        except OSError as error:
            raise ConfigError(f"{self.path}: there is no room for its objects: {error.strerror}") from None

    def page(self, at: int) -> list[bytes]:
        """The lines of the page number `at`. Raises StoreError."""
        start, stop = self._starts[at], self._starts[at + 1]
        try:
            text = os.pread(self._fd, stop - start, start)
        except OSError as error:
            raise StoreError(f"{self.path}: what was read of it cannot be read again: {error.strerror}") from None
        if len(text) != stop - start:
            raise StoreError(f"{self.path}: what was read of it cannot be read again")
        return text[:-1].split(b"\n")

    def page_of(self, path: bytes) -> int:
        """The number of the page in which `path` would be."""
        return max(0, bisect_right(self._firsts, path) - 1)

    @property
    def pages(self) -> int:
        """How many there are."""
        return len(self._firsts)

    def find(self, path: bytes) -> Locked | None:
        """The object at a path. Raises StoreError."""
        cursor = Cursor(self)
        return cursor.record() if cursor.seek(path) == path else None

    def records(self) -> Iterator[Locked]:
        """All of them, in order. Raises StoreError."""
        return (record_of(line, self.header.root) for at in range(self.pages) for line in self.page(at))


class Cursor:
    """A place in a table. `seek` first."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._page, self._at = -1, 0
        self._lines: list[bytes] = []
        self._paths: list[bytes] = []

    def seek(self, path: bytes) -> bytes | None:
        """Go to the first object at `path` or after it; its path, None where there is none. Raises StoreError."""
        if not (self._paths and self._paths[0] <= path <= self._paths[-1]):
            self._load(self._table.page_of(path))
        self._at = bisect_left(self._paths, path)
        return self._here()

    def step(self) -> bytes | None:
        """Go to the next one; its path. Raises StoreError."""
        self._at += 1
        return self._here()

    def record(self) -> Locked:
        """The object here."""
        return record_of(self._lines[self._at], self._table.header.root)

    def _here(self) -> bytes | None:
        if self._at < len(self._paths):
            return self._paths[self._at]
        if self._page + 1 >= self._table.pages:
            return None
        self._load(self._page + 1)
        self._at = 0
        return self._paths[0]

    def _load(self, page: int) -> None:
        if page < self._table.pages:
            self._page, self._lines = page, self._table.page(page)
            self._paths = list(map(path_of, self._lines))


def _unnamed_file(directory: PrivatePath | None) -> int:
    """A descriptor of a file that has no name: nobody else can open it, and it goes with its last descriptor."""
    if directory is not None:
        with suppress(OSError):  # no such directory, one of others, or a file system that has no such files
            return directory.open(make=True).create_unnamed()
    return os.memfd_create("lockfile")
