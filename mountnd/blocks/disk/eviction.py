"""Which files of the disk cache go: least recently used first, by whole files. A pure policy.

Sizes in bytes, times in seconds since the epoch.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import NamedTuple


class CacheFile(NamedTuple):
    """A file of the cache: bytes it takes on disk, and when it was last used."""

    path: str
    bytes: int
    used: float


# Clocks of the machines that share a cache differ by less.
SKEW_S = 60.0


def victims(
    files: Iterable[CacheFile], excess: int, now: float = float("inf"), pinned: Collection[str] = ()
) -> list[CacheFile]:
    """The files to remove so that `excess` bytes come free, the longest unused first; all where that is too few. Those
    whose paths are `pinned` stay.

    What was used in the future, seen from `now`, was used under a wrong clock: it counts as longest unused.
    """
    chosen: list[CacheFile] = []
    for file in sorted(files, key=lambda f: (f.used <= now + SKEW_S, f.used, f.path)):
        if excess <= 0:
            break
        if file.path in pinned:
            continue
        chosen.append(file)
        excess -= file.bytes
    return chosen


def default_limit(free: int) -> int:
    """Bytes the cache may take where nobody said: 10 GiB, or a tenth of the `free` disk where that is less."""
    return min(10 << 30, free // 10)


def headroom(limit: int, taken: int, free: int, total: int) -> int:
    """Bytes that may still be added, below 0 where some must go: under the limit, with 5 % of the disk left free."""
    return min(limit - taken, free - total // 20)


def default_shared_limit(free: int) -> int:
    """Bytes a shared cache may take where nobody said: 1 TiB, or a tenth of the `free` disk where that is less."""
    return min(1 << 40, free // 10)


def shared_headroom(limit: int, taken: int, free: int, total: int) -> int:
    """As `headroom`, with 1 GiB of the disk left free or 5 % where that is less: it is not ours to keep empty."""
    return min(limit - taken, free - min(total // 20, 1 << 30))


def why_no_room(need: int, limit: int, pinned: int) -> str:
    """Why `need` bytes do not fit although all was evicted that may be: `pinned` ones of the `limit` are in the way, or
    the disk is full."""
    if need <= limit < need + pinned:
        return "what is pinned leaves no room under its limit; `mountnd cache unpin NAME` gives some back"
    return "less than 5 % of the disk is free"
