"""Directory readahead: asks the policy what to list, splits it into key ranges, and has it listed.

Lock order: `SubtreePrefetcher._lock` comes before those of the cache and of a `RangeLister`; no request is waited for
with it held.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import NamedTuple

from ...errors import StoreError
from ...stats import SUBTREE_LISTINGS, Stats
from ..cache.tiered import TieredCache
from ..model.grouping import OutOfOrder
from ..model.keys import PAGE_KEYS, sort_key
from ..requests import Requests
from ..waiting import Waiting
from .key_ranges import PARALLEL, entries_per_range, split
from .page_budget import PageBudget
from .policy import DESCENT_MAX, WHOLE_PAGES, AccessHistory, ListingMode, most_pages, parent
from .range_lister import RangeLister

# Subtrees being listed at a time; more programs than that hardly walk at once, and a forgotten one only
# costs its next reader a few requests.
SUBTREES_MAX = 8

# How often one directory waits for a subtree's listing to pass it before it is listed by itself: for the page
# under way, for one that begins right at it, and for one more when it did not end on that.
ROUNDS = 3


class Arrival(NamedTuple):
    """What became of a directory that was wanted and not known.

    Args:
        known: whether the listing of a subtree has told of it.
        flat: whether to list it without delimiter otherwise.
    """

    known: bool = False
    flat: bool = False


class _Subtree(NamedTuple):
    """A subtree being listed. `sample`: a page of each range only."""

    lister: RangeLister
    sample: bool


class SubtreePrefetcher:
    """Notices walks through one store and lists ahead of them.

    Args:
        root: key prefix of the tree's top.
        clock: monotonic seconds.
        limit_bytes: what the cache holds in memory at most.
    """

    def __init__(
        self,
        requests: Requests,
        cache: TieredCache,
        waiting: Waiting,
        stats: Stats,
        *,
        root: str,
        clock: Callable[[], float],
        limit_bytes: int,
    ) -> None:
        self._requests, self._cache, self._memory = requests, cache, cache.memory
        self._waiting, self._stats, self._clock = waiting, stats, clock
        self._lock = threading.Lock()
        self._history = AccessHistory(root)
        self._subtrees: OrderedDict[str, _Subtree] = OrderedDict()
        self._able = requests.flat and not requests.knows_names  # else there is nothing to save
        self._most_pages = most_pages(limit_bytes)

    def directory_read(self, prefix: str) -> None:
        """A directory was opened for reading."""
        with self._lock:
            self._history.directory_read(prefix, self._clock())

    def flat_page_listed(self, prefix: str, keys: int, complete: bool) -> None:
        """A flat page of a subtree came: its keys, and whether these were all."""
        with self._lock:
            self._history.flat_page_listed(prefix, keys, complete)

    def arrive(self, prefix: str, until: float) -> Arrival:
        """A directory is wanted that is not known. When the subtree around is being listed, waits until that passes it.

        Raises Interrupted, and TimedOut when the deadline `until` (monotonic seconds) has passed.
        """
        if not self._able:
            return Arrival()
        arrival = self._arrive_once(prefix, until)
        if arrival is not None:
            return arrival
        # A sample that did not reach so far has at least told how large the subtree is, and its directories: those that
        # a page does not hold are not listed flat.
        known, flat = self._arrive_once(prefix, until) or Arrival()
        return Arrival(known, flat and self._children_fit_a_page(parent(prefix)))

    def clear(self) -> None:
        """What is being listed is not to be waited for any more."""
        with self._lock:
            self._subtrees.clear()

    def _arrive_once(self, prefix: str, until: float) -> Arrival | None:
        """As `arrive`; None when a sample was taken that does not tell of the directory."""
        with self._lock:
            subtree = self._covering(prefix)
            if subtree is None:
                plan = self._history.plan(
                    prefix, self._clock(), lambda base: self._memory.fresh_listing(base) is not None, self._first_child
                )
                if plan.mode not in (ListingMode.SUBTREE, ListingMode.SAMPLE):
                    return Arrival(flat=plan.mode is ListingMode.FLAT and self._requests.may_list_flat(prefix))
                subtree = self._begin(plan.base, sample=plan.mode is ListingMode.SAMPLE)
                if subtree is None:
                    return Arrival()
        known = self._follow(subtree, prefix, until)
        return None if subtree.sample and not known else Arrival(known)

    def _follow(self, subtree: _Subtree, prefix: str, until: float) -> bool:
        """Wait until a subtree's listing has passed a directory; whether it is known now."""
        lister = subtree.lister
        for attempt in range(ROUNDS):
            task = lister.request_for(prefix, split=attempt > 0)
            if task is None:
                break
            self._requests.promote(task)
            try:
                self._waiting.wait(task.future, until)
            except (StoreError, OutOfOrder):
                break  # listed by itself, the directory will tell what is wrong
            if self._memory.fresh_listing(prefix) is not None:
                return True
        if subtree.sample:
            self._finish(lister, until)
        with self._lock:
            self._end(subtree)
        return self._memory.fresh_listing(prefix) is not None

    def _finish(self, lister: RangeLister, until: float) -> None:
        """Wait for the pages of a sample that are under way: its measure is not known before.

        They were asked for all at once. Without this wait, a walk that is quicker than the last of them would list
        its directories one by one meanwhile.
        """
        for task in lister.under_way():
            self._requests.promote(task)
            try:
                self._waiting.wait(task.future, until)
            except (StoreError, OutOfOrder):
                return

    def _end(self, subtree: _Subtree) -> None:
        """Drop a subtree that has nothing more to tell: what it told is known, or evicted, and a new one may begin."""
        lister = subtree.lister
        if isinstance(lister.failed, OutOfOrder):
            self._able = False
        if lister.failed is None and lister.is_complete():
            self._history.subtree_listed(lister.base, lister.keys)
        elif lister.failed is None and subtree.sample and not lister.under_way():
            self._history.subtree_sampled(lister.base, lister.keys / max(1, lister.children))
        elif lister.failed is None:
            return
        if self._subtrees.get(lister.base) is subtree:
            del self._subtrees[lister.base]

    def _covering(self, prefix: str) -> _Subtree | None:
        for base in [base for base, one in self._subtrees.items() if not self._memory.is_fresh(one.lister.begun.at)]:
            del self._subtrees[base]
        bases = [base for base in self._subtrees if prefix.startswith(base) and prefix != base]
        if not bases:
            return None
        base = max(bases, key=len)
        self._subtrees.move_to_end(base)
        return self._subtrees[base]

    def _children_fit_a_page(self, base: str) -> bool:
        with self._lock:
            return self._history.keys_per_child(base) <= PAGE_KEYS

    def _first_child(self, prefix: str) -> bool:
        """Whether a directory is the first of several in its parent, hidden ones aside, and these are not many."""
        base = parent(prefix)
        listing = self._memory.fresh_listing(base)
        if listing is None or listing.count > DESCENT_MAX:
            return False
        names = (listing.name(i) for i in range(listing.count))
        shown = (name for name in names if name.endswith(b"/") and not name.startswith(b"."))
        return next(shown, None) == sort_key(prefix[len(base) :]) and next(shown, None) is not None

    def _begin(self, base: str, *, sample: bool) -> _Subtree | None:
        listing = self._memory.fresh_listing(base)
        if listing is None or not self._requests.may_list_flat(base):
            return None
        keys = self._history.keys_per_child(base)
        pages = listing.count * keys / PAGE_KEYS
        at_once = sample or pages <= min(WHOLE_PAGES, self._most_pages)

        def wanted(name: bytes) -> bool:
            child = base + name.decode("utf-8", "surrogateescape")
            return name.endswith(b"/") and not (
                self._history.was_subtree_listed(child) and self._memory.fresh_listing(child) is not None
            )

        per_range = -(-listing.count // PARALLEL) if sample else entries_per_range(listing.count, keys, at_once)
        ranges = split(base, listing.count, listing.name, wanted, per_range)
        if not ranges:
            return None
        self._stats.add(SUBTREE_LISTINGS)
        budget = PageBudget(self._memory, pages=pages, most=self._most_pages, sample=sample)
        lister = RangeLister(self._requests, self._cache, base, ranges, at_once=at_once, budget=budget)
        subtree = self._subtrees[base] = _Subtree(lister, sample)
        if len(self._subtrees) > SUBTREES_MAX:
            self._subtrees.popitem(last=False)
        return subtree
