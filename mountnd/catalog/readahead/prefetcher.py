"""Directory readahead: asks `walk` what to list, cuts it by `split`, and has `lister` do it.

Lock order: `Walker._lock` before `Shelf._lock` and `Lister._lock`; no request is waited for with it held.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, NamedTuple

from ...errors import StoreError
from ...stats import Stats
from ..cache.memory import PAGE, Shelf
from ..model.grouping import Disorder
from ..model.keys import order
from ..model.listing import Listing
from ..requests import Requests
from .key_ranges import cut, entries_a_range
from .policy import DESCENT_MAX, WHOLE_PAGES, Trail, Way, first_grant, most_pages, next_grant, parent
from .range_lister import PARALLEL, Lister

# Subtrees being listed at a time; more programs than that hardly walk at once, and a forgotten one only
# costs its next reader a few requests.
LISTERS_MAX = 8

# How often one directory waits for a subtree's listing to pass it before it is listed by itself: for the page
# under way, for one that begins right at it, and for one more when it did not end on that.
ROUNDS = 3


class _Walk(NamedTuple):
    """A subtree being listed. `used_before`: directories of use before it; `pages`: how many it is thought to be."""

    lister: Lister
    used_before: int
    pages: float
    sample: bool


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
        self._walks: OrderedDict[str, _Walk] = OrderedDict()
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
        way = self._come(prefix)
        # A sample that did not reach so far has at least told how large the subtree is.
        return self._come(prefix) if way is Way.SAMPLE else way

    def _come(self, prefix: str) -> Way:
        with self._lock:
            found = self._covering(prefix)
            if found is None:
                plan = self._trail.miss(
                    prefix, self._clock(), lambda base: self._shelf.listing(base) is not None, self._leads
                )
                if plan.way not in (Way.WALK, Way.SAMPLE):
                    return plan.way
                found = self._begin(plan.base, sample=plan.way is Way.SAMPLE)
                if found is None:
                    return Way.PAGE
        self._follow(found, prefix)
        return Way.SAMPLE if found.sample and self._shelf.listing(prefix) is None else Way.PAGE

    def clear(self) -> None:
        """What is being listed is not to be waited for any more."""
        with self._lock:
            self._walks.clear()

    def _follow(self, walk: _Walk, prefix: str) -> None:
        lister = walk.lister

        def grant(done: int, listed: int) -> int:
            if walk.sample:
                return 0 if done else PARALLEL
            used = self._shelf.used - walk.used_before
            return next_grant(done, listed, used, self._most) if done else first_grant(walk.pages, self._most)

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
            self._end(walk)

    def _end(self, walk: _Walk) -> None:
        """Let go of a walk that has nothing more to tell: what it told is known, or gone, and a new one may begin."""
        lister = walk.lister
        if isinstance(lister.failed, Disorder):
            self._able = False
        if lister.failed is None and lister.whole():
            self._trail.whole(lister.base, lister.keys)
        elif lister.failed is None and walk.sample and lister.idle():
            self._trail.sampled(lister.base, lister.keys / max(1, lister.children))
        elif lister.failed is None:
            return
        if self._walks.get(lister.base) is walk:
            del self._walks[lister.base]

    def _covering(self, prefix: str) -> _Walk | None:
        for base in [base for base, walk in self._walks.items() if not self._shelf.fresh(walk.lister.begun.at)]:
            del self._walks[base]
        bases = [base for base in self._walks if prefix.startswith(base) and prefix != base]
        if not bases:
            return None
        base = max(bases, key=len)
        self._walks.move_to_end(base)
        return self._walks[base]

    def _leads(self, prefix: str) -> bool:
        """Whether a directory is the first of several in its parent, hidden ones aside, and these are not many."""
        base = parent(prefix)
        got = self._shelf.listing(base)
        if got is None or len(got[0]) > DESCENT_MAX:
            return False
        names = (got[0].name(i) for i in range(len(got[0])))
        shown = (name for name in names if name.endswith(b"/") and not name.startswith(b"."))
        return next(shown, None) == order(prefix[len(base) :]) and next(shown, None) is not None

    def _begin(self, base: str, *, sample: bool) -> _Walk | None:
        got = self._shelf.listing(base)
        if got is None:
            return None
        listing = got[0]
        keys = self._trail.keys_a_child(base)
        pages = len(listing) * keys / PAGE
        at_once = sample or pages <= min(WHOLE_PAGES, self._most)

        def wanted(name: bytes) -> bool:
            child = base + name.decode("utf-8", "surrogateescape")
            return name.endswith(b"/") and not (self._trail.is_whole(child) and self._shelf.listing(child) is not None)

        a_range = -(-len(listing) // PARALLEL) if sample else entries_a_range(len(listing), keys, at_once)
        ranges = cut(base, len(listing), listing.name, wanted, a_range)
        if not ranges:
            return None
        self._stats.add("names.walks")
        lister = Lister(self._requests, base, ranges, at_once=at_once, sent=self._shelf.sent, keep=self._keep)
        self._walks[base] = _Walk(lister, self._shelf.used, pages, sample)
        if len(self._walks) > LISTERS_MAX:
            self._walks.popitem(last=False)
        return self._walks[base]
