"""Inodes: what a name in the tree is, its number, and the attributes programs see.

An inode is a value made anew from the catalogue at each look-up; nothing is kept for one that nobody
has open. Its number is a hash of (source, key), so it is the same after a remount and on another machine.
"""

from __future__ import annotations

import stat
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import blake2b
from typing import NamedTuple

from ..catalog.catalogue import Catalogue
from ..catalog.model.entry import Entry
from ..stores.base import ObjectStat
from ..stores.facts import UNKNOWN_MTIME_NS

ROOT_NUMBER = 1

# The size of a file, in rows of a directory, that is not known yet.
UNKNOWN_SIZE = -1

# The mtime of a directory without a marker object: S3 keeps none.
DIRECTORY_MTIME_NS = UNKNOWN_MTIME_NS


class Attributes(NamedTuple):
    """What stat(2) shows. `mode` with its type bits, `size` in bytes, `mtime_ns` since the epoch (atime, ctime too)."""

    ino: int
    mode: int
    nlink: int
    uid: int
    gid: int
    size: int
    mtime_ns: int


class Inode(NamedTuple):
    """One file or directory of one source; `catalogue` is None for the directory that lists several sources."""

    number: int
    catalogue: Catalogue | None
    entry: Entry

    @property
    def is_dir(self) -> bool:
        return self.entry.is_dir


@dataclass(frozen=True, slots=True, kw_only=True)
class Ownership:
    """Who owns everything in the tree, and the permission bits (no x on files: git would call the tree dirty)."""

    uid: int
    gid: int
    file_mode: int = 0o644
    dir_mode: int = 0o755

    def attributes(self, number: int, is_dir: bool, meta: ObjectStat | None) -> Attributes:
        """Attributes of an inode whose object (for a directory: its marker, None without one) is `meta`."""
        if is_dir:
            return self.directory(number, meta)
        assert meta is not None, "a file without a stat"
        return self.file(number, meta.size, meta.mtime_ns)

    def directory(self, number: int, marker: ObjectStat | None) -> Attributes:
        """Attributes of a directory.

        Its nlink is 1, the convention for "not counted": 2 would tell find(1) that there are no sub-directories.
        """
        mtime = marker.mtime_ns if marker else DIRECTORY_MTIME_NS
        return Attributes(number, stat.S_IFDIR | self.dir_mode, 1, self.uid, self.gid, 4096, mtime)

    def file(self, number: int, size: int, mtime_ns: int) -> Attributes:
        """Attributes of a file."""
        return Attributes(number, stat.S_IFREG | self.file_mode, 1, self.uid, self.gid, size, mtime_ns)


def source_salt(name: str) -> bytes:
    """What tells the inode numbers of the source called so from those of others."""
    return name.encode("utf-8", "surrogateescape")[:64]


def inode_number(salt: bytes, key: str) -> int:
    """A stable 63-bit number for `key` of the source that `salt` names.

    63 bits of BLAKE2b: by the birthday bound two of 10 million names meet with a chance of 1 in 180,000; signed
    64-bit readers stay positive. 0 and the root's number are stepped over.
    """
    return inode_numbers(salt, key)(b"")


def inode_numbers(salt: bytes, prefix: str) -> Callable[[bytes], int]:
    """Gives the inode numbers of the keys that are `prefix` and these bytes: the prefix is hashed once."""
    begun = blake2b(prefix.encode("utf-8", "surrogateescape"), digest_size=8, key=salt)

    def number_of(rest: bytes) -> int:
        hashed = begun.copy()
        hashed.update(rest)
        number = int.from_bytes(hashed.digest(), "little") >> 1
        return number if number > ROOT_NUMBER else number + 2

    return number_of
