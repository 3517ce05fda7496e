"""Files whose sizes listings do not tell, as the catalogue gives them: with the sizes that are shown."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Protocol, TypeVar

from ...errors import Changed, NotFound
from ...stores.base import ObjectStat
from ..model.entry import Entry
from ..model.keys import split_key
from .directory_stream import ListedEntries
from .file_sizes import AHEAD_MOST, FileSizes

T = TypeVar("T")

# A file that is replaced more often while its size is asked for is too restless to look at.
MOVES = 3


class Timed(Protocol):
    """Notes how long something waited: what, of which key."""

    def __call__(self, what: str, key: str, ask: Callable[[], T]) -> T: ...


class SizedFiles:
    """The files of one catalogue.

    Args:
        find: an entry as listings tell of it; known: what is known of a directory; forget: believe nothing of a key.
    """

    def __init__(
        self,
        files: FileSizes,
        find: Callable[[Entry, bytes], Entry],
        known: Callable[[Entry], ListedEntries | None],
        forget: Callable[[str], None],
        timed: Timed,
    ) -> None:
        self._files, self._find, self._known, self._forget, self._timed = files, find, known, forget, timed
        self.known, self.begin = files.known, files.begin
        self.refusal, self.stored_key = files.refusal, files.stored_key

    def entry(self, directory: Entry, entry: Entry) -> Entry:
        """An entry of a directory, a file with the size that is shown. Where it is not that version any more, it is
        looked up anew. Raises as `Catalogue.lookup`."""
        stat = entry.stat
        if stat is None or entry.is_dir or self._files.is_told(stat):
            return entry
        self._files.looked_at(directory.key, entry.name, lambda: self._known(directory))
        return self._of_current(entry, directory, "size", self._files.shown)

    def readable(self, stat: ObjectStat) -> ObjectStat:
        """See `Catalogue.readable`. Raises every StoreError, of which BadAnswer says that it cannot be read, and
        Interrupted."""
        around, name = split_key(stat.id.key)
        entry = Entry(name.encode("utf-8", "surrogateescape"), stat.id.key, False, stat)
        found = self._of_current(entry, Entry(b"", around, True, None), "opening", self._files.readable).stat
        if found is None:
            raise NotFound(f"no {stat.id.key}")
        return found

    def known_readable(self, stat: ObjectStat) -> ObjectStat | None:
        """See `Catalogue.known_readable`: where it takes a request, that is begun."""
        known = self._files.known_readable(stat)
        if known is None:
            self._files.begin([stat], readable=True)
        return known

    def as_known(self, stat: ObjectStat) -> ObjectStat:
        """See `Catalogue.as_known`."""
        return self._files.known_readable(stat) or self._files.known(stat) or stat

    def sized(self, entries: Iterable[Entry]) -> Iterator[Entry]:
        """The entries of a directory with the sizes that are shown, which are asked for side by side. A file that was
        replaced since it was listed keeps the size in the listing. Raises as `Catalogue.lookup`."""
        coming = iter(entries)
        while some := list(islice(coming, AHEAD_MOST)):
            self.begin(entry.stat for entry in some if entry.stat is not None and not entry.is_dir)
            for entry in some:
                if entry.stat is None or entry.is_dir:
                    yield entry
                    continue
                try:
                    yield entry._replace(stat=self._files.shown(entry.stat))
                except (Changed, NotFound):
                    yield entry

    def _of_current(self, entry: Entry, directory: Entry, what: str, ask: Callable[[ObjectStat], ObjectStat]) -> Entry:
        """`entry` with what is told of its stat, or what is there in its place now."""
        for moves in range(MOVES + 1):
            stat = entry.stat
            if stat is None or entry.is_dir:
                break
            try:
                return entry._replace(stat=self._timed(what, entry.key, lambda stat=stat: ask(stat)))  # type: ignore[misc]
            except (Changed, NotFound):
                if moves == MOVES:
                    raise
                self._forget(entry.key)
                entry = self._find(directory, entry.name)
        return entry
