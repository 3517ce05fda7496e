"""How much may be written into a directory that nodes share: allowances from one ledger, and one evictor at a time.

Used by one thread at a time, but for `limit`, which anybody may read.
"""

from __future__ import annotations

import errno
import re
import time
from collections.abc import Callable

from ...stats import SHARED_EVICTED, Stats
from . import directory, eviction
from .ledger import Ledger
from .place import CacheDirectory

# An allowance: so much of the limit, and at most so many bytes. A hundred nodes hold less than half of the limit.
STEP_PART, STEP_MOST = 256, 256 << 20
# Whoever evicts makes so much of the limit free at once: all files are looked at for it.
SLACK_PART = 16
# Another has the ledger for milliseconds, or for as long as it evicts: how often and how soon to ask again, and how
# long not to. What comes then is not written.
TRIES, PAUSE_S, AGAIN_S = 60, 0.03, 1.0
# What a crash left of a ledger, or of a folder, that was being made.
_TEMPORARY = re.compile(r"\.(ledger\.[0-9a-f]{8}|[0-9a-f]{16})\.tmp")


class SharedRoom:
    """Of the directory `root`.

    Args:
        limit: None: `eviction.default_shared_limit`, found when needed.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        root: CacheDirectory,
        limit: int | None,
        stats: Stats,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.limit = limit
        self._root, self._stats, self._clock = root, stats, clock
        self._ledger = Ledger(root, clock)
        self._allowed = 0
        self._again = float("-inf")
        self._was_full = False

    def make(self, n: int, evicted: Callable[[str], object]) -> bool:
        """Whether `n` bytes may be written. Where another evicts, nothing is: False. Raises OSError."""
        if n <= self._allowed:
            return True
        if (self.limit is not None and n > self.limit) or self._clock() < self._again:
            return False
        if not self._acquire():
            self._again = self._clock() + AGAIN_S
            return False
        try:
            self._allowed += self._granted(n, evicted)
        finally:
            self._ledger.release()
        return n <= self._allowed

    def _acquire(self) -> bool:
        for _ in range(TRIES):
            if self._ledger.acquire():
                return True
            time.sleep(PAUSE_S)
        return False

    def collect(self) -> tuple[int, int] | None:
        """Remove what is above the limit, and what crashes left; bytes that are taken then, and that came free. None
        where another evicts just now. Raises OSError."""
        if not self._ledger.acquire():
            return None
        try:
            before = sum(file.bytes for file in directory.scan(self._root))
            if self.limit is None:
                self.limit = default_limit(self._root)
            taken = self._evict(0, is_full=False, evicted=lambda name: None)
            self._ledger.write(taken)
            return taken, max(0, before - taken)
        finally:
            self._ledger.release()

    def spend(self, n: int) -> None:
        self._allowed -= n

    def forget(self) -> None:
        self._allowed = 0

    def failed(self, error: OSError) -> None:
        """The disk or somebody's quota is full: make room before the next write, whatever the limit is."""
        self._was_full |= error.errno in (errno.ENOSPC, errno.EDQUOT)

    def _granted(self, n: int, evicted: Callable[[str], object]) -> int:
        """An allowance of `n` bytes and some more, which counts from now on."""
        if self.limit is None:
            self.limit = default_limit(self._root)
        step = max(min(self.limit // STEP_PART, STEP_MOST), n)
        taken, space = self._ledger.read(), directory.disk_space(self._root)
        is_full = self._was_full
        if taken is None or is_full or eviction.shared_headroom(self.limit, taken, *space) < step:
            taken = self._evict(step, is_full=is_full, evicted=evicted)
            self._was_full = False
        room = eviction.shared_headroom(self.limit, taken, *directory.disk_space(self._root))
        granted = min(step, room)
        if granted < n:
            if n <= self.limit - taken:
                raise OSError(errno.ENOSPC, "its disk is full")
            return 0
        self._ledger.write(taken + granted)
        return granted

    def _evict(self, step: int, *, is_full: bool, evicted: Callable[[str], object]) -> int:
        """Look at all files, and remove those used longest ago where there is no room for `step`; what they take."""
        assert self.limit is not None
        files = []
        for file in directory.scan(self._root):
            files.append(file)
            if not self._ledger.beat():
                raise OSError(errno.EAGAIN, "another evicts")
        self._clean()
        taken = sum(file.bytes for file in files)
        room = eviction.shared_headroom(self.limit, taken, *directory.disk_space(self._root))
        slack = max(self.limit // SLACK_PART, 2 * step)
        if room >= step and not is_full:
            return taken
        excess = min(slack + step, self.limit) - (min(room, 0) if is_full else room)
        for victim in eviction.victims(files, excess, self._root.now()):
            evicted(victim.path)
            if directory.remove(self._root, victim.path):
                self._stats.add(SHARED_EVICTED, victim.bytes)
                taken -= victim.bytes
            if not self._ledger.beat():
                break
        return taken

    def _clean(self) -> None:
        """Remove what crashes left unfinished at the top."""
        held, now = self._root.held(), self._root.now()
        for entry in held.entries():
            if not _TEMPORARY.fullmatch(entry.name):
                continue
            if abs(now - entry.stat(follow_symlinks=False).st_mtime) > directory.ABANDONED_S:
                held.remove(entry.name)


def default_limit(root: CacheDirectory) -> int:
    """The limit where nobody set one. What the cache holds already counts as free."""
    free, _ = directory.disk_space(root)
    return eviction.default_shared_limit(free + sum(file.bytes for file in directory.scan(root)))
