"""One opendir's view of a directory: entries with offsets that stay good until it is closed."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import overload

from ...stores.base import ObjectStat
from ...workers import Task
from ..model.entry import Entry
from ..model.keys import Hidden
from ..model.listing import Listing
from ..model.table import Brief, Rows
from .paged_listing import Pager

# Rounds that `read` tries to get hold of one page, which other readers of a huge directory may push
# out before it is looked at; each further round needs another reader to have been quicker.
ROUNDS = 100


class Scan:
    """Entries of one directory in a fixed order. Thread-safe.

    Args:
        what: a complete listing, or one under way.
        source: what goes into the ids of entries.
        marked: adds what is known of a directory's marker.
        wait: waits for a request; raises what it raises, Interrupted or TimedOut.
        closed: called once by `close`.
    """

    def __init__(
        self,
        what: Listing | Pager,
        prefix: str,
        source: str,
        *,
        marked: Callable[[Entry], Entry],
        wait: Callable[[Task[Rows]], Rows],
        closed: Callable[[], None] = lambda: None,
    ) -> None:
        self._what, self._prefix, self._source = what, prefix, source
        self._marked, self._wait, self._closed = marked, wait, closed

    def read(self, offset: int) -> Iterator[tuple[Entry, int]]:
        """(entry, offset of the next one) from an offset on: 0, or one that this scan gave before.

        Blocks page by page. Raises what a listing raises, Interrupted or TimedOut; reading again from
        the last offset got then asks again.
        """
        for rows, index, place in self._tables(offset):
            for i, entry in enumerate(rows.entries(self._prefix, self._source, index), place + 1):
                yield self._marked(entry), i

    def brief(self, offset: int) -> Iterator[tuple[Brief, int]]:
        """The same with as much of each entry as a directory shows. What a directory's marker tells: `marker`."""
        for rows, index, place in self._tables(offset):
            yield from zip(rows.brief(index), itertools.count(place + 1), strict=False)

    def ended(self, offset: int) -> bool:
        """Whether it is known that nothing comes from `offset` on."""
        return isinstance(self._what, Listing) and offset >= len(self._what)

    def marker(self, name: bytes) -> ObjectStat | None:
        """The stat of the marker of a directory in this one, whose name ends in "/", where one is known."""
        return self._marked(Entry(name[:-1], self._prefix + name.decode("utf-8", "surrogateescape"), True, None)).stat

    def hidden(self) -> list[Hidden]:
        """What has been found so far that is not shown."""
        return list(self._what.hidden)

    def close(self) -> None:
        """The reader is done. Idempotent."""
        closed, self._closed = self._closed, lambda: None
        closed()

    def _tables(self, offset: int) -> Iterator[tuple[Rows, int, int]]:
        """(table, index in it, that row's offset) from an offset on."""
        what = self._what
        if isinstance(what, Listing):
            yield from what.tables(offset)
            return
        page, index = what.place(offset)
        while (rows := self._page(what, page)) is not None:
            what.fetch(page + 1, demand=False)
            yield rows, index, (what.start(page) or 0) + index
            page, index = page + 1, 0

    def _page(self, pager: Pager, page: int) -> Rows | None:
        for _ in range(ROUNDS):
            if (rows := pager.held(page)) is not None:
                return rows
            if (task := pager.fetch(page)) is not None:
                return self._wait(task)
            if pager.start(page) is None:
                return None
        raise AssertionError("a page neither there, nor under way, nor past the end")


class Entries(Sequence[Entry]):
    """A complete directory as a sequence that decodes an entry when it is asked for."""

    def __init__(self, listing: Listing, prefix: str, source: str) -> None:
        self._listing, self._prefix, self._source = listing, prefix, source

    def __len__(self) -> int:
        return len(self._listing)

    @overload
    def __getitem__(self, i: int) -> Entry: ...
    @overload
    def __getitem__(self, i: slice) -> list[Entry]: ...
    def __getitem__(self, i: int | slice) -> Entry | list[Entry]:
        if isinstance(i, slice):
            return [self[j] for j in range(*i.indices(len(self)))]
        j = i + len(self) if i < 0 else i
        if not 0 <= j < len(self):
            raise IndexError(i)
        return self._listing.entry(j, self._prefix, self._source)
