"""Which names a prefetch wants. Pure.

Patterns decide first, and what they exclude is not even listed. Entities decide about bytes alone: all names are
listed, since programs that look for a subject's files look through the whole data set.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum

from .bids import Name, Wanted, applies, parse
from .globs import Globs
from .paths import Parts
from .request import FilesRequest


class Verdict(Enum):
    """What a file is."""

    NO = "not wanted"
    YES = "wanted"
    PERHAPS = "wanted where it belongs to one that is: metadata, or a file that describes a data set"


# Values that are remembered of files that are not wanted, and shown of each kind where nothing is.
SEEN_NAMES, SEEN_SHOWN = 2_000, 8


class Selection:
    """What a request says of names. Entities are those of a whole path, from the mount's root; patterns are of paths
    below the directory that is prefetched."""

    def __init__(self, request: FilesRequest) -> None:
        self._include, self._exclude = Globs(request.include), Globs(request.exclude)
        self._words, self._wanted = request.vocabulary, None
        if request.by_entities:
            self._wanted = Wanted(request.entities, request.suffixes, request.extensions, request.vocabulary)
        self._asked, self._asks_suffix = tuple(request.entities), bool(request.suffixes)
        self._asks_extension = bool(request.extensions)
        self._seen: set[tuple[str, str]] = set()
        self._describing = frozenset(request.vocabulary.describing)

    @property
    def by_entities(self) -> bool:
        """Whether some of what is `PERHAPS` belongs to what is wanted."""
        return self._wanted is not None

    def enters(self, directory: Parts) -> bool:
        """Whether anything in a directory, below the one that is prefetched, may be wanted."""
        if self._exclude.fit(directory):
            return False
        return not self._include or self._include.may_fit_below(directory)

    def of(self, path: Parts, below: Parts | None) -> Verdict:
        """What a file is.

        Args:
            path: from the mount's root.
            below: the same from the directory that is prefetched; None: it lies above that, and is wanted at most for
                what it tells of others.
        """
        if self._exclude.fit(path if below is None else below):
            return Verdict.NO
        if below is not None and self._include and not self._include.fit(below):
            return Verdict.NO
        if self._wanted is None:
            return Verdict.NO if below is None else Verdict.YES
        name = self._name(path)
        if below is not None and self._wanted.fits(name):
            return Verdict.YES
        if below is not None and len(self._seen) < SEEN_NAMES:
            self._note(name)
        perhaps = path[-1] in self._describing or self._wanted.may_belong(name)
        return Verdict.PERHAPS if perhaps else Verdict.NO

    def belonging(self, perhaps: Iterable[Parts], wanted: Iterable[Parts]) -> list[Parts]:
        """Those of the files that are `PERHAPS` wanted that belong to one that is; paths from the mount's root.

        Metadata apply to files of their directory and below (`bids.applies`); so does what describes a data set.
        """
        by_directory: dict[Parts, list[tuple[Parts, Name]]] = {}
        for path in perhaps:
            by_directory.setdefault(path[:-1], []).append((path, self._name(path)))
        found: dict[Parts, None] = {}
        for path in wanted:
            name = self._name(path)
            for depth in range(len(path)):
                for candidate, told in by_directory.get(path[:depth], ()):
                    if candidate not in found and (candidate[-1] in self._describing or applies(told, name)):
                        found[candidate] = None
        return list(found)

    def seen(self) -> dict[str, list[str]]:
        """Values of what was asked for by name, of files that were not wanted: what else there is."""
        found: dict[str, set[str]] = {}
        for what, value in self._seen:
            found.setdefault(what, set()).add(value)
        return {what: _some(sorted(values)) for what, values in sorted(found.items())}

    def _note(self, name: Name) -> None:
        for entity in self._asked:
            if entity in name.entities:
                self._seen.add((f"--{entity}", name.entities[entity]))
        if self._asks_suffix and name.suffix:
            self._seen.add(("--suffix", name.suffix))
        if self._asks_extension and name.extension:
            self._seen.add(("--ext", name.extension))

    def _name(self, path: Parts) -> Name:
        return parse(path, self._words)


def _some(values: list[str]) -> list[str]:
    return values if len(values) <= SEEN_SHOWN else [*values[:SEEN_SHOWN], f"... ({len(values)})"]
