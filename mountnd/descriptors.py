"""Open files and connections: the limit of this process, and what each part of a mount may take of it.

Where the limit is small (`ulimit -n 64`), fewer connections and cache files are open at once, and the rest waits or is
opened again, instead of failing at random.
"""

from __future__ import annotations

import errno
import logging
import resource
import weakref
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

log = logging.getLogger(__name__)

T = TypeVar("T")

# Kept for what is neither: the three streams, the log, /dev/fuse, the control socket and its clients, the event loop,
# segments of listings, and whatever a library opens for a moment.
_KEPT = 28
# Parts of the rest, of 16: connections for bytes, for names, files of the disk cache to read and to write.
_BYTES, _NAMES, _READ, _WRITE = 6, 3, 3, 2


# Methods that close what is open only to be used again. Held weakly: whoever has such things may go at any time.
_spares: set[weakref.WeakMethod[Any]] = set()


class Shares(NamedTuple):
    """How many descriptors each part may have open at once."""

    bytes: int
    names: int
    cache_files: int
    written_files: int


def raise_limit() -> None:
    """Raise the soft limit of open files to the hard one, which needs no right. Nothing here uses select(2)."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        except (OSError, ValueError) as e:
            log.info("the limit of %d open files stays: %s", soft, e)


def limit() -> int:
    """How many files this process may have open."""
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def shares(limit: int, most: Shares) -> Shares:
    """What each part may take under `limit`: at most `most`, at least 2. Pure."""
    spare = max(0, limit - _KEPT) if limit != resource.RLIM_INFINITY else 1 << 20
    parts = (_BYTES, _NAMES, _READ, _WRITE)
    return Shares(*(max(2, min(wanted, spare * part // 16)) for wanted, part in zip(most, parts, strict=True)))


def most_requests(limit: int, most: int) -> int:
    """How many requests of one kind, for names or for bytes, `limit` allows, at most `most`. Pure."""
    if limit == resource.RLIM_INFINITY:
        return most
    spare = max(0, limit - _KEPT)
    # The caches' files have their share; each kind gets half of the rest.
    return max(2, min(most, spare * (_BYTES + _NAMES) // 32))


def are_used_up(error: BaseException) -> bool:
    """Whether `error` says that no more files can be opened, by this process or by anybody."""
    return isinstance(error, OSError) and error.errno in (errno.EMFILE, errno.ENFILE)


def spare(close_idle: Callable[[], None]) -> None:
    """`close_idle`, a bound method, may be called from any thread when no descriptor is free for something else."""
    _spares.add(weakref.WeakMethod(close_idle, _spares.discard))


def opening(make: Callable[[], T]) -> T:
    """What `make` opens; where no descriptor is free for it, everything spare is closed and it is tried once more."""
    try:
        return make()
    except OSError as error:
        if not are_used_up(error):
            raise
    for method in _spares.copy():  # at once: it changes when somebody goes
        if close_idle := method():
            close_idle()
    return make()
