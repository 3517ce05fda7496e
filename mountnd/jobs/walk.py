"""Which files a prefetch means: a walk through the names of a mount, and what of it is kept until the bytes' turn.

Directories are opened one after the other, each before what lies in it, as find(1) does: the catalogue then lists whole
subtrees ahead (`catalog/readahead/`), a thousand keys a request. The directories on the way to a path are listed, too:
without a network a name is found only in a listing.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from ..catalog.catalogue import Catalogue
from ..catalog.model.entry import Entry
from ..errors import Forbidden, MountndError
from ..vfs.tree import Vfs
from .paths import Listed, Parts, components, raw, shown, text
from .report import Report
from .request import FilesRequest
from .selection import Selection, Verdict

# From so many names on a directory may be too large to be kept (`catalog/query/open_listings.py`).
HUGE = 10_000


@dataclass(slots=True)
class Batch:
    """Files of one directory. What the catalogue keeps anyway is referred to, not copied: a million files are a few MB.

    Attributes:
        directory: its path from the mount's root.
        catalogue: that knows it.
        entries: of the directory; `chosen`: indexes of those that are meant.
    """

    directory: Parts
    catalogue: Catalogue
    entries: Sequence[Entry]
    chosen: array[int] = field(default_factory=lambda: array("L"))

    def files(self) -> Iterator[Entry]:
        """The files that are meant."""
        return map(self.entries.__getitem__, self.chosen)

    def path(self, entry: Entry) -> Parts:
        """The path of one of them from the mount's root."""
        return (*self.directory, text(entry.name))


class _Place:
    """A directory of the walk; `catalogue` is None for the root that lists several sources."""

    __slots__ = ("catalogue", "entry", "path")

    def __init__(self, catalogue: Catalogue | None, entry: Entry, path: Parts) -> None:
        self.catalogue, self.entry, self.path = catalogue, entry, path


class Walk:
    """Finds the files of one request.

    Args:
        cancelled: whether to end.
        listed: told of each directory that is listed, those on the way to a path included.

    Attributes:
        batches: what was found.
        huge: directories with more names than are kept, which cannot be shown without a network.
    """

    def __init__(
        self,
        vfs: Vfs,
        request: FilesRequest,
        report: Report,
        cancelled: Callable[[], bool],
        listed: Callable[[Parts, Catalogue, Sequence[Entry]], object] = lambda *_: None,
    ) -> None:
        self._vfs, self._request, self._report, self._cancelled = vfs, request, report, cancelled
        self._listed = listed
        self._selection = Selection(request)
        self._perhaps: dict[Parts, tuple[Batch, int]] = {}
        self._above: set[Parts] = set()  # directories on the way that were listed
        self._taken: dict[Parts, set[bytes]] = {}  # names, where paths may overlap
        self.batches: list[Batch] = []
        self.huge: list[str] = []

    def run(self) -> None:
        """Look at everything. What cannot be listed goes into the report."""
        for path in self._request.paths:
            base, listed = components(path), None
            if self._request.listed is not None:
                listed = Listed({components(one) for one in self._request.listed})
            self._path(base, listed)
            for missing in listed.missing() if listed is not None and not self._cancelled() else ():
                self._report.failed(shown((*base, *missing)), "it is not there")
        if self._selection.by_entities and not self._cancelled():
            wanted = [batch.path(entry) for batch in self.batches for entry in batch.files()]
            for found in self._selection.belonging(self._perhaps, wanted):
                batch, index = self._perhaps[found]
                self._take(batch, index, batch.entries[index], belongs=True)
        if not any(batch.chosen for batch in self.batches):
            self._report.tell(seen=self._selection.seen())

    def _path(self, base: Parts, listed: Listed | None) -> None:
        """Everything at and below a path of the request."""
        root = self._vfs.root
        place = _Place(root.catalogue, root.entry, ())
        for depth, name in enumerate(base):
            try:
                self._look_at(place, base, None)
                found = self._child(place, name)
            except MountndError as e:
                self._report.failed(shown(base[: depth + 1]), str(e))
                return
            if not found.entry.is_dir:
                self._file(found, base, is_last=depth == len(base) - 1)
                return
            place = found
        self._below(place, base, listed)

    def _child(self, place: _Place, name: str) -> _Place:
        """What a name is. Raises StoreError."""
        path = (*place.path, name)
        if place.catalogue is None:
            source = self._vfs.lookup(self._vfs.root, raw(name))
            return _Place(source.catalogue, source.entry, path)
        return _Place(place.catalogue, place.catalogue.lookup(place.entry, raw(name)), path)

    def _file(self, place: _Place, base: Parts, *, is_last: bool) -> None:
        """A file that is asked for by itself."""
        if not is_last:
            self._report.failed(shown(base), f"{shown(place.path)} is a file")
            return
        assert place.catalogue is not None
        self._choose(Batch(base[:-1], place.catalogue, [place.entry]), [(0, place.entry)], base[:-1])

    def _below(self, top: _Place, base: Parts, listed: Listed | None) -> None:
        """Everything below a directory, depth first."""
        stack = [top]
        while stack and not self._cancelled():
            place = stack.pop()
            try:
                inside = self._look_at(place, base, listed)
            except MountndError as e:
                self._report.failed(shown(place.path) + "/", f"it cannot be listed: {e}")
                continue
            stack += reversed(inside)

    def _look_at(self, place: _Place, base: Parts, listed: Listed | None) -> list[_Place]:
        """List a directory and choose files in it. Returns the directories in it that are to be looked at, none where
        it lies on the way to `base`. Raises StoreError."""
        above = len(place.path) < len(base)
        if place.catalogue is None:
            found = [_Place(source.catalogue, source.entry, (text(name),)) for name, source in self._vfs.sources(0)]
            return [] if above else [one for one in found if listed is None or listed.enters(one.path)]
        if above and place.path in self._above:
            return []
        try:
            entries = self._list(place)
        except Forbidden:
            if not above:
                raise
            entries = ()  # a policy may allow what lies deeper, found by its name
        self._listed(place.path, place.catalogue, entries)
        if above:
            self._above.add(place.path)
        below = place.path[len(base) :]
        inside: list[_Place] = []
        files: list[tuple[int, Entry]] = []
        for i, entry in enumerate(entries):
            here = (*below, text(entry.name))
            if not entry.is_dir:
                if above or listed is None or listed.holds(here):
                    files.append((i, entry))
            elif not above and self._selection.enters(here) and (listed is None or listed.enters(here)):
                inside.append(_Place(place.catalogue, entry, (*place.path, here[-1])))
        self._choose(Batch(place.path, place.catalogue, entries), files, base, above=above)
        return inside

    def _list(self, place: _Place) -> Sequence[Entry]:
        catalogue = place.catalogue
        assert catalogue is not None
        stream = catalogue.scan(place.entry)
        try:
            entries = [entry for entry, _ in stream.read(0)]
        finally:
            stream.close()
        self._report.listed(len(entries))
        known = catalogue.known(place.entry)
        if known is None and len(entries) >= HUGE:
            self.huge.append(shown(place.path) + "/")
        return entries if known is None or len(known) != len(entries) else known

    def _choose(self, batch: Batch, files: Sequence[tuple[int, Entry]], base: Parts, *, above: bool = False) -> None:
        """Take of some files of a directory those that are wanted, but none twice."""
        taken = self._taken.setdefault(batch.directory, set()) if len(self._request.paths) > 1 else None
        for i, entry in files:
            path = batch.path(entry)
            verdict = self._selection.of(path, None if above else path[len(base) :])
            if verdict is Verdict.NO or (taken and entry.name in taken):
                continue
            if verdict is Verdict.PERHAPS:
                self._perhaps.setdefault(path, (batch, i))
                continue
            self._perhaps.pop(path, None)
            if taken is not None:
                taken.add(entry.name)
            self._take(batch, i, entry)
        self.batches.append(batch)

    def _take(self, batch: Batch, index: int, entry: Entry, *, belongs: bool = False) -> None:
        assert entry.stat is not None
        batch.chosen.append(index)
        self._report.found(entry.name, self._request.bytes_of(entry.stat.size), belongs=belongs)
