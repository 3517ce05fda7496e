"""Which files on its way a program opens: learnt from those it opened and those it passed by.

What a file is called says which of them it is (`bold.json` of `sub-01_task-rest_bold.json`: what its directories say is
erased from it), and where that has not been seen its ending, then its extension. Where only some of these are opened,
as those of one session, the one directory on its path that tells most decides: R. C. Holte, Very simple
classification rules perform well on most commonly used datasets, Machine Learning 11, 1993.

Pure but for its memory.
"""

from __future__ import annotations

from collections.abc import Iterator

from .names import Path, called, ending, extension

# Each file counts less by this factor with every further one: what a program leaves out is left alone after three.
FADING = 0.75
# A directory that was met twice on the way to such files says something, and so does a name that was passed by twice.
ENOUGH = 1.5
# Of what it has not met a walk takes nothing, unless it took more than this share of what it met for the first time.
ALL = 0.75
# What is remembered; beyond that, only endings are.
REMEMBERED = 4096
CALLED = "="


class _Seen:
    """How many files of one kind were met, and how many of these opened; the older the less each counts."""

    __slots__ = ("met", "opened")

    def __init__(self) -> None:
        self.met = self.opened = 0.0

    def note(self, opened: bool) -> None:
        self.met = FADING * self.met + 1
        self.opened = FADING * self.opened + opened

    def take_back(self) -> None:
        """One that was passed by lately was opened after all."""
        self.met = max(self.opened, self.met - FADING)

    @property
    def share(self) -> float:
        return self.opened / self.met if self.met else 0.0


class Evidence:
    """What one walk has opened and passed by."""

    __slots__ = ("_places", "_unmet", "_whats")

    def __init__(self) -> None:
        self._whats: dict[str, _Seen] = {}
        self._places: dict[tuple[int, str, str], _Seen] = {}  # by level, name of the directory there, and what
        self._unmet = _Seen()  # files whose extension was met for the first time so deep

    def note(self, path: Path, opened: bool, *, by_name: bool = False) -> None:
        """The walk opened `path`, or passed it by. `by_name`: this says something of files that are called so only."""
        if len(self._places) + len(self._whats) > REMEMBERED:
            self._places.clear()
            self._whats = {what: seen for what, seen in self._whats.items() if not what.startswith(CALLED)}
        *_, widest = _whats(path)
        if widest not in self._whats:
            self._unmet.note(opened)
        for seen in self._about(path, by_name):
            seen.note(opened)

    def pass_directory(self, level: int, name: str, path: Path) -> None:
        """A directory at this level was passed by on the way to `path`: files like that one in it are not wanted."""
        for what in _whats(path):
            self._places.setdefault((level, name, what), _Seen()).note(False)

    def take_back(self, path: Path, *, by_name: bool = False) -> None:
        """`path`, which was noted as passed by lately, was not."""
        for seen in self._about(path, by_name):
            seen.take_back()

    def forgive(self) -> None:
        """It went another way than was thought: of kinds that it opens, what was passed by says nothing."""
        self._places.clear()
        for seen in self._whats.values():
            if seen.opened:
                seen.met = seen.opened

    def wants(self, path: Path) -> bool:
        """Whether the walk will open `path` when it comes by."""
        alike = self._whats.get(_ending(path))
        if alike is not None and not alike.opened and alike.met >= ENOUGH:
            return False  # as most on a way are: the rest takes three times as long
        for what in _whats(path):
            seen = self._whats.get(what)
            if seen is not None and (seen.opened or seen.met >= ENOUGH or not what.startswith(CALLED)):
                break
        else:
            return self._unmet.share > ALL
        base = share = seen.share
        most = 0.0
        for level, place in enumerate(path[:-1]):
            there = self._places.get((level, place, what))
            if there is not None and there.met >= ENOUGH and abs(there.share - base) > most:
                share, most = there.share, abs(there.share - base)
        return share > 0.5

    def has_opened(self, path: Path) -> bool:
        """Whether the walk has opened files that are called like `path`."""
        alike = self._whats.get(CALLED + called(path))
        return alike is not None and alike.opened > 0

    def _about(self, path: Path, by_name: bool) -> Iterator[_Seen]:
        """What is remembered of such files, of whatever breadth."""
        for what in _whats(path):
            yield self._whats.setdefault(what, _Seen())
            for level, place in enumerate(path[:-1]):
                yield self._places.setdefault((level, place, what), _Seen())
            if by_name:
                return


def _whats(path: Path) -> Iterator[str]:
    """What a file is, the narrowest first: but for its name this is told of files that lie equally deep."""
    yield CALLED + called(path)
    yield _ending(path)
    yield f".{len(path)} {extension(path[-1])}"


def _ending(path: Path) -> str:
    return f"_{len(path)} {ending(path[-1])}"
