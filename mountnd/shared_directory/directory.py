"""A directory that a group may write, on a file system that several nodes have mounted (Lustre, NFS, BeeGFS, GPFS).

The sibling of `private_directory` for what is shared: the same door, other rules. Whoever is named by the path may
write there: its owner and its group, never everybody. So every name in it may be anything at any time: directories and
files are opened one by one, no link is followed, only regular files that not everybody may write are opened, and what
they hold is bounded and proves itself (checksums and identities). Nothing is taken for unchanged since the last look.

What is made there belongs to the group, whatever the umask: files have the mode that was asked for, directories the
same for those who may read, and the group's bit (setgid), so that what is made in them has their group.

The directory itself is never made: where its file system is not mounted, the disk below would be filled.
"""

from __future__ import annotations

import errno
import os
import secrets
import stat
from contextlib import suppress
from dataclasses import dataclass, field

from ..private_directory import PrivateDirectory, PrivatePath
from ..regular_file import Untrusted, open_checked, trusted_owners
from .file_clock import FileClock

# What lies in each directory from its beginning.
_MADE = ".made"
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


class SharedDirectory(PrivateDirectory):
    """As `PrivateDirectory`, by a group's rules. `file_mode`: of what is made in it."""

    __slots__ = ("_file_mode",)

    def __init__(self, fd: int, path: str, file_mode: int) -> None:
        self._file_mode = file_mode
        super().__init__(fd, path, trusted_owners())

    def _objection(self, info: os.stat_result, path: str) -> str:
        return objection(info)

    def _opened(self, fd: int, path: str) -> SharedDirectory:
        return SharedDirectory(fd, path, self._file_mode)

    def below(self, name: str, *, make: bool = False) -> SharedDirectory:
        """A directory in it, opened now. `make`: made where it is missing, for the group."""
        if name == ".." or "/" in name:
            raise OSError(errno.EINVAL, "it is no name of ours", name)
        try:
            held = super().below(name)
        except FileNotFoundError:
            if not make:
                raise
            self._make(name)
            held = super().below(name)
        assert isinstance(held, SharedDirectory)
        return held

    def _make(self, name: str) -> None:
        """Make a directory. It has its mode before it has its name: others would be refused meanwhile. And it is never
        empty: rename(2) would put another in its place."""
        temporary = f".{secrets.token_hex(8)}.tmp"
        os.mkdir(temporary, 0o700, dir_fd=self._fd)
        try:
            fd = os.open(temporary, _DIRECTORY | os.O_NOFOLLOW, dir_fd=self._fd)
            try:
                os.close(os.open(_MADE, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600, dir_fd=fd))
                os.fchmod(fd, directory_mode(self._file_mode))
            finally:
                os.close(fd)
            os.rename(temporary, name, src_dir_fd=self._fd, dst_dir_fd=self._fd)
        except OSError as e:
            with suppress(OSError):
                os.unlink(f"{temporary}/{_MADE}", dir_fd=self._fd)
            with suppress(OSError):
                os.rmdir(temporary, dir_fd=self._fd)
            if e.errno not in (errno.EEXIST, errno.ENOTEMPTY):  # somebody else has made it
                raise

    def check(self, name: str) -> None:
        """Raise UntrustedDirectory unless `name` is a directory that may be used now."""
        self.below(name)

    def make(self, name: str) -> None:
        """Make a directory in it where there is none, for the group. Raises as `check`."""
        self.below(name, make=True)

    def open_file(self, name: str, flags: int = os.O_RDONLY) -> int:
        """A descriptor of a regular file that not everybody may write."""
        held, base = self._place(name)
        fd, info = open_checked(base, flags | os.O_NOFOLLOW, held._fd)
        if info.st_mode & stat.S_IWOTH:
            os.close(fd)
            raise Untrusted(errno.EACCES, "everybody may write to it", os.path.join(self.path, name))
        return fd

    def create(self, name: str) -> int:
        """A descriptor, for reading and writing, of a new file of the group's mode. Raises FileExistsError."""
        held, base = self._place(name)
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        fd = os.open(base, flags, 0o600, dir_fd=held._fd)
        try:
            os.fchmod(fd, self._file_mode)
        except OSError:
            os.close(fd)
            raise
        return fd

    def rename(self, old: str, new: str) -> None:
        (source, old_base), (target, new_base) = self._place(old), self._place(new)
        os.replace(old_base, new_base, src_dir_fd=source._fd, dst_dir_fd=target._fd)

    def link(self, old: str, new: str) -> None:
        (source, old_base), (target, new_base) = self._place(old), self._place(new)
        os.link(old_base, new_base, src_dir_fd=source._fd, dst_dir_fd=target._fd, follow_symlinks=False)

    def remove(self, name: str) -> bool:
        try:
            held, base = self._place(name)
            os.unlink(base, dir_fd=held._fd)
        except OSError:
            return False
        return True

    def touch(self, name: str) -> None:
        held, base = self._place(name)
        os.utime(base, dir_fd=held._fd, follow_symlinks=False)

    def stat(self, name: str) -> os.stat_result:
        """Of a file, as its server has it: network file systems ask for that when a file is opened, and may answer
        stat(2) from what they knew some seconds ago."""
        fd = self.open_file(name)
        try:
            return os.fstat(fd)
        finally:
            os.close(fd)

    def modified(self, name: str) -> float:
        """When a file was modified, seconds since the epoch."""
        return self.stat(name).st_mtime

    def _place(self, name: str) -> tuple[SharedDirectory, str]:
        """The directory that holds `name`, opened now, and what it is called in there."""
        folder, slash, base = name.partition("/")
        if ".." in (folder, base) or "/" in base:
            raise OSError(errno.EINVAL, "it is no name of ours", name)
        return (self.below(folder), base) if slash else (self, name)

    @property
    def is_writable(self) -> bool:
        """Whether files can be made in it, as far as modes and mounts tell."""
        return os.access(".", os.W_OK | os.X_OK, dir_fd=self._fd, effective_ids=True)


@dataclass(frozen=True, slots=True)
class SharedPath(PrivatePath):
    """Where a shared directory is: `top` is never made, what is `below` it for the group.

    Attributes:
        file_mode: permission bits of files that are made there.
        clock: tells the time of its file system.
    """

    file_mode: int = 0o660
    clock: FileClock = field(default_factory=FileClock, compare=False)

    def now(self) -> float:
        return self.clock.now()

    def _open_top(self, *, make: bool) -> SharedDirectory:
        return SharedDirectory(os.open(self.top, _DIRECTORY), str(self.top), self.file_mode)


def directory_mode(file_mode: int) -> int:
    """Of directories whose files have `file_mode`: whoever may read those may look, and their group is inherited."""
    return stat.S_ISGID | file_mode | (file_mode & 0o444) >> 2


def objection(info: os.stat_result) -> str:
    """Why a directory with this owner and mode is not used as a shared cache, "" when it may be."""
    if info.st_mode & stat.S_IWOTH:
        mode = stat.S_IMODE(info.st_mode)
        return f"everybody may write to it (mode {mode:04o}); close it: chmod o-w, and give it to a group: chgrp GROUP"
    return ""
