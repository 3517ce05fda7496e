"""What the store says of one name, in one round trip wherever that is possible.

The kernel asks component by component. In a directory never listed, two requests go side by side:
the directory's first page, which answers for all its names when it fits one page, as most do; and the
first page of all that begins with the name, without delimiter, which answers for the rest of the path
when the subtree has at most 1,000 keys. So `a/b/c/file` costs one round trip where `a` holds up to
1,000 keys, else one for each level down to where that is so. Whoever comes while the first page is
under way waits for it alone. A directory that did not fit one page is large: there only the name is
asked for, and no look-up starts a listing of it. When look-ups walk (`walk`), the subtree around is
listed instead, and most of them cost nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from ...errors import Forbidden, NotFound, StoreError
from ..cache.memory import Answer, Sent, Shelf
from ..model.entry import Entry
from ..model.listing import Listing
from ..readahead.policy import Way
from ..readahead.prefetcher import Walker
from ..requests import Requests
from . import point as points
from .open_listings import Pagers
from .paged_listing import Pager
from .single_flight import Flights, either


class Asker:
    """Asks for single names and puts the answers on the shelf.

    Args:
        wait: waits for a future as the calling thread must; raises what it raises, Interrupted or TimedOut.
        keep: takes (prefix, listing, stamp) of directories that an answer completed.
        mended: takes (prefix, listing) of one in which an answer replaced a name.
    """

    def __init__(
        self,
        requests: Requests,
        shelf: Shelf,
        pagers: Pagers,
        walker: Walker,
        *,
        wait: Callable[[Future[Any]], Any],
        keep: Callable[[str, Listing, int], None],
        mended: Callable[[str, Listing], None],
    ) -> None:
        self._requests, self._shelf, self._pagers, self._walker = requests, shelf, pagers, walker
        self._wait, self._keep, self._mended = wait, keep, mended
        self._flights = Flights()
        self._sorted = requests.store.flat

    def ask(self, prefix: str, name: bytes, segment: str) -> Answer:
        """What `name` (its key segment is `segment`) below `prefix` is. Raises every StoreError but NotFound."""
        if self._shelf.is_unlistable(prefix):
            return self._ask_unlisted(prefix, name, segment, Forbidden())
        self.settle(prefix)
        try:
            if (answer := self._shelf.answer(prefix, name)) is None and not self._shelf.alone(prefix, name):
                way = self._walker.arrive(prefix)
                if (answer := self._shelf.answer(prefix, name)) is None:
                    answer = self._ask_page(prefix, name, segment, flat=way is Way.FLAT)
            return answer if answer is not None else self.ask_point(prefix, name, segment)
        except Forbidden as refused:
            self._shelf.set_unlistable(prefix)
            return self._ask_unlisted(prefix, name, segment, refused)

    def settle(self, prefix: str) -> None:
        """Wait for the answer about all that begins with a directory's name, which may complete the directory too.

        It was sent a moment before, beside the request that told of the directory itself.
        """
        for future in self._flights.covering("deep", prefix):
            try:
                self._wait(future)
            except StoreError:
                continue  # whoever asked for that is told; here the directory's own listing decides

    def ask_point(self, prefix: str, name: bytes, segment: str) -> Answer:
        """The same, of this name alone."""
        start = self._by_prefix if self._sorted else self._by_both
        answer: Answer = self._wait(
            self._flights.join(("point", prefix + segment), lambda: start(prefix, name, segment))
        )
        return answer

    def forget(self, key: str) -> None:
        """Nobody may join what is under way for a key."""
        self._flights.forget(key)

    def clear(self) -> None:
        """Nobody may join anything that is under way now."""
        self._flights.clear()

    def _ask_page(self, prefix: str, name: bytes, segment: str, *, flat: bool) -> Answer | None:
        pager, new = self._pagers.join(prefix, flat=flat)
        try:
            task = pager.fetch(0)
            futures: list[Future[Any]] = [task.future] if task else []
            deep: Future[Answer | None] | None = None
            if new and self._sorted and not flat:
                deep = self._flights.join(("deep", prefix + segment), lambda: self._deep(prefix, name, segment))
                futures.append(deep)

            def decide() -> Answer | None:
                if (answer := self._of_page(pager, prefix, name)) is not None:
                    return answer
                return deep.result() if deep is not None and deep.done() and deep.exception() is None else None

            answer: Answer | None = self._wait(either(futures, decide))
            return answer
        finally:
            self._pagers.leave(pager)

    def _of_page(self, pager: Pager, prefix: str, name: bytes) -> Answer | None:
        if pager.listing is not None:
            return self._shelf.pick(pager.listing, prefix, name)
        sure, rows, i = pager.decide(name)
        if rows is not None:
            return self._shelf.marked(rows.entry(i, prefix, self._requests.store.source))
        return NotFound() if sure and self._sorted else None

    def _deep(self, prefix: str, name: bytes, segment: str) -> Future[Answer | None]:
        sent = self._shelf.sent()

        def ask() -> Answer | None:
            answer, listings, keys, whole = points.deep(self._requests, prefix, name, segment, sent.at)
            for where, listing in listings:
                self._keep(where, listing, sent.stamp)
            if isinstance(answer, Entry) and answer.is_dir:
                self._walker.tried(answer.key, keys, whole)
            if answer is not None:
                self._told(prefix, name, answer, sent)
            return answer

        return self._requests.submit(ask).future

    def _by_prefix(self, prefix: str, name: bytes, segment: str) -> Future[Answer]:
        sent = self._shelf.sent()

        def ask() -> Answer:
            answer = points.by_prefix(self._requests, prefix, name, segment)
            self._told(prefix, name, answer, sent)
            return answer

        return self._requests.submit(ask).future

    def _by_both(self, prefix: str, name: bytes, segment: str) -> Future[Answer]:
        sent = self._shelf.sent()
        head = self._requests.submit(points.head, self._requests, prefix + segment).future
        inside = self._requests.submit(points.below, self._requests, prefix + segment).future

        def decide() -> Answer | None:
            if not (head.done() and inside.done()):
                return None
            answer = points.by_both(name, prefix + segment, head.result(), inside.result())
            self._told(prefix, name, answer, sent)
            return answer

        return either([head, inside], decide)

    def _told(self, prefix: str, name: bytes, answer: Answer, sent: Sent) -> None:
        if (listing := self._shelf.put_point(prefix, name, answer, sent)) is not None:
            self._mended(prefix, listing)

    def _ask_unlisted(self, prefix: str, name: bytes, segment: str, refused: Forbidden) -> Answer:
        """Listing is forbidden; the object itself may not be."""
        sent = self._shelf.sent()
        answer: Answer
        try:
            stat = self._wait(self._requests.submit(points.head, self._requests, prefix + segment).future)
            answer = NotFound() if stat is None else Entry(name, prefix + segment, False, stat)
        except Forbidden:
            answer = refused
        self._told(prefix, name, answer, sent)
        return answer
