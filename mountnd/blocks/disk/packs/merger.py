"""When packs are merged, and by whom: one node at a time, some seconds after there are too many of them.

A merge takes no allowance (`Room`): what it makes is no larger than what goes for it.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from ....stats import SHARED_MERGED, Stats
from ..base import TierCounters
from ..exclusive_lease import ExclusiveLease
from ..place import CacheDirectory
from .format import FOLDER
from .index import PackIndex
from .merging import LIMIT_PART, MERGED, PackSize, merge, to_merge

log = logging.getLogger(__name__)

LEASE = "packs.lease"
# After a merge, or where another node merges: how long until the next. And where it has failed.
AGAIN_S, FAILED_S = 5.0, 60.0


class Merger:
    """Of the packs below `root`. Safe to use from many threads.

    Args:
        limit: bytes that the directory may take; None: not known yet.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        root: CacheDirectory,
        index: PackIndex,
        stats: Stats,
        counters: TierCounters,
        limit: Callable[[], int | None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._root, self._index, self._limit, self._clock = root, index, limit, clock
        self._stats, self._counters = stats, counters
        self._lease = ExclusiveLease(root, LEASE, clock)
        self._turn = threading.Lock()  # held by who merges; nobody waits for it
        self._again = float("-inf")
        self._closed = False

    def close(self) -> None:
        """End what is under way, without a trace, and begin nothing."""
        self._closed = True

    @property
    def is_due(self) -> bool:
        """Whether there are too many packs, as far as is known."""
        return not self._closed and self._clock() >= self._again and bool(self._groups())

    def run(self) -> bool:
        """Make few packs of many, unless another node does; whether there are more to merge. Raises OSError."""
        if self._closed or not self._turn.acquire(blocking=False):
            return False
        try:
            self._again = self._clock() + AGAIN_S
            if not self._lease.acquire():
                return False
            try:
                self._merge()
            finally:
                self._lease.release()
            return bool(self._groups())
        except OSError as e:
            self._again = max(self._again, self._clock() + FAILED_S)
            log.info("%s/%s: packs are not merged: %s", self._root.path, FOLDER, e.strerror or e)
            raise
        finally:
            self._turn.release()

    def _groups(self) -> list[list[str]]:
        limit = self._limit()
        most = MERGED if limit is None else min(MERGED, limit // LIMIT_PART)
        sizes = (PackSize(pack.name, pack.bytes, len(pack.entries), pack.mode) for pack in self._index.packs)
        return to_merge(sizes, most)

    def _merge(self) -> None:
        self._index.expire()
        self._index.refresh()  # another may just have done it
        for names in self._groups():
            done = merge(self._root.held(), names, self._root.now(), go_on=self._goes_on)
            for pack in done.made:
                self._index.add(pack)
            for name in done.gone:
                self._index.forget(name)
            self._stats.add(SHARED_MERGED, len(done.gone) - len(done.kept))
            if done.damaged:
                self._stats.add(self._counters.damaged, done.damaged)
                log.info("%s/%s: %d damaged records were dropped", self._root.path, FOLDER, done.damaged)
            if done.kept:  # each merge would make another copy of what they hold
                self.close()
                log.info("%s/%s: packs of others cannot be removed, and are not merged", self._root.path, FOLDER)
                return

    def _goes_on(self) -> bool:
        return not self._closed and self._lease.beat()
