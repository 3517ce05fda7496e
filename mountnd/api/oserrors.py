"""Errors of ours as those that Python's own file functions raise: FileNotFoundError, PermissionError, ..."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager

from ..errors import MountndError, NotFound, VfsError
from ..fuse.errnos import errno_of


def os_error(error: MountndError, path: str) -> OSError:
    """The OSError for `error`, about the file at `path`; its class follows from its errno, as Python has it."""
    number = errno_of(error)
    said = os.strerror(number)
    plain = isinstance(error, VfsError) or (isinstance(error, NotFound) and not error.code)  # it says no more
    return OSError(number, said if plain else f"{said}: {error}", path)


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
