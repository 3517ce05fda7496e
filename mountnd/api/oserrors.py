"""Errors of ours as those that Python's own file functions raise: FileNotFoundError, PermissionError, ..."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager

from ..errors import MountndError
from ..fuse.errnos import errno_of

# What says no more than the error's class does.
_PLAIN = (errno.ENOENT, errno.EISDIR, errno.ENOTDIR)


def os_error(error: MountndError, path: str) -> OSError:
    """The OSError for `error`, about the file at `path`; its class follows from its errno, as Python has it."""
    number = errno_of(error)
    said = os.strerror(number)
    return OSError(number, said if number in _PLAIN else f"{said}: {error}", path)


def read_only(path: str) -> OSError:
    """What whoever wants to change something is told."""
    return OSError(errno.EROFS, os.strerror(errno.EROFS), path)


@contextmanager
def as_os_errors(path: str) -> Iterator[None]:
    """What is raised inside is raised as `os_error` has it."""
    try:
        yield
    except MountndError as e:
        raise os_error(e, path) from e
