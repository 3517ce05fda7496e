"""One directory listed page by page, by as many readers as come, in memory that does not grow with it.

While the pages are few all are kept, and together they become a `Listing`. Past a limit the directory
is huge: the last few pages are kept, and of the others only the token that fetches them again, so
that `seekdir` works without a snapshot.

The first page may be listed flat, without delimiter: it then tells of the directories below, too, and
when the subtree has no more keys than fit a page, of everything there is.

Entries come in the store's order, but for one thing: a file `x` is held back until it is sure that no
directory `x/` follows (`names.undecided`), for then the directory wins.

Lock order: `Pager._lock` is a leaf.
"""

from __future__ import annotations

import threading
from array import array
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Callable
from typing import NamedTuple

from ...stores.base import ObjectStat, Page
from ...workers import Task
from ..cache.memory import Sent
from ..model.grouping import Disorder, Fold
from ..model.keys import Found, Hidden, order, shadowed, sort_out, undecided
from ..model.listing import HIDDEN_MAX, Listing, joined
from ..model.table import Rows, pack, packed
from ..requests import Requests

# Pages of a huge directory kept for its readers: the one being read, the next, and two for a reader
# who is a little behind.
HELD_PAGES = 4


class _From(NamedTuple):
    token: str | None = None
    start_after: str = ""


class _Got(NamedTuple):
    """An answer, whichever way it was asked for. `last`: the last key or prefix in it, less the directory's."""

    found: Found
    following: _From | None
    last: bytes


_Files = tuple[tuple[bytes, ObjectStat], ...]


class Pager:
    """The listing of the key prefix `prefix`, under way.

    Args:
        sent: when it began.
        keep_bytes: from this size on the directory is huge.
        done: called once on a worker when the listing is complete; not for a huge directory.
        more: called on a worker when the first page came and was not all.
        flat: called on a worker with (keys, whether these were all, completed directories below) of a flat first
            page; None lists with delimiter from the start.

    Attributes:
        listing: the complete listing once there is one.
        hidden, more_hidden: reports so far, as in `Listing`.
        marker: stat of the directory's marker once seen.
        readers: how many read or wait (counted by the catalogue under its own lock).
    """

    def __init__(
        self,
        requests: Requests,
        prefix: str,
        *,
        sent: Sent,
        keep_bytes: int,
        done: Callable[[Pager], None],
        more: Callable[[Pager], None] = lambda _: None,
        flat: Callable[[int, bool, list[tuple[str, Found]]], None] | None = None,
    ) -> None:
        self.prefix, self.sent, self.readers = prefix, sent, 0
        self._requests, self._keep, self._done, self._more, self._flat = requests, keep_bytes, done, more, flat
        self._lock = threading.Lock()
        self._from: list[_From] = [_From()]  # by page: what fetches it
        self._carried: list[_Files] = [()]  # by page: files of earlier pages that are decided on here
        self._starts = array("Q", [0])  # by page: how many entries came before it
        self._ended = False
        self._flights: dict[int, Task[Rows]] = {}
        self._held: OrderedDict[int, Rows] = OrderedDict()
        self._bytes = 0
        self._last = b""  # where the first page ended
        self._sorted = True  # whether the first page came in byte order, as S3 promises
        self._again = b""  # a directory that a flat first page had come to, which the next page may tell again
        self.huge = False
        self.listing: Listing | None = None
        self.hidden: list[Hidden] = []
        self.more_hidden = 0
        self.marker: ObjectStat | None = None

    def place(self, offset: int) -> tuple[int, int]:
        """(page, index in it) of an entry's offset, which a reader was given before."""
        with self._lock:
            page = bisect_right(self._starts, offset) - 1
            return page, offset - self._starts[page]

    def start(self, page: int) -> int | None:
        """Offset of a page's first entry, None when there is no such page (ask only up to one past the last got)."""
        with self._lock:
            return self._starts[page] if page < len(self._starts) and not self._past_end(page) else None

    def held(self, page: int) -> Rows | None:
        """A page that is in memory."""
        with self._lock:
            return self._held.get(page)

    def fetch(self, page: int, *, demand: bool = True) -> Task[Rows] | None:
        """The request for a page, joined or started; None when it is there or past the end."""
        with self._lock:
            if page in self._held or page >= len(self._from) or self._past_end(page):
                return None
            task = self._flights.get(page)
            if task is None:
                task = self._flights[page] = self._requests.submit(self._fetch, page, demand=demand)
                return task
        if demand:
            self._requests.promote(task)
        return task

    @property
    def begun(self) -> bool:
        """Whether the first page has come."""
        with self._lock:
            return self._ended or len(self._from) > 1

    def decide(self, name: bytes) -> tuple[bool, Rows | None, int]:
        """Whether the first page (of a sorted listing) settles what `name` is; where it shows it, page and row."""
        with self._lock:
            rows = self._held.get(0)
            if rows is None:
                return False, None, 0
            for spelled in (name, name + b"/"):
                if (i := rows.find(spelled)) is not None:
                    return True, rows, i
            if self._ended and len(self._from) == 1:
                return True, None, 0
            return self._sorted and not undecided(name, self._last), None, 0

    def _past_end(self, page: int) -> bool:
        return self._ended and page >= len(self._from)

    def _fetch(self, page: int) -> Rows:
        try:
            with self._lock:
                where, carried = self._from[page], self._carried[page]
            got = self._get_flat() if page == 0 and self._flat is not None else None
            rows = self._take(page, got or self._get(where, page), carried)
        finally:
            with self._lock:
                self._flights.pop(page, None)
        if self.listing is not None:
            self._done(self)
        elif page == 0:
            self._more(self)
        return rows

    def _get(self, where: _From, page: int) -> _Got:
        answer = self._requests.list(self.prefix, token=where.token, start_after=where.start_after)
        found = sort_out(self.prefix, answer.objects, answer.prefixes, answer.unshowable)
        if page == 0:
            keys = [order(stat.id.key) for stat in answer.objects]
            self._sorted = keys == sorted(keys) and answer.prefixes == sorted(answer.prefixes, key=order)
        if page == 1:
            found.rows.pop(self._again, None)
        following = None if answer.token is None else _From(answer.token)
        return _Got(found, following, _last(answer)[len(order(self.prefix)) :])

    def _get_flat(self) -> _Got | None:
        """The first page without delimiter; None when its keys are no good for that."""
        assert self._flat is not None
        answer = self._requests.list(self.prefix, delimiter="")
        fold = Fold(self.prefix, self.prefix)
        try:
            fold.feed(answer.objects)
        except Disorder:
            return None
        if answer.unshowable or (answer.token is not None and not answer.objects):
            return None
        complete = answer.token is None
        last = answer.objects[-1].id.key if answer.objects else self.prefix
        fold.finish(None if complete else last)
        found = next(found for prefix, found in [*fold.closed, *fold.partial] if prefix == self.prefix)
        self._flat(len(answer.objects), complete, [(p, below) for p, below in fold.closed if p != self.prefix])
        following = None
        if not complete:
            segment, slash, _ = last[len(self.prefix) :].partition("/")
            # Go on behind the directory that the page ended in: its "/" and one of the last characters there are.
            following = _From(start_after=f"{self.prefix}{segment}/\ufffd" if slash else last)
            self._again = order(segment) + b"/" if slash else b""
        return _Got(found, following, order(last)[len(order(self.prefix)) :])

    def _take(self, page: int, got: _Got, carried: _Files) -> Rows:
        found, last = got.found, got.last
        files = {name: stat for name, stat in carried if name not in found.rows} | found.rows
        hidden = list(found.hidden)
        shown: list[tuple[bytes, ObjectStat | None]] = []
        held_back: list[tuple[bytes, ObjectStat]] = []
        for name in sorted(files):
            stat = files[name]
            if stat is not None and name + b"/" in files:
                hidden.append(shadowed(self.prefix, stat))
            elif stat is not None and got.following is not None and undecided(name, last):
                held_back.append((name, stat))
            else:
                shown.append((name, stat))
        rows = pack(packed(*row) for row in shown)
        with self._lock:
            if page == len(self._from) - 1 and not self._ended:
                self._append(page, rows, hidden, found.marker, got.following, tuple(held_back), last)
            self._hold(page, rows)
            if self._ended and not self.huge and self.listing is None and len(self._held) == len(self._from):
                chunks = joined(self._held[p] for p in sorted(self._held))
                self.listing = Listing(chunks, self.hidden, self.marker, self.sent.at, self.more_hidden)
        return rows

    def _append(
        self,
        page: int,
        rows: Rows,
        hidden: list[Hidden],
        marker: ObjectStat | None,
        following: _From | None,
        held_back: _Files,
        last: bytes,
    ) -> None:
        if page == 0:
            self._last = last
        hidden = [report for report in hidden if report not in self.hidden[-1:]]
        room = HIDDEN_MAX - len(self.hidden)
        self.hidden.extend(hidden[:room])
        self.more_hidden += len(hidden[room:])
        self.marker = marker or self.marker
        if following is None:
            self._ended = True
            return
        self._from.append(following)
        self._carried.append(held_back)
        self._starts.append(self._starts[-1] + rows.count)

    def _hold(self, page: int, rows: Rows) -> None:
        if page not in self._held:
            self._held[page] = rows
            self._bytes += len(rows.blob)
        self._held.move_to_end(page)
        self.huge = self.huge or self._bytes > self._keep
        while self.huge and len(self._held) > HELD_PAGES:
            self._held.popitem(last=False)


def _last(page: Page) -> bytes:
    """The last entry of a page, in the store's order."""
    ends = [order(stat.id.key) for stat in page.objects[-1:]] + [order(prefix) for prefix in page.prefixes[-1:]]
    return max(ends, default=b"")
