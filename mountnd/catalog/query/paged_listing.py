"""One directory listed page by page, by as many readers as come, in memory that does not grow with it.

While the pages are few all are kept, and together they become a `Listing`. Past a limit the directory
is huge: the last few pages are kept, and of the others only the token that fetches them again, so
that `seekdir` works without a snapshot.

The first page may be listed flat, without delimiter: it then tells of the directories below, too, and
when the subtree has no more keys than fit a page, of everything there is.

Entries come in the store's order, but for one thing: a file `x` is held back until it is sure that no
directory `x/` follows (`keys.directory_may_follow`), for then the directory wins.

Lock order: `PagedListing._lock` is a leaf but for the workers'; the observer is called without it.
"""

from __future__ import annotations

import threading
from array import array
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Hashable
from typing import NamedTuple, Protocol

from ...errors import BadAnswer, Forbidden
from ...stores.base import ObjectStat
from ...stores.paging import goes_back
from ...workers import Task
from ..model.answer import RequestMark
from ..model.grouping import Directory, Grouper, OutOfOrder
from ..model.keys import Contents, Hidden, PageContents, directory_may_follow, read_page, resolve, sort_key
from ..model.listing import HIDDEN_MAX, Listing, join_pages
from ..model.table import Table, tabulate
from ..requests import Requests

# Pages of a huge directory kept for its readers: the one being read, the next, and two for a reader
# who is a little behind.
HELD_PAGES = 4


class _Start(NamedTuple):
    """Where a page starts: what fetches it, and the `PageContents.last` of the page before."""

    token: str | None = None
    start_after: str = ""
    last: bytes = b""


_Files = tuple[tuple[bytes, ObjectStat], ...]


class FlatPage(NamedTuple):
    """A flat first page: how many keys, whether these were all, and the directories below that it completes."""

    keys: int
    complete: bool
    below: list[Directory]


class ListingObserver(Protocol):
    """Whoever wants to know how a listing goes on. Called on workers' threads."""

    def completed(self, paged: PagedListing) -> None:
        """All pages came; called once, and not for a huge directory."""

    def first_page_of_several(self, paged: PagedListing) -> None:
        """The first page came and was not all."""

    def flat_page(self, paged: PagedListing, page: FlatPage) -> None:
        """A flat first page came."""


class Verdict(NamedTuple):
    """Whether the first page decides what a name is; where it shows the name, page and row."""

    decided: bool
    table: Table | None = None
    row: int = 0


class PagedListing:
    """The listing of the key prefix `prefix`, under way.

    Args:
        mark: of its first request.
        keep_bytes: from this size on the directory is huge.
        flat: list the first page without delimiter.

    Attributes:
        listing: the complete listing once there is one.
        hidden, more_hidden: reports so far, as in `Listing`.
        marker: stat of the directory's marker once seen.
        readers: how many read or wait (counted by `OpenListings` under its own lock).
    """

    def __init__(
        self,
        requests: Requests,
        prefix: str,
        *,
        mark: RequestMark,
        keep_bytes: int,
        flat: bool,
        observer: ListingObserver,
    ) -> None:
        self.prefix, self.mark, self.readers = prefix, mark, 0
        self._requests, self._keep_bytes, self._flat, self._observer = requests, keep_bytes, flat, observer
        self._lock = threading.Lock()
        self._page_starts: list[_Start] = [_Start()]
        self._held_back: list[_Files] = [()]  # by page: files of earlier pages that are decided on here
        self._offsets = array("Q", [0])  # by page: how many entries came before it
        self._ended = False
        self._tasks: dict[int, Task[Table]] = {}
        self._held: OrderedDict[int, Table] = OrderedDict()
        self._bytes = 0
        self._first_page_last = b""  # where the first page ended
        self._in_order = True  # whether the first page came in byte order, as S3 promises
        self._seen: set[Hashable] = set()  # tokens and ends of pages
        self._repeated = b""  # a directory that a flat first page had got to, which the next page may tell again
        self.huge = False
        self.listing: Listing | None = None
        self.hidden: list[Hidden] = []
        self.more_hidden = 0
        self.marker: ObjectStat | None = None

    def place(self, offset: int) -> tuple[int, int]:
        """(page, index in it) of an entry's offset, which a reader was given before."""
        with self._lock:
            page = bisect_right(self._offsets, offset) - 1
            return page, offset - self._offsets[page]

    def offset(self, page: int) -> int | None:
        """Offset of a page's first entry, None when there is no such page (ask only up to one past the last got)."""
        with self._lock:
            return self._offsets[page] if page < len(self._offsets) and not self._is_past_end(page) else None

    def held_page(self, page: int) -> Table | None:
        """A page that is in memory."""
        with self._lock:
            return self._held.get(page)

    def fetch(self, page: int, *, demand: bool = True) -> Task[Table] | None:
        """The request for a page, joined or started; None when it is there or past the end."""
        with self._lock:
            if page in self._held or page >= len(self._page_starts) or self._is_past_end(page):
                return None
            task = self._tasks.get(page)
            if task is None or task.future.cancelled():
                task = self._tasks[page] = self._requests.submit(self._fetch, page, demand=demand)
                return task
        if demand:
            self._requests.promote(task)
        return task

    def cancel(self) -> None:
        """Nobody wants its pages any more."""
        with self._lock:
            tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()

    @property
    def begun(self) -> bool:
        """Whether the first page has come."""
        with self._lock:
            return self._ended or len(self._page_starts) > 1

    def decide(self, name: bytes) -> Verdict:
        """What the first page says of a name. Where keys are not sorted, an absence is not decided by it."""
        with self._lock:
            table = self._held.get(0)
            if table is None:
                return Verdict(False)
            if (i := table.find_shown(name)) is not None:
                return Verdict(True, table, i)
            if self._ended and len(self._page_starts) == 1:
                return Verdict(True)
            return Verdict(self._in_order and not directory_may_follow(name, self._first_page_last))

    def _is_past_end(self, page: int) -> bool:
        return self._ended and page >= len(self._page_starts)

    def _fetch(self, page: int) -> Table:
        try:
            with self._lock:
                start, held_back = self._page_starts[page], self._held_back[page]
            flat = self._list_flat() if page == 0 and self._flat else None
            contents, following = flat or self._list(start, page)
            table = self._take(page, contents, following, held_back)
        finally:
            with self._lock:
                self._tasks.pop(page, None)
        if self.listing is not None:
            self._observer.completed(self)
        elif page == 0:
            self._observer.first_page_of_several(self)
        return table

    def _list(self, start: _Start, page: int) -> tuple[PageContents, _Start | None]:
        """A page, and where the next one starts."""
        answer = self._requests.list(self.prefix, token=start.token, start_after=start.start_after)
        contents = read_page(self.prefix, answer, check_order=page == 0)
        if page == 0:
            self._in_order = contents.in_order
        self._check_progress(page, start, contents, answer.token)
        if page == 1:
            contents.contents.rows.pop(self._repeated, None)
        return contents, None if answer.token is None else _Start(answer.token, last=contents.last)

    def _check_progress(self, page: int, start: _Start, contents: PageContents, token: str | None) -> None:
        """Raises BadAnswer where a listing would go on for ever: keys that go back, or a page or token seen before."""
        if start.last and self._requests.flat and self._in_order:
            lowest = min(contents.contents.rows, default=b"")
            if lowest and goes_back(lowest, start.last):
                raise BadAnswer(f"the listing of {self.prefix!r}: {lowest!r} comes after {start.last!r}", code="Order")
        marks: set[Hashable] = {mark for mark in (token, contents.ends) if mark not in (None, (b"", b""))}
        with self._lock:
            if page < len(self._page_starts) - 1:
                return  # it was pushed out, and is read again
            if token is not None and marks & self._seen:
                raise BadAnswer(f"the listing of {self.prefix!r} comes to the same page again", code="Token")
            self._seen |= marks

    def _list_flat(self) -> tuple[PageContents, _Start | None] | None:
        """The first page without delimiter; None when its keys are no good for that, or such listings are refused."""
        try:
            answer = self._requests.list(self.prefix, delimiter="")
        except Forbidden:
            return None
        grouper = Grouper(self.prefix, self.prefix)
        try:
            grouper.feed(answer.objects)
        except OutOfOrder:
            return None
        if answer.unshowable or answer.hidden or (answer.token is not None and not answer.objects):
            return None
        complete = answer.token is None
        last = answer.objects[-1].id.key if answer.objects else self.prefix
        grouper.finish(None if complete else last)
        here = next(one.contents for one in [*grouper.completed, *grouper.partial] if one.prefix == self.prefix)
        below = [one for one in grouper.completed if one.prefix != self.prefix]
        self._observer.flat_page(self, FlatPage(len(answer.objects), complete, below))
        following = None
        if not complete:
            segment, slash, _ = last[len(self.prefix) :].partition("/")
            # Go on behind the directory that the page ended in: its "/" and one of the last characters there are.
            following = _Start(start_after=f"{self.prefix}{segment}/\ufffd" if slash else last, last=sort_key(segment))
            self._repeated = sort_key(segment) + b"/" if slash else b""
        return PageContents(here, sort_key(last)[len(sort_key(self.prefix)) :], True), following

    def _take(self, page: int, got: PageContents, following: _Start | None, held_back: _Files) -> Table:
        rows, hidden, undecided = resolve(got.contents, held_back, last=None if following is None else got.last)
        table = tabulate(rows)
        with self._lock:
            if page == len(self._page_starts) - 1 and not self._ended:
                if page == 0:
                    self._first_page_last = got.last
                self._report(hidden, got.contents)
                self._advance(table, following, undecided)
            self._hold(page, table)
            if self._ended and not self.huge and self.listing is None and len(self._held) == len(self._page_starts):
                pages = [self._held[p] for p in sorted(self._held)]
                self.listing = join_pages(pages, self.hidden, self.marker, self.mark.at, self.more_hidden)
        return table

    def _report(self, hidden: list[Hidden], contents: Contents) -> None:
        hidden = [report for report in hidden if report not in self.hidden[-1:]]
        room = HIDDEN_MAX - len(self.hidden)
        self.hidden.extend(hidden[:room])
        self.more_hidden += len(hidden[room:])
        self.marker = contents.marker or self.marker

    def _advance(self, table: Table, following: _Start | None, undecided: _Files) -> None:
        if following is None:
            self._ended = True
            return
        self._page_starts.append(following)
        self._held_back.append(undecided)
        self._offsets.append(self._offsets[-1] + table.count)

    def _hold(self, page: int, table: Table) -> None:
        if page not in self._held:
            self._held[page] = table
            self._bytes += len(table.blob)
        self._held.move_to_end(page)
        self.huge = self.huge or self._bytes > self._keep_bytes
        while self.huge and len(self._held) > HELD_PAGES:
            self._held.popitem(last=False)
