"""Regular files, opened without waiting, and who is believed to have written what lies on disk.

A FIFO would make `open` wait for somebody to write, a socket or a device is no file of ours: they are refused at once.
"""

from __future__ import annotations

import errno
import os
import pwd
import shlex
import stat
from collections.abc import Collection

_FLAGS = os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_WRITABLE = stat.S_IWGRP | stat.S_IWOTH
# What a file that is opened without waiting may turn out to be.
_KINDS = (
    (stat.S_ISLNK, "a symbolic link, which is not followed here"),
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


class Untrusted(PermissionError):
    """A file that is not regular, or that others could have written. `strerror` says so, without the path."""


class UntrustedDirectory(Untrusted):
    """A directory that others could have put something into. `strerror` says what to do."""


def trusted_owners() -> frozenset[int]:
    """The users who are believed: this one, and root."""
    return frozenset((os.geteuid(), 0))


def open_regular(path: str | os.PathLike[str], flags: int = os.O_RDONLY, *, dir_fd: int | None = None) -> int:
    """A descriptor of a regular file, whoever's it is; links are followed unless `flags` forbid it. Never waits.

    Raises Untrusted where it is something else, IsADirectoryError, and OSError.
    """
    return open_checked(path, flags, dir_fd)[0]


def read_all(fd: int, limit: int) -> bytes:
    """What a file holds, and the descriptor is closed. Raises OSError (EFBIG) where that is more than `limit` bytes."""
    with os.fdopen(fd, "rb") as file:
        data = file.read(limit + 1)
    if len(data) > limit:
        raise OSError(errno.EFBIG, f"it is larger than {limit} bytes")
    return data


def open_checked(path: str | os.PathLike[str], flags: int, dir_fd: int | None) -> tuple[int, os.stat_result]:
    """As `open_regular`, with the file's owner and mode."""
    try:
        fd = os.open(path, flags | _FLAGS, dir_fd=dir_fd)
    except OSError as e:
        # A link that must not be followed; a socket, or a FIFO that nobody reads; a device that is not there.
        if e.errno not in (errno.ELOOP, errno.ENXIO, errno.ENODEV):
            raise
        try:
            info = os.stat(path, dir_fd=dir_fd, follow_symlinks=not flags & os.O_NOFOLLOW)
        except OSError:
            raise e from None
        raise Untrusted(errno.EACCES, _kind(info), path) from None
    info = os.fstat(fd)
    if not stat.S_ISREG(info.st_mode):
        os.close(fd)
        if stat.S_ISDIR(info.st_mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
        raise Untrusted(errno.EACCES, _kind(info), path)
    return fd, info


def _kind(info: os.stat_result) -> str:
    kind = next((name for matches, name in _KINDS if matches(info.st_mode)), "no file")
    return f"it is {kind}, not a regular file"


def objection(info: os.stat_result, owners: Collection[int], directory: str) -> str:
    """Why what has this owner and mode is not used, "" when it may be. `directory`: its path, "" for a file."""
    if info.st_uid not in owners:
        why, advice = f"it belongs to {user_name(info.st_uid)}, who could put", "choose a directory of your own"
    elif info.st_mode & _WRITABLE:
        why, advice = f"other users may write to it (mode {stat.S_IMODE(info.st_mode):04o}) and put", "choose another"
        if info.st_uid == os.geteuid() and not info.st_mode & stat.S_ISVTX:
            advice = f"close it (chmod go-w {shlex.quote(directory)}), or {advice}"
    else:
        return ""
    return f"{why} false data there; {advice}" if directory else why.rpartition(",")[0] or why.rpartition(" and")[0]


def user_name(uid: int) -> str:
    """The user in words."""
    try:
        return f"user {pwd.getpwuid(uid).pw_name}"
    except KeyError:
        return f"user {uid}"
