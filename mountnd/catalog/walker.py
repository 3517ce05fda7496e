"""Directory readahead: asks `walk` what to list, cuts it by `split`, and has `lister` do it.

Lock order: `Walker._lock` before `Shelf._lock` and `Lister._lock`; no request is waited for with it held.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from ..errors import StoreError
from ..stats import Stats
from .fold import Disorder
from .lister import Lister
from .listing import Listing
from .requests import Requests
from .shelf import PAGE, Shelf
from .split import cut, entries_a_range
from .walk import WHOLE_PAGES, Trail, Way, first_grant, most_pages, next_grant

# Subtrees being listed at a time; more programs than that hardly walk at once, and a forgotten one only
# costs its next reader a few requests.
LISTERS_MAX = 8

# How often one directory waits for a subtree's listing to pass it before it is listed by itself: for the page
# under way, for one that begins right at it, and for one more when it did not end on that.
ROUNDS = 3


class Walker:
    """Notices walks through one store and lists ahead of them.

    Args:
        wait: waits for a future as the calling thread must.
        keep: takes (prefix, listing, stamp) of directories that were completed.
        clock: monotonic seconds.
        limit_bytes: what the shelf holds at most.
    """

    def __init__(
        self,
        requests: Requests,
        shelf: Shelf,
        *,
        wait: Callable[[Future[Any]], Any],
        keep: Callable[[str, Listing, int], None],
        clock: Callable[[], float],
        stats: Stats,
        limit_bytes: int,
    ) -> None:
        self._requests, self._shelf, self._wait, self._keep = requests, shelf, wait, keep
        self._clock, self._stats = clock, stats
        self._lock = threading.Lock()
        self._trail = Trail(requests.store.root)
        self._listers: OrderedDict[str, tuple[Lister, int, float]] = OrderedDict()
        self._able, self._most = requests.store.flat, most_pages(limit_bytes)

    def scanned(self, prefix: str) -> None:
        """A directory was opened for reading."""
        with self._lock:
            self._trail.scanned(prefix, self._clock())

    def tried(self, prefix: str, keys: int, complete: bool) -> None:
        """A flat page of a subtree came."""
        with self._lock:
            self._trail.outcome(prefix, keys, complete)

    def arrive(self, prefix: str) -> Way:
        """A directory is wanted that is not known. When the subtree around is being listed, waits until that passes it.

        Returns how to list it if it still is not known. Raises Interrupted and TimedOut.
        """
        if not self._able:
            return Way.PAGE
        with self._lock:
            found = self._covering(prefix)
            if found is None:
                plan = self._trail.miss(prefix, self._clock(), lambda base: self._shelf.listing(base) is not None)
                if plan.way is not Way.WALK:
                    return plan.way
                found = self._begin(plan.base)
                if found is None:
                    return Way.PAGE
        self._follow(*found, prefix)
        return Way.PAGE

    def clear(self) -> None:
        """What is being listed is not to be waited for any more."""
        with self._lock:
            self._listers.clear()

    def _follow(self, lister: Lister, used_before: int, pages: float, prefix: str) -> None:
        def grant(done: int, listed: int) -> int:
            used = self._shelf.used - used_before
            return next_grant(done, listed, used, self._most) if done else first_grant(pages, self._most)

        for attempt in range(ROUNDS):
            task = lister.need(prefix, grant, now=attempt > 0)
            if task is None:
                break
            self._requests.promote(task)
            try:
                self._wait(task.future)
            except (StoreError, Disorder):
                break  # listed by itself, the directory will tell what is wrong
            if self._shelf.listing(prefix) is not None:
                return
        with self._lock:
            if isinstance(lister.failed, Disorder):
                self._able = False
            if lister.failed is not None or lister.whole():
                if lister.failed is None:
                    self._trail.whole(lister.base, lister.keys)
                # It has nothing more to tell, and what it told is gone: a new walk may begin here.
                if self._listers.get(lister.base, (None,))[0] is lister:
                    del self._listers[lister.base]

    def _covering(self, prefix: str) -> tuple[Lister, int, float] | None:
        for base in [base for base, found in self._listers.items() if not self._shelf.fresh(found[0].begun.at)]:
            del self._listers[base]
        bases = [base for base in self._listers if prefix.startswith(base) and prefix != base]
        if not bases:
            return None
        base = max(bases, key=len)
        self._listers.move_to_end(base)
        return self._listers[base]

    def _begin(self, base: str) -> tuple[Lister, int, float] | None:
        got = self._shelf.listing(base)
        if got is None:
            return None
        listing = got[0]
        keys = self._trail.keys_a_child(base)
        pages = len(listing) * keys / PAGE
        at_once = pages <= min(WHOLE_PAGES, self._most)

        def wanted(name: bytes) -> bool:
            child = base + name.decode("utf-8", "surrogateescape")
            return name.endswith(b"/") and not (self._trail.is_whole(child) and self._shelf.listing(child) is not None)

        ranges = cut(base, len(listing), listing.name, wanted, entries_a_range(len(listing), keys, at_once))
        if not ranges:
            return None
        self._stats.add("names.walks")
        lister = Lister(self._requests, base, ranges, at_once=at_once, sent=self._shelf.sent, keep=self._keep)
        self._listers[base] = lister, self._shelf.used, pages
        if len(self._listers) > LISTERS_MAX:
            self._listers.popitem(last=False)
        return self._listers[base]
