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
from .request import PrefetchRequest


class Verdict(Enum):
    """What a file is."""

    NO = "not wanted"
    YES = "wanted"
    PERHAPS = "wanted where it belongs to one that is: metadata, or a file that describes a data set"


class Selection:
    """What a request says of names. Entities are those of a whole path, from the mount's root; patterns are of paths
    below the directory that is prefetched."""

    def __init__(self, request: PrefetchRequest) -> None:
        self._include, self._exclude = Globs(request.include), Globs(request.exclude)
        self._words, self._wanted = request.vocabulary, None
        if request.by_entities:
            self._wanted = Wanted(request.entities, request.suffixes, request.extensions, request.vocabulary)
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

    def _name(self, path: Parts) -> Name:
        return parse(path, self._words)
