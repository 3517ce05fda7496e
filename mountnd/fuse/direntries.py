"""Directory entries as the kernel takes them, packed by the page instead of by the name. Pure.

Layout: struct fuse_dirent and struct fuse_direntplus of linux/fuse.h, in this machine's byte order; both are padded to
8 bytes. In the second form an entry without a node (nodeid 0) tells name, number and type, and the kernel keeps
nothing of it: whoever stats the file asks for it then.
"""

from __future__ import annotations

import stat
import struct
from collections.abc import Iterator

from ..vfs.open_directory import NameRow

# ino, off, namelen, type
_DIRENT = struct.Struct("=QQII")
# struct fuse_entry_out, all zeros but ino and mode of its struct fuse_attr, and a fuse_dirent behind it.
_DIRENTPLUS = struct.Struct("=40xQ52xI24xQQII")
# What the second form has in front.
PLUS_BYTES = _DIRENTPLUS.size - _DIRENT.size
_PADDING = tuple(bytes(-n & 7) for n in range(8))
# d_type is the type's bits of a mode.
_DIRECTORY, _FILE = stat.S_IFDIR >> 12, stat.S_IFREG >> 12


def packed(names: Iterator[NameRow], room: int) -> tuple[bytes, None]:
    """As many names as fit into `room` bytes, in the form that READDIR is answered in."""
    entries: list[bytes] = []
    add, pack, padding = entries.append, _DIRENT.pack, _PADDING
    for name, number, is_dir, following in names:
        length = len(name)
        room -= 24 + length + (-length & 7)
        if room < 0:
            break
        add(pack(number, following, length, _DIRECTORY if is_dir else _FILE))
        add(name)
        add(padding[length & 7])
    return b"".join(entries), None


def packed_plus(names: Iterator[NameRow], room: int) -> tuple[bytes, NameRow | None]:
    """Names of files in the form of READDIRPLUS, as many as fit into `room` bytes and come before a directory; and that
    directory, if it was one that ended them."""
    entries: list[bytes] = []
    add, pack, padding = entries.append, _DIRENTPLUS.pack, _PADDING
    for row in names:
        name, number, is_dir, following = row
        if is_dir:
            return b"".join(entries), row
        length = len(name)
        room -= 152 + length + (-length & 7)
        if room < 0:
            break
        add(pack(number, stat.S_IFREG, number, following, length, _FILE))
        add(name)
        add(padding[length & 7])
    return b"".join(entries), None
