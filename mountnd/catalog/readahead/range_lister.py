"""Lists a subtree without delimiter over key ranges side by side, and caches each directory as it is passed.

Never more than the pages granted; the budget grants more as the walk goes on. A directory that
reaches out of a range is left out: it is listed by itself when it is wanted.

Lock order: `_PAGE_TURN`, `RangeLister._lock`, `Workers._lock`; the cache is written with `_PAGE_TURN` alone.
"""

from __future__ import annotations

import os
import threading
from bisect import bisect_right, insort
from collections.abc import Sequence

from ...errors import Cancelled
from ...stores.base import ObjectStat, Page
from ...workers import Task
from ..cache.tiered import TieredCache
from ..model.answer import RequestMark
from ..model.grouping import Grouper, OutOfOrder
from ..model.keys import sort_key
from ..model.listing import listing_of
from ..requests import Requests
from .key_ranges import PARALLEL, KeyRange, key_before
from .page_budget import PageBudget

# Pages are processed one at a time: the walk that waits for the first then shares the interpreter with one thread, not
# with five whose pages came with it (measured: 4 % of a cold `find`).
_PAGE_TURN = threading.Lock()


def _begin_anew() -> None:
    """In a forked process: somebody may have held the lock."""
    global _PAGE_TURN
    _PAGE_TURN = threading.Lock()


os.register_at_fork(after_in_child=_begin_anew)


class _ListedRange:
    """A range being listed. `reached`: the last key that came, as bytes."""

    __slots__ = ("done", "grouper", "high", "low", "mark", "reached", "start", "task", "token")

    def __init__(self, base: str, low: str, high: str) -> None:
        self.low, self.high = low, high
        self.start = sort_key(low)
        self.grouper = Grouper(base, low)
        self.token: str | None = None
        self.reached = b""
        self.mark: RequestMark | None = None
        self.task: Task[None] | None = None
        self.done = False


def _start_of(listed: _ListedRange) -> bytes:
    return listed.start


class RangeLister:
    """One subtree.

    Args:
        base: its key prefix.
        ranges: what to list of it, in byte order.
        at_once: all of it is granted, so that a range is best listed from its beginning.
        budget: grants pages when all are used up.

    Attributes:
        begun: when the listing began.
        pages, keys: requests answered and what they told. listed: directories cached, `children` of them
            right below `base`.
        failed: what ended it early, if anything did.
    """

    def __init__(
        self,
        requests: Requests,
        cache: TieredCache,
        base: str,
        ranges: Sequence[KeyRange],
        *,
        at_once: bool,
        budget: PageBudget,
    ) -> None:
        self.base, self._at_once, self._budget = base, at_once, budget
        self._requests, self._cache = requests, cache
        self._lock = threading.RLock()  # again where a request is cancelled as soon as it is made: the mount closes
        self._ranges = [_ListedRange(base, low, high) for low, high in ranges]
        self._next: list[_ListedRange] = []
        self._granted = self._running = 0
        self.pages = self.keys = self.listed = self.children = 0
        self.failed: BaseException | None = None
        self.begun = cache.memory.mark()

    def request_for(self, prefix: str, *, split: bool = False) -> Task[None] | None:
        """The request that is about to pass the directory `prefix`, joined or started.

        None: this subtree's listing has passed the directory, or will not get to it.

        Args:
            split: begin a range right there when the one it lies in has not come so far.
        """
        raw = sort_key(prefix)
        with self._lock:
            at = bisect_right(self._ranges, raw, key=_start_of) - 1
            if self.failed is not None or at < 0:
                return None
            within = self._ranges[at]
            if within.done or raw >= sort_key(within.high):
                return None
            if raw <= within.reached:
                if not within.grouper.holds(prefix):
                    return None
            elif raw > within.start and (split or (within.mark is None and not self._at_once)):
                within = self._split(within, prefix)
            if within.task is None:
                if self._granted <= 0:
                    self._granted = self._budget.grant(self.pages, self.listed)
                if self._granted <= 0:
                    return None
                self._start(within, demand=True)
                after = bisect_right(self._ranges, within.start, key=_start_of)
                self._next = self._ranges[after:] + self._ranges[: after - 1]
                self._fill()
            return within.task

    def is_complete(self) -> bool:
        """Whether every range was listed to its end."""
        with self._lock:
            return all(listed.done for listed in self._ranges)

    def under_way(self) -> list[Task[None]]:
        """The requests under way, but for those of which another page has told."""
        with self._lock:
            return [listed.task for listed in self._ranges if listed.task is not None and not listed.done]

    def _split(self, within: _ListedRange, prefix: str) -> _ListedRange:
        rest = _ListedRange(self.base, prefix, within.high)
        within.high = prefix
        insort(self._ranges, rest, key=_start_of)
        return rest

    def _start(self, listed: _ListedRange, *, demand: bool) -> None:
        listed.mark = listed.mark or self._cache.memory.mark()
        self._granted -= 1
        self._running += 1
        listed.task = task = self._requests.submit(self._list_page, listed, demand=demand)
        task.future.add_done_callback(lambda future: self._cancelled(listed) if future.cancelled() else None)

    def _fill(self) -> None:
        while self._next and self._granted > 0 and self._running < PARALLEL:
            listed = self._next.pop(0)
            if not listed.done and listed.task is None:
                self._start(listed, demand=False)

    def _list_page(self, listed: _ListedRange) -> None:
        try:
            page = self._requests.list(
                self.base,
                delimiter="",
                token=listed.token,
                start_after="" if listed.token else key_before(listed.low),
            )
            with _PAGE_TURN:
                self._process(listed, page)
        except BaseException as e:
            with self._lock:
                listed.task = None
                self._running -= 1
                if not listed.done:
                    self.failed = e
                elif self.failed is None:
                    self._fill()
            raise

    def _cancelled(self, listed: _ListedRange) -> None:
        """All who waited for it had left before it began, or another page has told of it."""
        with self._lock:
            listed.task = None
            self._running -= 1
            if not listed.done:
                self.failed = self.failed or Cancelled(f"{self.base}: not wanted any more")

    def _process(self, listed: _ListedRange, page: Page) -> None:
        with self._lock:
            if listed.done:  # another page has told of it
                listed.task = None
                self._running -= 1
                return
            high_key = listed.high
        high = sort_key(high_key)
        if page.unshowable or page.hidden:
            raise OutOfOrder(repr((*page.unshowable, *page.hidden)[0]))  # listed by itself, its directory can report it
        if page.objects and sort_key(page.objects[0].id.key) <= listed.reached:
            raise OutOfOrder(page.objects[0].id.key)  # the same page again, however it was asked for
        ends = [sort_key(stat.id.key) for stat in (*page.objects[:1], *page.objects[-1:])]
        beyond = bool(ends) and ends[-1] >= high
        inside = page.objects  # all of them, if both ends are: the grouper looks at their order
        if ends and (beyond or ends[0] < listed.start):
            inside = [stat for stat in inside if listed.start <= sort_key(stat.id.key) < high]
        listed.grouper.feed(inside)
        if beyond or page.token is None:
            listed.grouper.finish(high_key)
        assert listed.mark is not None
        self._keep(listed, inside, listed.mark)
        with self._lock:
            self.pages += 1
            self._running -= 1
            listed.token, listed.task = page.token, None
            if page.objects:
                listed.reached = sort_key(page.objects[-1].id.key)
            if beyond or page.token is None:
                listed.done = True
            elif self.failed is None and self._granted > 0:
                self._start(listed, demand=False)
        if beyond or page.token is None:
            self._tell_next(listed, page)
        with self._lock:
            if self.failed is None:
                self._fill()

    def _keep(self, listed: _ListedRange, keys: Sequence[ObjectStat], mark: RequestMark) -> None:
        """Cache the directories of a range that are complete, and count them and the keys that came for it."""
        completed, listed.grouper.completed = listed.grouper.completed, []
        for prefix, contents in completed:
            self._cache.put(prefix, listing_of(contents, mark.at), mark.serial)
        with self._lock:
            self.keys += len(keys)
            self.listed += len(completed)
            self.children += sum(prefix.find("/", len(self.base)) == len(prefix) - 1 for prefix, _ in completed)

    def _tell_next(self, listed: _ListedRange, page: Page) -> None:
        """A page goes on behind its range. What it tells whole of those that follow need not be waited for: of a small
        subtree it tells everything, before other connections are open."""
        assert listed.mark is not None
        last = sort_key(page.objects[-1].id.key) if page.objects else b""
        with self._lock:
            following = self._ranges[bisect_right(self._ranges, listed.start, key=_start_of) :]
        for one in following:
            with self._lock:
                high_key = one.high
                high = sort_key(high_key)
                if one.done or one.reached or one.token or not (page.token is None or last >= high):
                    return
            inside = [stat for stat in page.objects if one.start <= sort_key(stat.id.key) < high]
            try:
                one.grouper.feed(inside)
            except OutOfOrder as e:  # what came for this page's own range is good
                with self._lock:
                    self.failed = self.failed or e
                return
            one.grouper.finish(high_key)
            self._keep(one, inside, listed.mark)
            with self._lock:
                one.done, task = True, one.task
            if task is not None:
                task.cancel()
