"""The outward table: what a program sees when mountnd raises. The only place where errnos are chosen."""

from __future__ import annotations

import errno

from .. import errors

# The most precise class in the error's own ancestry wins.
_ERRNO: dict[type[BaseException], int] = {
    errors.NotFound: errno.ENOENT,
    errors.Forbidden: errno.EACCES,
    errors.Archived: errno.EIO,
    errors.Changed: errno.ESTALE,
    errors.WrongRegion: errno.EIO,
    errors.Cancelled: errno.EINTR,
    errors.BadAnswer: errno.EIO,
    errors.Throttled: errno.EIO,
    errors.ServerFault: errno.EIO,
    errors.Unreachable: errno.EIO,
    errors.TimedOut: errno.ETIMEDOUT,
    errors.NotADirectory: errno.ENOTDIR,
    errors.IsADirectory: errno.EISDIR,
    errors.ReadOnly: errno.EROFS,
    errors.Denied: errno.EACCES,
    errors.Interrupted: errno.EINTR,
    errors.StaleHandle: errno.EBADF,
    errors.StoreError: errno.EIO,
    errors.VfsError: errno.EIO,
    errors.MountndError: errno.EIO,
    MemoryError: errno.ENOMEM,
}


def errno_of(error: BaseException) -> int:
    """The errno for `error`; EIO for everything unknown (a TimeoutError without errno included).

    An OSError of our own making never reaches a reader as it is: what the daemon's disk said is not what the
    reader's file did.
    """
    for kind in type(error).__mro__:
        if kind in _ERRNO:
            return _ERRNO[kind]
    return errno.EIO


def expected(error: BaseException) -> bool:
    """Whether `error` was raised on purpose: no traceback in the log."""
    return isinstance(error, errors.MountndError)
