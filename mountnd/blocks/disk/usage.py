"""How much the disk cache takes, for who watches it. Other mounts write there, too, so the directory is looked at."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from ...regular_file import UntrustedDirectory
from . import directory
from .place import CacheDirectory

# Not looked at again before this long, nor before so many times what the last look took: that is 1 % of a thread.
LEAST_S, TIMES = 10.0, 100


class DiskUsage:
    """The files below `root`, counted now and then. Safe to use from many threads. `clock`: monotonic seconds."""

    def __init__(self, root: CacheDirectory, clock: Callable[[], float] = time.monotonic) -> None:
        self._root, self._clock = root, clock
        self._turn = threading.Lock()  # a leaf, held by who looks; nobody waits for it
        self._next, self._bytes = float("-inf"), 0

    def bytes(self) -> int:
        """Bytes on disk, as of the last look; 0 where there is no directory, or none that may be used."""
        if self._turn.acquire(blocking=False):  # whoever comes meanwhile is told what was known before
            try:
                self._look()
            finally:
                self._turn.release()
        return self._bytes

    def _look(self) -> None:
        begun = self._clock()
        if begun < self._next:
            return
        try:
            self._bytes = sum(file.bytes for file in directory.scan(self._root))
        except UntrustedDirectory:
            self._bytes = 0
        now = self._clock()
        self._next = now + max(LEAST_S, TIMES * (now - begun))
