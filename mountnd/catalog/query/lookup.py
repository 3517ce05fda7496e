"""What the store says of one name, in one round trip wherever that is possible.

The kernel asks component by component. In a directory never listed, two requests go side by side:
the directory's first page, which answers for all its names when it fits one page, as most do; and the
first page of all that begins with the name, without delimiter, which answers for the rest of the path
when the subtree has at most 1,000 keys. So `a/b/c/file` costs one round trip where `a` holds up to
1,000 keys, else one for each level down to where that is so. Whoever comes while the first page is
under way waits for it alone. A directory that did not fit one page is large: there only the name is
asked for, and no look-up starts a listing of it. When look-ups walk (`readahead.policy`), the subtree around is
listed instead, and most of them cost nothing. Where a directory may not be listed, `unlistable` asks for its names.
"""

from __future__ import annotations

from concurrent.futures import Future
from typing import Any

from ...errors import Forbidden, NotFound, StoreError
from ..cache.tiered import TieredCache
from ..model.answer import Answer, RequestMark
from ..model.entry import Entry
from ..model.listing import listing_of
from ..model.location import Location
from ..readahead.prefetcher import SubtreePrefetcher
from ..requests import Requests
from ..waiting import Waiting
from . import point
from .open_listings import OpenListings
from .paged_listing import PagedListing
from .point import Name
from .single_flight import SingleFlight, first_answer
from .stale_fallback import StaleFallback
from .unlistable import Unlistable

# Kinds of requests that are joined: for all keys that begin with a name; for one name.
SUBTREE, POINT = "subtree", "point"


class Lookup:
    """Asks for single names and caches the answers."""

    def __init__(
        self,
        location: Location,
        requests: Requests,
        cache: TieredCache,
        prefetcher: SubtreePrefetcher,
        listings: OpenListings,
        flights: SingleFlight,
        waiting: Waiting,
        fallback: StaleFallback,
    ) -> None:
        self._location, self._requests, self._cache, self._memory = location, requests, cache, cache.memory
        self._prefetcher, self._listings, self._flights = prefetcher, listings, flights
        self._waiting, self._fallback = waiting, fallback
        self._unlistable = Unlistable(requests, cache, waiting, location.root)

    def find(self, asked: Name) -> Answer:
        """What a name is that memory does not answer for. Raises every StoreError but NotFound, and Interrupted."""
        prefix, name, _ = asked
        if self._cache.recall(prefix) and (answer := self._memory.answer(prefix, name)) is not None:
            return answer
        stale = self._memory.answer(prefix, name, stale=True)
        return self._fallback.ask(
            lambda until: self._ask(asked, until),
            lambda: self._memory.answer(prefix, name, stale=True),
            has_stale=stale is not None,
        )

    def ask_alone(self, asked: Name, until: float | None) -> Answer:
        """What a name is, asked for by itself. `until`: the deadline in monotonic seconds; None: as for one call."""
        start = self._submit_by_prefix if self._requests.flat else self._submit_head_and_list
        future: Future[Answer] = self._flights.join((POINT, asked.key), lambda: start(asked))
        return self._waiting.wait(future, until)

    def await_subtree_page(self, prefix: str, until: float) -> bool:
        """Wait for the answer about all that begins with a directory's name, which may complete the directory too.

        It was sent a moment before, beside the request that told of the directory itself. Returns whether one was
        under way.
        """
        futures = self._flights.covering(SUBTREE, prefix)
        for future in futures:
            try:
                self._waiting.wait(future, until)
            except StoreError:
                continue  # whoever asked for that is told; here the directory's own listing decides
        return bool(futures)

    def _ask(self, asked: Name, until: float) -> Answer:
        prefix, name, _ = asked
        if self._memory.is_unlistable(prefix):
            return self._unlistable.ask(asked, until)
        self.await_subtree_page(prefix, until)
        answer = self._memory.answer(prefix, name)
        if answer is None and not self._memory.wants_point_query(prefix, name):
            arrival = self._prefetcher.arrive(prefix, until)
            if (answer := self._memory.answer(prefix, name)) is None:
                try:
                    answer = self._ask_first_page(asked, flat=arrival.flat, until=until)
                except Forbidden as refused:
                    self._cache.refused(prefix, refused)
                    return self._unlistable.ask(asked, until)
        if answer is not None:
            return answer
        try:
            return self.ask_alone(asked, until)
        except Forbidden:  # of the listing of this name; the directory's own was not
            return self._unlistable.ask(asked, until)

    def _ask_first_page(self, asked: Name, *, flat: bool, until: float) -> Answer | None:
        paged, new = self._listings.join(asked.prefix, flat=flat)
        try:
            task = paged.fetch(0)
            futures: list[Future[Any]] = [task.future] if task else []
            subtree: Future[Answer | None] | None = None
            if new and not flat and self._requests.flat and self._requests.may_list_flat(asked.key):
                subtree = self._flights.join((SUBTREE, asked.key), lambda: self._submit_subtree(asked))
                futures.append(subtree)

            def decide() -> Answer | None:
                if (answer := self._answer_of_first_page(paged, asked)) is not None:
                    return answer
                told = subtree is not None and subtree.done() and subtree.exception() is None
                return subtree.result() if subtree is not None and told else None

            try:
                answer: Answer | None = self._waiting.wait(first_answer(futures, decide), until)
            except StoreError:
                if task is None or not task.future.done() or task.future.exception() is not None:
                    raise
                return None  # the failure of what was asked beside it says nothing of the directory
            return answer
        finally:
            self._listings.leave(paged)

    def _answer_of_first_page(self, paged: PagedListing, asked: Name) -> Answer | None:
        if paged.listing is not None:
            return self._memory.answer_from(paged.listing, asked.prefix, asked.name)
        decided, table, row = paged.decide(asked.name)
        if table is not None:
            return self._memory.with_marker(table.entry(row, asked.prefix, self._location.source))
        return NotFound() if decided and self._requests.flat else None

    def _submit_subtree(self, asked: Name) -> Future[Answer | None]:
        mark = self._memory.mark()

        def ask() -> Answer | None:
            page = point.ask_subtree(self._requests, asked)
            for prefix, contents in page.directories:
                self._cache.put(prefix, listing_of(contents, mark.at), mark.serial)
            if isinstance(page.answer, Entry) and page.answer.is_dir:
                self._prefetcher.flat_page_listed(page.answer.key, page.keys, page.complete)
            return None if page.answer is None else self._cached(asked, page.answer, mark)

        return self._requests.submit(ask).future

    def _submit_by_prefix(self, asked: Name) -> Future[Answer]:
        mark = self._memory.mark()
        return self._requests.submit(
            lambda: self._cached(asked, point.ask_by_prefix(self._requests, asked), mark)
        ).future

    def _submit_head_and_list(self, asked: Name) -> Future[Answer]:
        mark = self._memory.mark()
        head = self._requests.submit(point.head, self._requests, asked.key).future
        below = self._requests.submit(point.list_first_below, self._requests, asked.key).future

        def decide() -> Answer | None:
            if not (head.done() and below.done()):
                return None
            return self._cached(asked, point.combine(asked, head.result(), below.result()), mark)

        return first_answer([head, below], decide)

    def _cached(self, asked: Name, answer: Answer, mark: RequestMark) -> Answer:
        self._cache.put_answer(asked.prefix, asked.name, answer, mark)
        return answer
