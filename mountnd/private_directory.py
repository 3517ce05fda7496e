"""Directories that nobody else may write, and regular files: what a cache and a run directory are made of.

Such a directory may lie where anybody can make one of its name first (`/scratch`, `/tmp`), and its files are believed:
checksums tell damage, not malice. So a directory is opened once, its owner and mode are looked at, and what lies below
is opened relative to that descriptor. No link is followed, and only regular files of ours or of root's are opened; a
FIFO, which would make `open` wait, is refused at once. The parents of the first directory are whatever they are.

Who may write a directory can change what a path means at any time; who holds its descriptor need not care.
"""

from __future__ import annotations

import errno
import os
import secrets
import shlex
import stat
import time
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Self

from .regular_file import Untrusted, UntrustedDirectory, objection, open_checked, read_all, trusted_owners, user_name

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# Links of our own followed on the way to a directory, as the kernel does (MAXSYMLINKS); and how often a directory that
# somebody removes at the same time is made again.
_LINKS, _TRIES = 40, 10


class PrivateDirectory:
    """A directory that only we and root may write, held by a descriptor. Names are relative to it: a file's, or
    `DIRECTORY/FILE` with a directory that is looked at in the same way. Methods raise OSError, of which Untrusted says
    that something is there and must not be used. Thread-safe.

    Attributes:
        path: what it was opened by, for messages.
    """

    __slots__ = ("__weakref__", "_checked", "_fd", "_owners", "path")

    def __init__(self, fd: int, path: str, owners: Collection[int]) -> None:
        self._fd, self.path, self._owners = fd, path, owners
        # Directories below that were looked at. They stay what they were: nobody else can put another in their place.
        self._checked: set[str] = set()
        if why := self._objection(os.fstat(fd), path):
            raise UntrustedDirectory(errno.EACCES, why, path)  # and `__del__` closes it

    def __del__(self, close: Callable[[int], None] = os.close) -> None:  # bound: at exit `os` may be gone
        close(self._fd)

    @classmethod
    def open(
        cls,
        path: str | os.PathLike[str],
        *,
        make: bool = False,
        follow: bool = True,
        owners: Collection[int] | None = None,
    ) -> PrivateDirectory:
        """The directory at `path`.

        Args:
            make: make it (0700) where it is missing, and its parents (by the umask).
            follow: whether a link is followed; if so, one of `owners`.
            owners: users who are believed; default: `trusted_owners()`.
        """
        path, believed = os.fspath(path).rstrip("/") or "/", trusted_owners() if owners is None else owners
        return cls(_open_top(path, make, believed if follow else ()), path, believed)

    def below(self, name: str, *, make: bool = False) -> PrivateDirectory:
        """A directory in it. `make`: made where it is missing, and closed to readers (0700) where it is ours."""
        if make:
            with suppress(FileExistsError):
                os.mkdir(name, 0o700, dir_fd=self._fd)
        path = os.path.join(self.path, name)
        try:
            fd = os.open(name, _DIRECTORY, dir_fd=self._fd)
        except OSError as e:
            if e.errno not in (errno.ELOOP, errno.ENOTDIR):
                raise
            raise _no_directory(os.stat(name, dir_fd=self._fd, follow_symlinks=False), path) from None
        held = self._opened(fd, path)
        if make:
            held.hide()
        return held

    def _opened(self, fd: int, path: str) -> PrivateDirectory:
        """A directory below, by the same rules."""
        return PrivateDirectory(fd, path, self._owners)

    def _objection(self, info: os.stat_result, path: str) -> str:
        """Why a directory is not used, "" when it may be."""
        return objection(info, self._owners, path)

    def hide(self) -> None:
        """Take away what others may do with it (0700), where it is ours."""
        if (info := self.info).st_uid == os.geteuid() and info.st_mode & 0o077:
            os.fchmod(self._fd, 0o700)

    def check(self, name: str) -> None:
        """Raise UntrustedDirectory unless `name` is a directory to be believed. Asked once, then remembered."""
        if name in self._checked:
            return
        info, path = os.stat(name, dir_fd=self._fd, follow_symlinks=False), os.path.join(self.path, name)
        if not stat.S_ISDIR(info.st_mode):
            raise _no_directory(info, path)
        if why := self._objection(info, path):
            raise UntrustedDirectory(errno.EACCES, why, path)
        self._checked.add(name)

    def make(self, name: str) -> None:
        """Make a directory in it (0700) where there is none. Raises as `check`."""
        with suppress(FileExistsError):
            os.mkdir(name, 0o700, dir_fd=self._fd)
        self.check(name)

    def open_file(self, name: str, flags: int = os.O_RDONLY) -> int:
        """A descriptor of a regular file of ours or of root's that others may not write."""
        slash = name.find("/")
        if slash > 0 and name[:slash] not in self._checked:
            self.check(name[:slash])
        fd, info = open_checked(name, flags | os.O_NOFOLLOW, self._fd)
        if info.st_mode & 0o022 or info.st_uid not in self._owners:
            os.close(fd)
            raise Untrusted(errno.EACCES, objection(info, self._owners, ""), os.path.join(self.path, name))
        return fd

    def create(self, name: str) -> int:
        """A descriptor, for reading and writing, of a new file (0600). Raises FileExistsError."""
        self._check_folder(name)
        return os.open(name, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=self._fd)

    def create_unnamed(self) -> int:
        """A descriptor, for reading and writing, of a new file that has no name, and is gone when it is closed. Raises
        OSError where the file system has no such files."""
        return os.open(".", os.O_RDWR | os.O_TMPFILE | os.O_CLOEXEC, 0o600, dir_fd=self._fd)

    def read(self, name: str, limit: int) -> bytes:
        """What a file holds. Raises OSError (EFBIG) where that is more than `limit` bytes."""
        return read_all(self.open_file(name), limit)

    def write(self, name: str, data: bytes) -> None:
        """Make or replace a file, whatever was there but a directory; it is whole at every moment."""
        temporary = f".{name}.{secrets.token_hex(4)}.tmp"
        try:
            with os.fdopen(self.create(temporary), "wb") as file:
                file.write(data)
            self.rename(temporary, name)
        except BaseException:
            self.remove(temporary)
            raise

    def rename(self, old: str, new: str) -> None:
        """Give a file another name, in place of what has it now."""
        self._check_folder(new)
        os.replace(old, new, src_dir_fd=self._fd, dst_dir_fd=self._fd)

    def link(self, old: str, new: str) -> None:
        """Give a file a second name. Raises FileExistsError: of several who try only one succeeds."""
        os.link(old, new, src_dir_fd=self._fd, dst_dir_fd=self._fd, follow_symlinks=False)

    def remove(self, name: str) -> bool:
        """Remove a name, never what it links to; False where it was not there, or cannot be removed."""
        try:
            self._check_folder(name)
            os.unlink(name, dir_fd=self._fd)
        except OSError:
            return False
        return True

    def touch(self, name: str) -> None:
        """Set a file's time of modification to now."""
        self._check_folder(name)
        os.utime(name, dir_fd=self._fd, follow_symlinks=False)

    def entries(self) -> list[os.DirEntry[str]]:
        """What lies in it. Ask an entry for no more than its name and `stat(follow_symlinks=False)`, and while this
        directory is held."""
        with os.scandir(self._fd) as found:
            return list(found)

    def names(self, most: int) -> list[str]:
        """The names of what lies in it, `most` at most: whoever may write there can make millions."""
        with os.scandir(self._fd) as found:
            return [entry.name for entry in islice(found, most)]

    def stat(self, name: str) -> os.stat_result:
        """Of a name itself, not of what it links to."""
        return os.stat(name, dir_fd=self._fd, follow_symlinks=False)

    @property
    def info(self) -> os.stat_result:
        """Of the directory. `st_nlink` is 0 once it was removed."""
        return os.fstat(self._fd)

    def _check_folder(self, name: str) -> None:
        folder, slash, _ = name.partition("/")
        if slash:
            self.check(folder)


@dataclass(frozen=True, slots=True)
class PrivatePath:
    """Where a private directory is to be: `below` names directories, each in the one before, from `top` on."""

    top: Path
    below: tuple[str, ...] = ()

    @classmethod
    def of(cls, path: Self | str | os.PathLike[str]) -> Self:
        """A path as one of these; a plain one is its own top."""
        return path if isinstance(path, cls) else cls(Path(path))

    def __truediv__(self, name: str) -> Self:
        return replace(self, below=(*self.below, name))

    def __fspath__(self) -> str:
        return os.path.join(self.top, *self.below)

    def __str__(self) -> str:
        return self.__fspath__()

    def open(self, *, make: bool = False) -> PrivateDirectory:
        """It, and every directory on the way from `top` to it looked at. Raises as `PrivateDirectory.open`."""
        for left in reversed(range(_TRIES if make else 1)):
            try:
                held = self._open_top(make=make)
                for name in self.below:
                    held = held.below(name, make=make)
                return held
            except FileNotFoundError:
                if not left:
                    raise
        raise AssertionError("unreachable")

    def now(self) -> float:
        """Seconds since the epoch by the clock that the times of its files are compared with."""
        return time.time()

    def _open_top(self, *, make: bool) -> PrivateDirectory:
        return PrivateDirectory.open(self.top, make=make)


def _open_top(path: str, make: bool, owners: Collection[int]) -> int:
    """A descriptor of the directory at `path`, where links are followed that are of `owners`."""
    asked = path
    for _ in range(_LINKS):
        try:
            return os.open(path, _DIRECTORY)
        except FileNotFoundError:
            if not make:
                raise
            os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
            with suppress(FileExistsError, FileNotFoundError):  # somebody makes or removes it at the same time
                os.mkdir(path, 0o700)
        except OSError as e:
            if e.errno not in (errno.ELOOP, errno.ENOTDIR):
                raise
            path = os.path.join(os.path.dirname(path), _own_link(path, owners, e))
    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), asked)


def _own_link(path: str, owners: Collection[int], error: OSError) -> str:
    """What the link at `path` says. Raises `error` where it is none, UntrustedDirectory where it is a stranger's."""
    fd = os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        info = os.fstat(fd)
        if not stat.S_ISLNK(info.st_mode):
            raise error
        if info.st_uid not in owners:
            why = f"it is a symbolic link of {user_name(info.st_uid)}; choose a directory of your own"
            raise UntrustedDirectory(errno.EACCES, why, path)
        return os.readlink("", dir_fd=fd)
    finally:
        os.close(fd)


def _no_directory(info: os.stat_result, path: str) -> OSError:
    if stat.S_ISLNK(info.st_mode):
        why = f"it is a symbolic link, which is not followed here; remove it: rm {shlex.quote(path)}"
        return UntrustedDirectory(errno.EACCES, why, path)
    return NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), path)
