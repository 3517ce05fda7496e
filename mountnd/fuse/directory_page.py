"""The page of a directory that libfuse is about to send, so that many entries are put into it at once.

libfuse's filler takes one name a call, which was a third of a walk's cost. So only the first entry of a page goes
through it, and directories whose attributes are told. Behind it lies libfuse's own buffer: struct fuse_dh in
lib/fuse.c, no part of its interface, though the same in 3.10, 3.14, 3.16 and 3.18. So each page is checked before a
byte is written: the handle's number, the length of the first entry and its bytes must stand where they are expected.
If not, names go one by one.
"""

from __future__ import annotations

import ctypes
import platform
import struct
from collections.abc import Callable, Iterator

from ..vfs.open_directory import NameRow
from .direntries import PLUS_BYTES, packed, packed_plus

# sizeof(pthread_mutex_t), which struct fuse_dh begins with, as glibc has it; 0 where it is not known.
_MUTEX_BYTES = {("x86_64", 8): 40, ("aarch64", 8): 48}.get((platform.machine(), struct.calcsize("P")), 0)
# What follows it: fuse, req, contents, first, last, len, size, needlen, filled, fh.
_DH = struct.Struct("@5P3IiQ")
_LENGTH_AT = _MUTEX_BYTES + 5 * struct.calcsize("P")


class DirectoryPage:
    """One page, for one call of `readdir`.

    Args:
        buffer, fill: what libfuse gave, the filler as a function.
        handle: the directory's number, as it was given to libfuse.
        plus: whether entries are in the form of READDIRPLUS.

    Attributes:
        packs: whether names can be put at once, as the first entry has shown.
    """

    def __init__(self, buffer: int, fill: Callable[..., int], handle: int, plus: bool) -> None:
        self._buffer, self._fill, self._handle, self.plus = buffer, fill, handle, plus
        self.packs: bool | None = None

    def put(self, row: NameRow, stat: int, flags: int) -> bool:
        """One entry through libfuse's filler, `stat` being the address of its struct stat. False: it did not fit."""
        if self._fill(self._buffer, row[0], stat, row[3], flags):
            return False
        if self.packs is None:
            self.packs = bool(_MUTEX_BYTES) and self._is_known_with(row)
        return True

    def put_packed(self, names: Iterator[NameRow]) -> NameRow | None:
        """Names at once, in READDIRPLUS's form up to the next directory, which is returned. None: there is no more to
        put, or no more room."""
        _, _, contents, _, _, length, _, room, _, _ = self._state()
        entries, stopped = (packed_plus if self.plus else packed)(names, room - length)
        ctypes.memmove(contents + length, entries, len(entries))
        ctypes.c_uint.from_address(self._buffer + _LENGTH_AT).value = length + len(entries)
        return stopped

    def _is_known_with(self, first: NameRow) -> bool:
        """Whether libfuse's buffer is where it is expected, with this one entry in it."""
        _, _, contents, _, _, length, size, room, filled, handle = self._state()
        entry, _ = packed(iter([first]), room)
        if handle != self._handle or filled or length != len(entry) + self.plus * PLUS_BYTES:
            return False
        return length <= room <= size and ctypes.string_at(contents + length - len(entry), len(entry)) == entry

    def _state(self) -> tuple[int, ...]:
        return _DH.unpack(ctypes.string_at(self._buffer + _MUTEX_BYTES, _DH.size))
