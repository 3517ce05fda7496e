"""Two doors to one tree: the vfs called directly, and a mount of the real kernel.

The functional suite is written once against `Door` and run through both. A path is relative to the root
of the tree ("" is the root); whatever is refused raises OSError with the errno that a program sees.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import stat as modes
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple, Protocol

import pytest

from mountnd import assembly
from mountnd.vfs.inodes import Inode

from . import mounts

Name = str | bytes


class Stat(NamedTuple):
    """What both doors know of a file or directory. Times in nanoseconds since the epoch."""

    ino: int
    mode: int
    nlink: int
    uid: int
    gid: int
    size: int
    mtime_ns: int

    @property
    def is_dir(self) -> bool:
        return modes.S_ISDIR(self.mode)


class Row(NamedTuple):
    """What a directory says of an entry without anybody asking for its attributes."""

    ino: int
    is_dir: bool


class Door(Protocol):
    kind: str

    def listdir(self, path: Name = "") -> set[bytes]: ...
    def rows(self, path: Name = "") -> dict[bytes, Row]: ...
    def stat(self, path: Name) -> Stat: ...
    def open(self, path: Name) -> int: ...
    def pread(self, handle: int, size: int, offset: int) -> bytes: ...
    def close(self, handle: int) -> None: ...


def read(door: Door, path: Name, offset: int = 0, size: int = -1) -> bytes:
    """Open, read `size` bytes at `offset` (to the end: -1), close."""
    handle = door.open(path)
    try:
        return read_handle(door, handle, offset, size)
    finally:
        door.close(handle)


def read_handle(door: Door, handle: int, offset: int = 0, size: int = -1) -> bytes:
    """Read as read(2) loops do: until `size` bytes are there or a read gives none."""
    parts: list[bytes] = []
    left = size if size >= 0 else 1 << 62
    while left > 0 and (part := door.pread(handle, min(left, 256 << 10), offset)):
        parts.append(part)
        offset += len(part)
        left -= len(part)
    return b"".join(parts)


def errno_from(call: Callable[..., object], *args: object) -> int:
    """The errno with which `call(*args)` is refused; 0 when it is not."""
    try:
        call(*args)
    except OSError as e:
        return e.errno or -1
    return 0


def walk(door: Door, path: bytes = b"") -> Iterator[tuple[bytes, Row]]:
    """Every path below `path`, depth first, with what its directory says of it."""
    for name, row in sorted(door.rows(path).items()):
        below = path + b"/" + name if path else name
        yield below, row
        if row.is_dir:
            yield from walk(door, below)


class VfsDoor:
    """Calls the vfs on this thread. Never blocks on itself: the server behind it is another process."""

    kind = "vfs"

    def __init__(self, mount: assembly.Mount) -> None:
        self.mount, self.vfs = mount, mount.vfs

    def _inode(self, path: Name) -> Inode:
        inode = self.vfs.root
        for name in os.fsencode(path).split(b"/"):
            if name:
                inode = self.vfs.lookup(inode, name)
        return inode

    def rows(self, path: Name = "") -> dict[bytes, Row]:
        with mounts.errors_as_errnos():
            handle = self.vfs.opendir(self._inode(path))
            try:
                found = {n: Row(a.ino, modes.S_ISDIR(a.mode)) for n, a, _ in self.vfs.readdir(handle, 0)}
            finally:
                self.vfs.releasedir(handle)
        return {name: row for name, row in found.items() if name not in (b".", b"..")}

    def listdir(self, path: Name = "") -> set[bytes]:
        return set(self.rows(path))

    def stat(self, path: Name) -> Stat:
        with mounts.errors_as_errnos():
            return Stat(*self.vfs.getattr(self._inode(path)))

    def open(self, path: Name) -> int:
        with mounts.errors_as_errnos():
            return self.vfs.open(self._inode(path))[0]

    def pread(self, handle: int, size: int, offset: int) -> bytes:
        with mounts.errors_as_errnos():
            return self.vfs.read(handle, size, offset)

    def close(self, handle: int) -> None:
        self.vfs.flush(handle)
        self.vfs.release(handle)


class KernelDoor:
    """Plain system calls on a mount that a daemon in another process serves.

    Args:
        direct: open with O_DIRECT, so that every read reaches the daemon just as it was asked.
    """

    kind = "kernel"

    def __init__(self, mount: mounts.Mounted, *, direct: bool = False) -> None:
        self.mount, self.root = mount, os.fsencode(mount.path)
        self._flags = os.O_RDONLY | os.O_CLOEXEC | (os.O_DIRECT if direct else 0)

    def path(self, path: Name = "") -> bytes:
        return os.path.join(self.root, os.fsencode(path)) if path else self.root

    def listdir(self, path: Name = "") -> set[bytes]:
        return set(os.listdir(self.path(path)))

    def rows(self, path: Name = "") -> dict[bytes, Row]:
        with os.scandir(self.path(path)) as entries:
            return {e.name: Row(e.inode(), e.is_dir(follow_symlinks=False)) for e in entries}

    def stat(self, path: Name) -> Stat:
        s = os.lstat(self.path(path))
        return Stat(s.st_ino, s.st_mode, s.st_nlink, s.st_uid, s.st_gid, s.st_size, s.st_mtime_ns)

    def open(self, path: Name) -> int:
        return os.open(self.path(path), self._flags)

    def pread(self, handle: int, size: int, offset: int) -> bytes:
        return os.pread(handle, size, offset)

    def close(self, handle: int) -> None:
        os.close(handle)


@contextlib.contextmanager
def open_door(
    kind: str, where: Path, url: str, *sources: str, direct: bool = False, **options: object
) -> Iterator[Door]:
    """A door of `kind` to a fresh mount of `sources` (s3:// URLs, paths of lockfiles) on the server at `url`.

    Args:
        where: an empty directory for the mountpoint, logs and cache of this mount.
        options: `ttl`, `timeout`, `memory`, `uid`, `gid`, `file_mode`, `dir_mode`: as the command line's.
    """
    if kind == "vfs":
        with mounts.vfs_mount(where, url, sources, options) as mount:
            yield VfsDoor(mount)
    else:
        with mounts.kernel_mount(where, url, sources, options) as process:
            yield KernelDoor(process, direct=direct)


KINDS = ["vfs", pytest.param("kernel", marks=pytest.mark.kernel)]  # parameters of fixtures and tests
Fresh = Callable[..., Door]
_numbers = itertools.count(1)


@contextlib.contextmanager
def door_opener(kind: str, where: Path, **defaults: object) -> Iterator[Fresh]:
    """Yields `fresh(url, "s3://bucket", ttl=1)`, which opens a door of `kind` to a mount of its own; ends them all.

    Args:
        where: a directory that holds those of the mounts.
        defaults: options of every mount, where a call gives no other.
    """
    with contextlib.ExitStack() as stack:

        def fresh(url: str, *sources: str, direct: bool = False, **options: object) -> Door:
            place = where / f"mount-{next(_numbers)}"
            place.mkdir()
            return stack.enter_context(open_door(kind, place, url, *sources, direct=direct, **(defaults | options)))

        yield fresh


@contextlib.contextmanager
def open_kernel_door(where: Path, url: str, *sources: str, **options: object) -> Iterator[KernelDoor]:
    """As `open_door("kernel", ...)`."""
    with open_door("kernel", where, url, *sources, **options) as door:
        assert isinstance(door, KernelDoor)
        yield door
