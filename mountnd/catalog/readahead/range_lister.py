"""Lists a subtree without delimiter over key ranges side by side, and puts each directory on the shelf as it is passed.

Never more than the pages granted; the caller grants more as the walk comes on. A directory that
reaches out of a range is left out: it is listed by itself when it is wanted.

Lock order: `_TURN`, `Lister._lock`, `Workers._lock`; `keep` is called with `_TURN` alone.
"""

from __future__ import annotations

import threading
from bisect import bisect_right, insort
from collections.abc import Callable, Sequence

from ...stores.base import Page
from ...workers import Task
from ..cache.memory import Sent
from ..model.grouping import Disorder, Fold
from ..model.keys import order
from ..model.listing import Listing, complete
from ..requests import Requests
from .key_ranges import Range, before

# Ranges listed side by side: measured to be best by the prototype on two cores; more only queue for the parser.
PARALLEL = 6


# Pages are taken one at a time: the walk that waits for the first then shares the interpreter with one thread, not with
# five whose pages came with it (measured: 4 % of a cold `find`).
_TURN = threading.Lock()


class _Part:
    """A range being listed. `reached`: the last key come to, as bytes."""

    __slots__ = ("done", "fold", "high", "low", "reached", "sent", "start", "task", "token")

    def __init__(self, base: str, low: str, high: str) -> None:
        self.low, self.high = low, high
        self.start = order(low)
        self.fold = Fold(base, low)
        self.token: str | None = None
        self.reached = b""
        self.sent: Sent | None = None
        self.task: Task[None] | None = None
        self.done = False


class Lister:
    """One subtree.

    Args:
        base: its key prefix.
        ranges: what to list of it, in byte order.
        at_once: all of it is granted, so that a range is best listed from its beginning.
        sent: marks a request that is sent now.
        keep: takes (prefix, listing, stamp) of each directory that was passed.

    Attributes:
        pages, keys: requests answered and what they told. listed: directories put on the shelf, `children` of them
            right below `base`.
        failed: what ended it early, if anything did.
    """

    def __init__(
        self,
        requests: Requests,
        base: str,
        ranges: Sequence[Range],
        *,
        at_once: bool,
        sent: Callable[[], Sent],
        keep: Callable[[str, Listing, int], None],
    ) -> None:
        self.base, self._at_once = base, at_once
        self._requests, self._sent, self._keep = requests, sent, keep
        self._lock = threading.Lock()
        self._parts = [_Part(base, low, high) for low, high in ranges]
        self._next: list[_Part] = []
        self._granted = self._running = 0
        self.pages = self.keys = self.listed = self.children = 0
        self.failed: BaseException | None = None
        self.begun = sent()

    def need(self, prefix: str, grant: Callable[[int, int], int], *, now: bool = False) -> Task[None] | None:
        """The request that is about to pass the directory `prefix`; joined, started or, with `now`, begun right there.

        `grant(pages, listed)` is asked for more pages when all are used up, and may refuse with 0. None: this
        subtree's listing has passed the directory, or will not come to it.
        """
        raw = order(prefix)
        with self._lock:
            at = bisect_right(self._parts, raw, key=lambda part: part.start) - 1
            if self.failed is not None or at < 0:
                return None
            part = self._parts[at]
            if part.done or raw >= order(part.high):
                return None
            if raw <= part.reached:
                if not part.fold.holds(prefix):
                    return None
            elif raw > part.start and (now or (part.sent is None and not self._at_once)):
                part = self._cut(part, prefix)
            if part.task is None:
                if self._granted <= 0:
                    self._granted = grant(self.pages, self.listed)
                if self._granted <= 0:
                    return None
                self._start(part, demand=True)
                after = bisect_right(self._parts, part.start, key=lambda other: other.start)
                self._next = self._parts[after:] + self._parts[: after - 1]
                self._fill()
            return part.task

    def whole(self) -> bool:
        """Whether every range was listed to its end."""
        with self._lock:
            return all(part.done for part in self._parts)

    def idle(self) -> bool:
        """Whether no request is under way."""
        with self._lock:
            return not self._running

    def _cut(self, part: _Part, prefix: str) -> _Part:
        rest = _Part(self.base, prefix, part.high)
        part.high = prefix
        insort(self._parts, rest, key=lambda other: other.start)
        return rest

    def _start(self, part: _Part, *, demand: bool) -> None:
        part.sent = part.sent or self._sent()
        self._granted -= 1
        self._running += 1
        part.task = self._requests.submit(self._run, part, demand=demand)

    def _fill(self) -> None:
        while self._next and self._granted > 0 and self._running < PARALLEL:
            part = self._next.pop(0)
            if not part.done and part.task is None:
                self._start(part, demand=False)

    def _run(self, part: _Part) -> None:
        try:
            page = self._requests.list(
                self.base, delimiter="", token=part.token, start_after="" if part.token else before(part.low)
            )
            with _TURN:
                self._take(part, page)
        except BaseException as e:
            with self._lock:
                self.failed, part.task = e, None
                self._running -= 1
            raise

    def _take(self, part: _Part, page: Page) -> None:
        with self._lock:
            high_key = part.high
        high = order(high_key)
        if page.unshowable:
            raise Disorder(repr(page.unshowable[0]))  # listed by itself, its directory can report it
        inside = [stat for stat in page.objects if part.start <= order(stat.id.key) < high]
        over = bool(page.objects) and order(page.objects[-1].id.key) >= high
        part.fold.feed(inside)
        if over or page.token is None:
            part.fold.finish(high_key)
        closed, part.fold.closed = part.fold.closed, []
        assert part.sent is not None
        for prefix, found in closed:
            self._keep(prefix, complete(prefix, found, part.sent.at), part.sent.stamp)
        with self._lock:
            self.pages += 1
            self.keys += len(inside)
            self.listed += len(closed)
            self.children += sum(prefix.find("/", len(self.base)) == len(prefix) - 1 for prefix, _ in closed)
            self._running -= 1
            part.token, part.task = page.token, None
            if page.objects:
                part.reached = order(page.objects[-1].id.key)
            if over or page.token is None:
                part.done = True
            elif self.failed is None and self._granted > 0:
                self._start(part, demand=False)
            if self.failed is None:
                self._fill()
