"""The adapter: libfuse's callbacks in terms of the vfs. Paths are walked to inodes here and nowhere else."""

from __future__ import annotations

import ctypes
import os
import threading
from collections.abc import Callable
from typing import Any

from cachetools import LRUCache

from ..errors import Changed, ReadOnly
from ..vfs.inodes import Inode
from ..vfs.tree import Vfs
from . import binding
from .binding import FH_OFFSET, FILL_DIR_PLUS, READDIR_PLUS, FileInfo, Filler, fh_at, fill_stat, put_stat
from .kernel import Invalidator, Told

# Each entry given with its attributes makes a node in libfuse that lives until the kernel forgets it: fine for
# an `ls -l`, gigabytes for a directory of millions. Past this many, entries carry name, number and type only.
PLUS_LIMIT = 20_000

# Directories whose inodes are remembered by path, some 300 bytes each.
DIRECTORIES = 16_384

# Paths opened lately, whose pages the kernel may hold; some 150 bytes each.
OPENED = 65_536

_CHANGING = (
    "mknod",
    "mkdir",
    "unlink",
    "rmdir",
    "symlink",
    "rename",
    "link",
    "chmod",
    "chown",
    "truncate",
    "write",
    "create",
    "utimens",
    "fallocate",
    "write_buf",
    "copy_file_range",
)


class Operations:
    """Callbacks over one vfs. `table()` is what `binding.callbacks` takes; `init` is added by the session."""

    def __init__(self, vfs: Vfs, invalidator: Invalidator) -> None:
        self._vfs, self._invalidator = vfs, invalidator
        self._read_into = vfs.read_into
        self._paths: dict[int, bytes] = {}  # of open files: with nullpath_ok only open is told the path
        self._opened: LRUCache[bytes, None] = LRUCache(OPENED)
        self._directories: dict[bytes, Inode] = {}
        self._stat, self._told = _stat_per_thread(), Told()
        self._fillers: dict[int, Any] = {}  # libfuse has one or two

    def table(self) -> dict[str, Callable[..., int | None]]:
        own = ("getattr", "open", "read", "flush", "release", "opendir", "readdir", "releasedir", "statfs")
        # xattrs, locks, lseek and access are left out: libfuse then answers ENOSYS, which the kernel remembers,
        # and does them itself where it can (flock, SEEK_DATA, permissions).
        return {name: getattr(self, name) for name in own} | dict.fromkeys(_CHANGING, _refuse)

    def getattr(self, path: bytes | None, stat: int, info: int | None) -> None:
        if info:  # of an open file: its own version's, also when the name is gone
            attributes = self._vfs.fstat(fh_at(info + FH_OFFSET).value)
        else:
            attributes = self._vfs.getattr(self._walk(path or b""))
        self._told.put(attributes)
        put_stat(stat, *attributes)

    def open(self, path: bytes, info: int) -> None:
        fi = FileInfo.from_address(info)
        if fi.flags & os.O_ACCMODE != os.O_RDONLY:
            raise ReadOnly("the tree is read-only")
        fh, keep_cache = self._vfs.open(self._walk(path))
        if not self._told.knows(self._vfs.fstat(fh)):
            # The kernel believes another size. At ESTALE it looks the path up anew, and then opens it again.
            self._vfs.release(fh)
            raise Changed("the kernel's attributes are of another version")
        fi.fh, fi.keep_cache = fh, keep_cache
        self._paths[fh] = path
        self._opened[path] = None

    def read(self, path: int | None, buffer: int, size: int, offset: int, info: int) -> int:
        return self._read_into(fh_at(info + FH_OFFSET).value, buffer, size, offset)

    def flush(self, path: int | None, info: int) -> None:
        fh = fh_at(info + FH_OFFSET).value
        self._vfs.flush(fh)
        if self._vfs.stale(fh):  # close(2) waits for this answer: what is opened after it must see the new object
            self._invalidator.drop(self._paths[fh])

    def release(self, path: int | None, info: int) -> None:
        fh = fh_at(info + FH_OFFSET).value
        known = self._paths.pop(fh, None)
        if self._vfs.release(fh) and known is not None:
            self._invalidator.drop(known)

    def opendir(self, path: bytes, info: int) -> None:
        FileInfo.from_address(info).fh = self._vfs.opendir(self._directory(path.rstrip(b"/")))

    def readdir(self, path: int | None, buffer: int, filler: int, offset: int, info: int, flags: int) -> None:
        fill = self._fillers.get(filler) or self._fillers.setdefault(filler, Filler(filler))
        stat, address = self._stat()
        told = self._told.put
        plus = FILL_DIR_PLUS if flags & READDIR_PLUS and offset < PLUS_LIMIT else 0
        for name, attributes, following in self._vfs.readdir(fh_at(info + FH_OFFSET).value, offset):
            fill_stat(stat, *attributes)
            if plus:
                told(attributes)
                if following >= PLUS_LIMIT:
                    plus = 0
            if fill(buffer, name, address, following, plus):
                break

    def releasedir(self, path: int | None, info: int) -> None:
        self._vfs.releasedir(fh_at(info + FH_OFFSET).value)

    def statfs(self, path: bytes, address: int) -> None:
        """A bucket has no size: 1 PiB, none of it free (the tree is read-only), so that df shows a line."""
        st = binding.StatVfs.from_address(address)
        st.f_bsize = st.f_frsize = 4096
        st.f_blocks = 1 << 38
        st.f_namemax = 255

    def refresh(self, path: bytes) -> None:
        """Forget names at and below `path` (from the mount's top), and have the kernel drop what it keeps of them."""
        self._vfs.refresh([name for name in path.split(b"/") if name])
        self._directories.clear()
        top = b"/" + path.strip(b"/")
        below = top.rstrip(b"/") + b"/"
        for known in {top, *(p for p in list(self._opened) if p.startswith(below))}:
            self._invalidator.drop(known)
        self._invalidator.names()

    def _walk(self, path: bytes) -> Inode:
        """The inode at `path`, its last name looked up anew."""
        parent, _, name = path.rpartition(b"/")
        return self._vfs.lookup(self._directory(parent), name) if name else self._vfs.root

    def _directory(self, path: bytes) -> Inode:
        """The directory at `path` ("" is the top), which the kernel knows to be one: it has looked up each on the way
        itself, and does so as often as it was told to. A walk of 2,000 directories spent a third of its time on that.
        """
        directory = self._directories.get(path)
        if directory is None:
            parent, _, name = path.rpartition(b"/")
            directory = self._vfs.below(self._directory(parent), name) if name else self._vfs.root
            if len(self._directories) >= DIRECTORIES:
                self._directories.clear()
            self._directories[path] = directory
        return directory


def _refuse(*_: object) -> int:
    raise ReadOnly("the tree is read-only")


def _stat_per_thread() -> Callable[[], tuple[Any, int]]:
    """Gives each thread a struct stat of its own to fill, and its address to hand to libfuse's filler."""
    local = threading.local()

    def own() -> tuple[Any, int]:
        try:
            return local.stat, local.address
        except AttributeError:
            local.stat = binding.Stat()
            local.address = ctypes.addressof(local.stat)
            return local.stat, local.address

    return own
