"""The adapter: libfuse's callbacks in terms of the vfs."""

from __future__ import annotations

import ctypes
import os
import threading
from collections.abc import Callable
from stat import S_IFDIR, S_IFREG
from typing import Any

from cachetools import LRUCache

from ..errors import Changed, NotFound, ReadOnly
from ..vfs.inodes import UNKNOWN_SIZE
from ..vfs.tree import Vfs
from . import binding
from .binding import FH_OFFSET, FILL_DIR_PLUS, READDIR_PLUS, FileInfo, Filler, fh_at, fill_stat, put_stat
from .directory_page import DirectoryPage
from .kernel import AttributesTold, Invalidator
from .reply_buffer import ReplyBuffer
from .stat_habits import StatHabits

# Each entry given with its attributes makes a node in libfuse that lives until the kernel forgets it: fine for
# an `ls -l`, gigabytes for a directory of millions. Past this many, entries carry name, number and type only.
PLUS_LIMIT = 20_000

# Paths opened lately, whose pages the kernel may hold; some 150 bytes each.
OPENED = 65_536

# How long close(2) of a file whose version is gone waits for the kernel to forget it: pages under way hold that up.
DROP_S = 0.25

_DOTS = (b".", b"..")

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
        self._read_into, self._resolve = vfs.read_into, vfs.resolve
        vfs.moved = self._drop_attributes
        self._paths: dict[int, bytes] = {}  # of open files: with nullpath_ok only open is told the path
        self._opened: LRUCache[bytes, None] = LRUCache(OPENED)
        self._stat, self._told, self._habits = _stat_per_thread(), AttributesTold(), StatHabits()
        self._fillers: dict[int, Any] = {}  # libfuse has one or two

    def table(self) -> dict[str, Callable[..., int | None]]:
        own = ("getattr", "open", "read_buf", "flush", "release", "opendir", "readdir", "releasedir", "statfs")
        # xattrs, locks, lseek and access are left out: libfuse then answers ENOSYS, which the kernel remembers,
        # and does them itself where it can (flock, SEEK_DATA, permissions).
        return {name: getattr(self, name) for name in own} | dict.fromkeys(_CHANGING, refuse)

    def getattr(self, path: bytes | None, stat: int, info: int | None) -> None:
        if info:  # of an open file: its own version's, also when the name is gone
            attributes = self._vfs.fstat(fh_at(info + FH_OFFSET).value)
        else:
            try:
                inode = self._resolve(path or b"")
                attributes = self._vfs.getattr(inode)
            except NotFound as absent:
                if absent.passing:  # nor shall the kernel keep it, which takes this for said after the answer
                    self._invalidator.drop_all_names()
                raise
            if not inode.is_dir:
                self._habits.stats_file(binding.reader())
        self._told.put(attributes)
        put_stat(stat, *attributes)

    def open(self, path: bytes, info: int) -> None:
        fi = FileInfo.from_address(info)
        if fi.flags & os.O_ACCMODE != os.O_RDONLY:
            raise ReadOnly("the tree is read-only")
        fh, keep_cache = self._vfs.open(self._resolve(path))
        if not self._told.knows(self._vfs.fstat(fh)):
            # The kernel believes another size. At ESTALE it looks the path up anew, and then opens it again.
            self._vfs.release(fh)
            raise Changed("the kernel's attributes are of another version")
        fi.fh, fi.keep_cache = fh, keep_cache
        self._paths[fh] = path
        self._opened[path] = None

    def read_buf(self, path: int | None, bufvec: int, size: int, offset: int, info: int) -> None:
        buffer = ReplyBuffer(size)
        try:
            got = self._read_into(fh_at(info + FH_OFFSET).value, buffer.address, size, offset)
            buffer.hand_over(bufvec, got)
        finally:
            buffer.free()

    def _drop_attributes(self, fh: int) -> None:
        if (path := self._paths.get(fh)) is not None:
            self._invalidator.drop(path)  # once the page is there that the kernel waits for

    def flush(self, path: int | None, info: int) -> None:
        fh = fh_at(info + FH_OFFSET).value
        self._vfs.flush(fh)
        if self._vfs.stale(fh):  # close(2) waits for this answer: who stats or opens after it must see the new object
            self._invalidator.drop(self._paths[fh], wait=DROP_S)

    def release(self, path: int | None, info: int) -> None:
        fh = fh_at(info + FH_OFFSET).value
        known = self._paths.pop(fh, None)
        if self._vfs.release(fh) and known is not None:
            self._invalidator.drop(known)

    def opendir(self, path: bytes, info: int) -> None:
        FileInfo.from_address(info).fh = self._vfs.opendir(self._vfs.resolve_directory(path.rstrip(b"/")))

    def readdir(self, path: int | None, buffer: int, filler: int, offset: int, info: int, flags: int) -> None:
        fill = self._fillers.get(filler) or self._fillers.setdefault(filler, Filler(filler))
        handle, plus = fh_at(info + FH_OFFSET).value, bool(flags & READDIR_PLUS)
        if self._vfs.ended(handle, offset):
            return
        if plus and offset < PLUS_LIMIT:
            reader, habits = binding.reader(), self._habits
            with_attributes = habits.wants_attributes(reader) if offset else habits.begins_directory(reader)
        else:
            with_attributes = False
        if with_attributes:
            self._fill_rows(buffer, fill, handle, offset)
        else:
            self._fill_names(DirectoryPage(buffer, fill, handle, plus), handle, offset)

    def _fill_rows(self, buffer: int, fill: Callable[..., int], handle: int, offset: int) -> None:
        stat, address = self._stat()
        told = self._told.put
        for name, attributes, following in self._vfs.readdir(handle, offset):
            if attributes.size == UNKNOWN_SIZE:  # the kernel asks for it when a program does
                fill_stat(stat, attributes.ino, S_IFREG, 0, 0, 0, 0, 0)
                flags = 0
            else:
                fill_stat(stat, *attributes)
                told(attributes)
                flags = FILL_DIR_PLUS if following < PLUS_LIMIT else 0
            if fill(buffer, name, address, following, flags):
                break

    def _fill_names(self, page: DirectoryPage, handle: int, offset: int) -> None:
        """Names, numbers and types alone, but for directories where the kernel takes attributes."""
        stat, address = self._stat()
        names = self._vfs.read_names(handle, offset)
        row = next(names, None)
        while row is not None:
            name, number, is_dir, following = row
            flags = 0
            if is_dir and page.plus and following < PLUS_LIMIT and name not in _DOTS:
                attributes = self._vfs.subdirectory(handle, row)
                fill_stat(stat, *attributes)
                self._told.put(attributes)
                flags = FILL_DIR_PLUS
            else:
                fill_stat(stat, number, S_IFDIR if is_dir else S_IFREG, 0, 0, 0, 0, 0)
            if not page.put(row, address, flags):
                return
            row = page.put_packed(names) if page.packs else next(names, None)

    def releasedir(self, path: int | None, info: int) -> None:
        self._vfs.releasedir(fh_at(info + FH_OFFSET).value)

    def statfs(self, path: bytes, address: int) -> None:
        """A bucket has no size: 1 PiB, all of it free: a full disk would worry people, and programs that look first."""
        st = binding.StatVfs.from_address(address)
        st.f_bsize = st.f_frsize = 4096
        st.f_blocks = st.f_bfree = st.f_bavail = 1 << 38
        st.f_namemax = 255

    def refresh(self, path: bytes) -> None:
        """Forget names at and below `path` (from the mount's root), and have the kernel drop what it keeps of them."""
        self._vfs.refresh([name for name in path.split(b"/") if name])
        top = b"/" + path.strip(b"/")
        below = top.rstrip(b"/") + b"/"
        for known in {top, *(p for p in list(self._opened) if p.startswith(below))}:
            self._invalidator.drop(known)
        self._invalidator.drop_all_names()


def refuse(*_: object) -> int:
    """The answer to all that would change something."""
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
