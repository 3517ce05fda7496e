"""Which files of the disk cache go: a pure policy."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple


class Held(NamedTuple):
    """A file of the cache: bytes it takes on disk, seconds since the epoch when it was last used."""

    path: str
    bytes: int
    used: float


def choose(files: Iterable[Held], excess: int) -> list[Held]:
    """The files to remove so that `excess` bytes come free, the longest unused first; all where that is too few."""
    victims: list[Held] = []
    for held in sorted(files, key=lambda h: (h.used, h.path)):
        if excess <= 0:
            break
        victims.append(held)
        excess -= held.bytes
    return victims


def default_limit(free: int) -> int:
    """Bytes the cache may take where nobody said: 10 GiB, or a tenth of the `free` disk where that is less."""
    return min(10 << 30, free // 10)


def room(limit: int, taken: int, free: int, total: int) -> int:
    """Bytes that may still be added, below 0 where some must go: under the limit, with 5 % of the disk left free."""
    return min(limit - taken, free - total // 20)
