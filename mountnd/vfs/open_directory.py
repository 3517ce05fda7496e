"""One open directory: its rows with attributes, or names alone, by offsets that stay good until it is closed."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from ..catalog.query.directory_stream import DirectoryStream
from ..catalog.query.sized_files import SizedFiles
from .handles import Handles
from .inodes import UNKNOWN_SIZE, Attributes, Inode, Ownership, inode_numbers
from .namespace import Namespace

DirectoryRow = tuple[bytes, Attributes, int]
NameRow = tuple[bytes, int, bool, int]  # a name, its inode's number, whether it is a directory, the next row's offset


class OpenDirectory:
    """What one opendir sees.

    Args:
        scan: its listing; None for the directory that lists several sources.
        handles: know the versions that open files are held at.

    Offsets: 0, or one that was given before; "." and ".." come first.
    """

    def __init__(
        self, inode: Inode, scan: DirectoryStream | None, namespace: Namespace, owner: Ownership, handles: Handles
    ) -> None:
        self.inode, self._scan = inode, scan
        self._namespace, self._owner, self._handles = namespace, owner, handles

    def ended(self, offset: int) -> bool:
        """Whether it is known that nothing comes from `offset` on: the kernel asks until then, a quarter of a walk's
        calls."""
        return offset > 2 and self._scan is not None and self._scan.ended(offset - 2)

    def rows(self, offset: int) -> Iterator[DirectoryRow]:
        """(name, attributes, offset of the next row) from `offset` on. A file's size is `UNKNOWN_SIZE` where it is not
        known yet: names do not wait for it, and ask nobody; who looks at the file does."""
        scan, owner = self._scan, self._owner
        if offset < 2:
            here = self._own_attributes()
            if offset < 1:
                yield b".", here, 1
            yield b"..", here, 2
        first = max(0, offset - 2)
        if scan is None:
            for following, (name, source) in enumerate(self._namespace.sources(first), first + 3):
                yield name, owner.directory(source.number, source.entry.stat), following
            return
        number_of, pinned = self._numbers(), self._handles.pinned
        assert self.inode.catalogue is not None
        if (sizes := self.inode.catalogue.sizes) is not None:
            yield from self._measured_rows(scan, sizes, first)
            return
        for (name, size, mtime_ns, is_dir), following in scan.brief_rows(first):
            number = number_of(name)
            if is_dir:
                yield name[:-1], owner.directory(number, scan.marker(name)), following + 2
            elif (held := pinned(number)) is not None:
                yield name, owner.file(number, held.size, held.mtime_ns), following + 2
            else:
                yield name, owner.file(number, size, mtime_ns), following + 2

    def _measured_rows(self, scan: DirectoryStream, sizes: SizedFiles, first: int) -> Iterator[DirectoryRow]:
        """`rows` of a source whose listings do not tell sizes."""
        number_of, pinned, owner = self._numbers(), self._handles.pinned, self._owner
        for entry, following in scan.read(first):
            if entry.is_dir or entry.stat is None:
                yield entry.name, owner.directory(number_of(entry.name + b"/"), entry.stat), following + 2
                continue
            number = number_of(entry.name)
            if (stat := pinned(number) or sizes.known(entry.stat)) is not None:
                yield entry.name, owner.file(number, stat.size, stat.mtime_ns), following + 2
            else:
                yield entry.name, owner.file(number, UNKNOWN_SIZE, entry.stat.mtime_ns), following + 2

    def names(self, offset: int) -> Iterator[NameRow]:
        """The same rows without attributes."""
        scan, own = self._scan, self.inode.number
        if offset < 1:
            yield b".", own, True, 1
        if offset < 2:
            yield b"..", own, True, 2
        first = max(0, offset - 2)
        if scan is None:
            for following, (name, source) in enumerate(self._namespace.sources(first), first + 3):
                yield name, source.number, True, following
            return
        number_of = self._numbers()
        for name, following in scan.names(first):
            if name[-1] == 47:  # "/"
                yield name[:-1], number_of(name), True, following + 2
            else:
                yield name, number_of(name), False, following + 2

    def attributes(self, row: NameRow) -> Attributes:
        """Attributes of a directory that `names` has told of."""
        name, number, _, _ = row
        if self._scan is None:
            source = next((inode for given, inode in self._namespace.sources(0) if given == name), self.inode)
            return self._owner.directory(number, source.entry.stat)
        if name in (b".", b".."):
            return self._own_attributes()
        return self._owner.directory(number, self._scan.marker(name + b"/"))

    def close(self) -> None:
        """Nobody reads it any more."""
        if self._scan is not None:
            self._scan.close()

    def _own_attributes(self) -> Attributes:
        return self._owner.directory(self.inode.number, self.inode.entry.stat)

    def _numbers(self) -> Callable[[bytes], int]:
        assert self.inode.catalogue is not None
        return inode_numbers(self._namespace.salt(self.inode.catalogue), self.inode.entry.key)
