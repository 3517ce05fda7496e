"""One directory, completely known at one moment: immutable, compact, searchable."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise

from ...stores.base import ObjectStat
from .entry import Entry
from .keys import Found, Hidden, shadowed
from .table import Packed, Rows, pack, packed

# A listing keeps this many reports; `more_hidden` counts the rest. A person reads no more of them, and
# a prefix with a million odd keys must not fill the memory.
HIDDEN_MAX = 1000

# What a listing costs beside its tables: the object, its tuples, its place in the shelf's dict and the
# prefix there (measured by tests/unit/catalog/test_memory.py).
OVERHEAD = 540


class Listing:
    """All names of one directory as the store told them.

    Args:
        chunks: tables sorted by name, each below the next; no name twice, none both file and directory.
        hidden: what is not shown, at most `HIDDEN_MAX`; `more_hidden` further ones.
        marker: stat of the directory's own marker key.
        at: monotonic time the first request for it was sent.

    Attributes:
        used: whether it answered anything yet (set by the shelf).
        nbytes: memory it holds, near enough for a limit.
    """

    __slots__ = ("_starts", "at", "chunks", "hidden", "marker", "more_hidden", "nbytes", "used")

    def __init__(
        self,
        chunks: Sequence[Rows],
        hidden: Sequence[Hidden] = (),
        marker: ObjectStat | None = None,
        at: float = 0.0,
        more_hidden: int = 0,
    ) -> None:
        self.chunks = tuple(chunk for chunk in chunks if chunk.count)
        self.hidden = tuple(hidden[:HIDDEN_MAX])
        self.more_hidden = more_hidden + max(0, len(hidden) - HIDDEN_MAX)
        self.marker, self.at = marker, at
        self.used = False
        starts = [0]
        for chunk in self.chunks:
            starts.append(starts[-1] + chunk.count)
        self._starts = tuple(starts)
        self.nbytes = OVERHEAD + sum(len(chunk.blob) + 100 for chunk in self.chunks)
        if self.hidden:
            self.nbytes += sum(len(report.key) + 150 for report in self.hidden)

    def __len__(self) -> int:
        return self._starts[-1]

    @property
    def exists(self) -> bool:
        """Whether any key lies at or below the directory's prefix."""
        return bool(self.chunks or self.hidden or self.marker)

    def get(self, name: bytes, prefix: str, source: str) -> Entry | None:
        """The entry shown under `name`."""
        if len(self.chunks) == 1:
            i = self.chunks[0].shown(name)
            return None if i is None else self.chunks[0].entry(i, prefix, source)
        for spelled in (name, name + b"/"):
            chunk = self._chunk(spelled)
            if chunk is not None and (i := chunk.find(spelled)) is not None:
                return chunk.entry(i, prefix, source)
        return None

    def entry(self, i: int, prefix: str, source: str) -> Entry:
        """The `i`-th entry in the listing's order."""
        c = bisect_right(self._starts, i) - 1
        return self.chunks[c].entry(i - self._starts[c], prefix, source)

    def name(self, i: int) -> bytes:
        """The `i`-th entry's name, with a "/" behind a directory's."""
        c = bisect_right(self._starts, i) - 1
        return self.chunks[c].name(i - self._starts[c])

    def tables(self, start: int = 0) -> Iterator[tuple[Rows, int, int]]:
        """(table, index in it, that row's place in the listing) for each table, from the `start`-th entry on."""
        first = bisect_right(self._starts, start) - 1
        for c in range(first, len(self.chunks)):
            place = max(start, self._starts[c])
            yield self.chunks[c], place - self._starts[c], place

    def replaced(self, name: bytes, entry: Entry | None) -> Listing:
        """The same listing with what is shown under `name` replaced, or gone."""
        chunks = list(self.chunks)
        for spelled in (name, name + b"/"):
            for c, chunk in enumerate(chunks):
                if (i := chunk.find(spelled)) is not None:
                    chunks[c] = pack(row for j, row in enumerate(chunk.packed()) if j != i)
        if entry is not None:
            row = packed(name + b"/" if entry.is_dir else name, entry.stat if not entry.is_dir else None)
            lasts = [chunk.name(chunk.count - 1) if chunk.count else b"" for chunk in chunks]
            c = min(bisect_left(lasts, row[0]), len(chunks) - 1)
            if c < 0:
                chunks = [pack([row])]
            else:
                chunks[c] = pack(sorted([*chunks[c].packed(), row], key=_name))
        return Listing(chunks, self.hidden, self.marker, self.at, self.more_hidden)

    def _chunk(self, name: bytes) -> Rows | None:
        if len(self.chunks) < 2:
            return self.chunks[0] if self.chunks else None
        c = bisect_left(self.chunks, name, key=lambda chunk: chunk.name(chunk.count - 1))
        return self.chunks[c] if c < len(self.chunks) else None


def _name(row: Packed) -> bytes:
    return row[0]


def settle(prefix: str, found: Found) -> tuple[list[tuple[bytes, ObjectStat | None]], list[Hidden]]:
    """Sorted rows of a directory all of whose keys are in `found`, and the reports: the directory wins a clash."""
    rows = found.rows
    hidden = list(found.hidden)
    result = []
    for name in sorted(rows):
        stat = rows[name]
        if stat is not None and name + b"/" in rows:
            hidden.append(shadowed(prefix, stat))
        else:
            result.append((name, stat))
    return result, hidden


def complete(prefix: str, found: Found, at: float) -> Listing:
    """The listing of a directory all of whose keys are in `found`."""
    rows, hidden = settle(prefix, found)
    return Listing([pack(packed(*row) for row in rows)], hidden, found.marker, at)


def joined(chunks: Iterable[Rows]) -> list[Rows]:
    """`chunks` as a listing wants them: as they are when each is below the next, else one sorted table."""
    kept = [chunk for chunk in chunks if chunk.count]
    if all(a.name(a.count - 1) < b.name(0) for a, b in pairwise(kept)):
        return kept
    rows: dict[bytes, Packed] = {row[0]: row for chunk in kept for row in chunk.packed()}
    return [pack(rows[name] for name in sorted(rows) if name + b"/" not in rows)]
