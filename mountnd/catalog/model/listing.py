"""One directory, completely known at one moment: immutable, compact, searchable."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from operator import itemgetter

from ...stores.base import ObjectStat
from .entry import Entry
from .keys import Contents, Hidden, resolve
from .table import BriefRow, Row, Table, pack, pack_row, tabulate

# A listing keeps this many reports; `more_hidden` counts the rest. A person reads no more of them, and
# a prefix with a million odd keys must not fill the memory.
HIDDEN_MAX = 1000

# What a listing costs beside its tables: the object, its tuples, its place in the cache's dict and the
# prefix there (measured by tests/unit/catalog/test_memory_use.py).
OVERHEAD_BYTES = 540


class Listing:
    """All names of one directory as the store told them. Immutable.

    Args:
        tables: sorted by name, each below the next; no name twice, none both file and directory.
        hidden: what is not shown, at most `HIDDEN_MAX`; `more_hidden` further ones.
        marker: stat of the directory's own marker key.
        at: monotonic time the first request for it was sent.

    Attributes:
        count: entries in it.
        exists: whether any key lies at or below the directory's prefix.
        nbytes: memory it holds, near enough for a limit.
    """

    __slots__ = ("_starts", "at", "count", "exists", "hidden", "marker", "more_hidden", "nbytes", "tables")

    def __init__(
        self,
        tables: Sequence[Table],
        hidden: Sequence[Hidden] = (),
        marker: ObjectStat | None = None,
        at: float = 0.0,
        more_hidden: int = 0,
    ) -> None:
        self.tables = tuple(table for table in tables if table.count)
        self.hidden = tuple(hidden[:HIDDEN_MAX])
        self.more_hidden = more_hidden + max(0, len(hidden) - HIDDEN_MAX)
        self.marker, self.at = marker, at
        starts = [0]
        for table in self.tables:
            starts.append(starts[-1] + table.count)
        self._starts = tuple(starts)
        self.count = starts[-1]
        self.exists = bool(self.tables or self.hidden or marker)
        self.nbytes = OVERHEAD_BYTES + sum(len(table.blob) + 100 for table in self.tables)
        if self.hidden:
            self.nbytes += sum(len(report.key) + 150 for report in self.hidden)

    def __len__(self) -> int:
        return self.count

    def get(self, name: bytes, prefix: str, source: str) -> Entry | None:
        """The entry shown under `name`."""
        if len(self.tables) == 1:
            i = self.tables[0].find_shown(name)
            return None if i is None else self.tables[0].entry(i, prefix, source)
        for spelled in (name, name + b"/"):
            table = self._table_of(spelled)
            if table is not None and (i := table.find(spelled)) is not None:
                return table.entry(i, prefix, source)
        return None

    def measure(self) -> tuple[int, int, list[bytes]]:
        """How many files there are, their bytes, and the names of the directories, each with a "/" at its end."""
        directories = [name for table in self.tables for name in table.names() if name.endswith(b"/")]
        return self.count - len(directories), sum(table.file_bytes for table in self.tables), directories

    def entry(self, i: int, prefix: str, source: str) -> Entry:
        """The `i`-th entry in the listing's order."""
        t = bisect_right(self._starts, i) - 1
        return self.tables[t].entry(i - self._starts[t], prefix, source)

    def name(self, i: int) -> bytes:
        """The `i`-th entry's name, with a "/" behind a directory's."""
        t = bisect_right(self._starts, i) - 1
        return self.tables[t].name(i - self._starts[t])

    def brief_row(self, i: int) -> BriefRow:
        """What a directory shows of the `i`-th entry."""
        t = bisect_right(self._starts, i) - 1
        return self.tables[t].brief_row(i - self._starts[t])

    def tables_from(self, start: int = 0) -> Iterator[tuple[Table, int, int]]:
        """(table, index in it, that row's place in the listing) for each table, from the `start`-th entry on."""
        first = bisect_right(self._starts, start) - 1
        for t in range(first, len(self.tables)):
            place = max(start, self._starts[t])
            yield self.tables[t], place - self._starts[t], place

    def replaced(self, name: bytes, entry: Entry | None) -> Listing:
        """The same listing with what is shown under `name` replaced, or gone."""
        tables = list(self.tables)
        for spelled in (name, name + b"/"):
            for t, table in enumerate(tables):
                if (i := table.find(spelled)) is not None:
                    tables[t] = pack(row for j, row in enumerate(table.rows()) if j != i)
        if entry is not None:
            row = pack_row(name + b"/" if entry.is_dir else name, entry.stat if not entry.is_dir else None)
            lasts = [table.name(table.count - 1) if table.count else b"" for table in tables]
            t = min(bisect_left(lasts, row[0]), len(tables) - 1)
            if t < 0:
                tables = [pack([row])]
            else:
                tables[t] = pack(sorted([*tables[t].rows(), row], key=itemgetter(0)))
        return Listing(tables, self.hidden, self.marker, self.at, self.more_hidden)

    def _table_of(self, name: bytes) -> Table | None:
        if len(self.tables) < 2:
            return self.tables[0] if self.tables else None
        t = bisect_left(self.tables, name, key=lambda table: table.name(table.count - 1))
        return self.tables[t] if t < len(self.tables) else None


def listing_of(contents: Contents, at: float) -> Listing:
    """The listing of a directory all of whose keys are in `contents`."""
    resolved = resolve(contents)
    return Listing([tabulate(resolved.rows)], resolved.hidden, contents.marker, at)


def join_pages(
    pages: Iterable[Table], hidden: Sequence[Hidden], marker: ObjectStat | None, at: float, more_hidden: int
) -> Listing:
    """The listing of a directory from the tables of all its pages, in the order they came."""
    return Listing(_ascending(pages), hidden, marker, at, more_hidden)


def _ascending(tables: Iterable[Table]) -> list[Table]:
    """`tables` as they are when each is below the next, else one sorted table."""
    kept = [table for table in tables if table.count]
    if all(a.name(a.count - 1) < b.name(0) for a, b in pairwise(kept)):
        return kept
    rows: dict[bytes, Row] = {row[0]: row for table in kept for row in table.rows()}
    return [pack(rows[name] for name in sorted(rows) if name + b"/" not in rows)]
