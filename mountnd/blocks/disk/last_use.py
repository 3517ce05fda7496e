"""When files of the disk cache were last used: by this process in memory, by all processes in the files' mtime.

Lock order: `LastUse._lock` is a leaf; no lock is held across I/O.
"""

from __future__ import annotations

import threading
import time

from cachetools import LRUCache

from . import directory
from .place import CacheDirectory

# The mtime carries the order of use across processes and restarts; once a minute is fine enough for it.
TOUCH_S = 60.0
REMEMBERED = 4096  # files whose use is known to the instant


class LastUse:
    """Times of last use of the files below the cache directory `root`, seconds since the epoch.

    Kept by the monotonic clock: the other one may be set back. `touch_s`: how fine the files' own times are.
    """

    def __init__(self, root: CacheDirectory, touch_s: float = TOUCH_S) -> None:
        self._root, self._touch_s = root, touch_s
        self._lock = threading.Lock()
        self._times: LRUCache[str, float] = LRUCache(REMEMBERED)

    def touch(self, name: str) -> None:
        """The file is used now."""
        now = time.monotonic()
        with self._lock:
            last = self._times.get(name, float("-inf"))
            self._times[name] = now
        if now - last > self._touch_s:
            directory.touch(self._root, name)

    def of(self, name: str) -> float:
        """When this process last used it, 0 if never."""
        with self._lock:
            used = self._times.get(name)
        return 0.0 if used is None else self._root.now() - (time.monotonic() - used)
