"""One opendir's view of a directory: entries with offsets that stay good until it is closed."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import overload

from ...errors import Cancelled
from ...stores.base import ObjectStat
from ..cache.memory import MemoryCache
from ..model.entry import Entry
from ..model.keys import Hidden
from ..model.listing import Listing
from ..model.table import BriefRow, Table
from ..waiting import Waiting
from .open_listings import OpenListings
from .paged_listing import PagedListing

# Rounds that `read` tries to get hold of one page, which other readers of a huge directory may push
# out before it is looked at; each further round needs another reader to have been quicker.
ROUNDS = 100


class DirectoryStream:
    """Entries of one directory in a fixed order. Thread-safe.

    Args:
        contents: a complete listing, or one under way, which the stream then is a reader of.
        source: what goes into the ids of entries.
        memory: knows directories' markers.
        listings: where a listing under way is left when the stream is closed.
    """

    def __init__(
        self,
        contents: Listing | PagedListing,
        prefix: str,
        source: str,
        memory: MemoryCache,
        waiting: Waiting,
        listings: OpenListings,
    ) -> None:
        self._contents, self._prefix, self._source = contents, prefix, source
        self._memory, self._waiting, self._listings = memory, waiting, listings
        self._closed = False

    def read(self, offset: int) -> Iterator[tuple[Entry, int]]:
        """(entry, offset of the next one) from an offset on: 0, or one that this stream gave before.

        Blocks page by page. Raises what a listing raises, Interrupted or TimedOut; reading again from
        the last offset got then asks again.
        """
        for table, index, place in self._tables(offset):
            for i, entry in enumerate(table.entries(self._prefix, self._source, index), place + 1):
                yield self._memory.with_marker(entry), i

    def brief_rows(self, offset: int) -> Iterator[tuple[BriefRow, int]]:
        """The same with as much of each entry as a directory shows. What a directory's marker tells: `marker`."""
        for table, index, place in self._tables(offset):
            yield from zip(table.brief_rows(index), itertools.count(place + 1), strict=False)

    def names(self, offset: int) -> Iterator[tuple[bytes, int]]:
        """The same with names only, a "/" behind a directory's."""
        for table, index, place in self._tables(offset):
            yield from zip(table.names(index), itertools.count(place + 1), strict=False)

    def ended(self, offset: int) -> bool:
        """Whether it is known that nothing comes from `offset` on."""
        return isinstance(self._contents, Listing) and offset >= self._contents.count

    def marker(self, name: bytes) -> ObjectStat | None:
        """The stat of the marker of a directory in this one, whose name ends in "/", where one is known."""
        key = self._prefix + name.decode("utf-8", "surrogateescape")
        return self._memory.with_marker(Entry(name[:-1], key, True, None)).stat

    def hidden(self) -> list[Hidden]:
        """What has been found so far that is not shown."""
        return list(self._contents.hidden)

    def close(self) -> None:
        """The reader is done. Idempotent."""
        closed, self._closed = self._closed, True
        if not closed and isinstance(self._contents, PagedListing):
            self._listings.leave(self._contents)

    def _tables(self, offset: int) -> Iterator[tuple[Table, int, int]]:
        """(table, index in it, that row's offset) from an offset on."""
        contents = self._contents
        if isinstance(contents, Listing):
            yield from contents.tables_from(offset)
            return
        page, index = contents.place(offset)
        while (table := self._page(contents, page)) is not None:
            contents.fetch(page + 1, demand=False)
            yield table, index, (contents.offset(page) or 0) + index
            page, index = page + 1, 0

    def _page(self, paged: PagedListing, page: int) -> Table | None:
        for _ in range(ROUNDS):
            if (table := paged.held_page(page)) is not None:
                return table
            if (task := paged.fetch(page)) is not None:
                try:
                    return self._waiting.wait(task.future)
                except Cancelled:
                    continue  # the last who waited for it had left
            if paged.offset(page) is None:
                return None
        raise AssertionError("a page neither there, nor under way, nor past the end")


class ListedEntries(Sequence[Entry]):
    """A complete directory as a sequence that decodes an entry when it is asked for."""

    def __init__(self, listing: Listing, prefix: str, source: str) -> None:
        self._listing, self._prefix, self._source = listing, prefix, source

    def __len__(self) -> int:
        return self._listing.count

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

    def name(self, i: int) -> bytes:
        """The `i`-th entry's name, with a "/" behind a directory's: cheaper than the entry."""
        return self._listing.name(i)

    def brief_rows(self, start: int) -> Iterator[BriefRow]:
        """What a directory shows of the entries from `start` on."""
        for table, index, _ in self._listing.tables_from(start):
            yield from table.brief_rows(index)

    def brief_row(self, i: int) -> BriefRow:
        """What a directory shows of the `i`-th entry."""
        return self._listing.brief_row(i)

    @property
    def version(self) -> object:
        """Equal for two of one directory if their names are the same, as good as surely; keeps none of them alive."""
        return id(self._listing), self._listing.at, self._listing.count
