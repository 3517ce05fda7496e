"""How much may be written into the cache directory of one node: looked at now and then, and made by eviction.

Used by one thread at a time, but for `limit`, which anybody may read.
"""

from __future__ import annotations

import errno
import time
from collections.abc import Callable

from ...stats import DISK_EVICTED, Stats
from . import directory, eviction
from .last_use import LastUse
from .pins import Pins
from .place import CacheDirectory


class OwnRoom:
    """Of a directory that mounts of one node share; each looks for itself.

    Args:
        limit: None: `directory.default_limit`, found when needed.
        last_use: when this process last used which file.
    """

    def __init__(self, root: CacheDirectory, limit: int | None, stats: Stats, last_use: LastUse) -> None:
        self.limit = limit
        self._root, self._stats, self._last_use, self._pins = root, stats, last_use, Pins(root)
        self._allowed = 0  # bytes that may be written before the directory is looked at again

    def spend(self, n: int) -> None:
        self._allowed -= n

    def forget(self) -> None:
        self._allowed = 0

    def failed(self, error: OSError) -> None:
        """The next look tells how much is free."""

    def make(self, n: int, evicted: Callable[[str], object]) -> bool:
        """Whether `n` bytes may be written; evicts for them. Looks at the directory only now and then.

        Raises OSError, also where the disk has no room however much is evicted.
        """
        if n <= self._allowed:
            return True
        directory.make(self._root)
        if self.limit is None:
            self.limit = directory.default_limit(self._root)
        pinned = self._pins.chunks()
        files = [f._replace(used=max(f.used, self._last_use.of(f.path))) for f in directory.scan(self._root)]
        room = eviction.headroom(self.limit, sum(f.bytes for f in files), *directory.disk_space(self._root))
        # Other processes write too, each up to this much between two looks; so some room is left below the limit.
        step = max(self.limit // 32, min(n, self.limit))
        if room < n:
            for victim in eviction.victims(files, min(n + 2 * step, self.limit) - room, time.time(), pinned):
                evicted(victim.path)
                if directory.remove(self._root, victim.path):
                    self._stats.add(DISK_EVICTED, victim.bytes)
                room += victim.bytes
        self._allowed = min(room, step)
        if self._allowed < min(n, self.limit):  # not even with all gone that may go
            held = sum(f.bytes for f in files if f.path in pinned)
            raise OSError(errno.ENOSPC, eviction.why_no_room(n, self.limit, held))
        return n <= self._allowed
