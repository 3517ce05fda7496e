"""Readahead across the files of one directory: small sidecars are read together, so one brings those beside it.

A sidecar brings others of its directory: those of its own stem first (`sub-01_dwi.bval` beside `sub-01_dwi.bvec`),
then, unless the directory is very large, the nearest in listing order. Any other file, such as an image, brings those
of its stem that were seen to be read after files of its kind. Where a program does read sidecars together this saves a
round trip for each; where it does not it costs requests, and two purses see to it that these are few:

- One for each relation, in directories: "events.tsv of the same entities" may be guessed in two. A guess that proves
  right earns two more, one that does not was paid for. So what a walk leaves out is soon left alone.
- One for all, in files, in the same way. When it is empty nothing is guessed until the program itself opens two
  sidecars in one directory, or one beside an image, which puts a file into it.

Pure but for its memory: no I/O, no clock. Each source has one; the caller serialises calls.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from itertools import islice
from typing import NamedTuple

from .pattern import OTHER, Path, alike, ending, extension

# What datasets keep in small files beside larger ones: BIDS' metadata, events and scans, and a DWI's gradients
# (bids-specification.readthedocs.io). Further ones are learned.
SIDECARS = frozenset({".json", ".tsv", ".bval", ".bvec"})
# Never learned: an image that fits the kernel's readahead looks as if read whole by who wants its header.
# NIfTI, Analyze, MGH, MINC, GIFTI, MRtrix: what nibabel and FSL, FreeSurfer and MRtrix open.
IMAGES = frozenset({".nii", ".img", ".hdr", ".mgh", ".mgz", ".mnc", ".gii", ".mif", ".nii.gz", ".img.gz", ".mif.gz"})
# A sidecar is no larger, in bytes: one block costs a round trip and little else.
SMALL = 64 << 10
# Guesses of one directory at a time; how many places before and behind a file they lie (each is decoded), and where
# only those of its stem or entities count, which listings keep together.
MOST, REACH, NEAR = 16, 24, 8
# In a directory of more names than this, neighbours are not read together for being neighbours: sweeps see to those.
LARGE = 64
# Directories (each look into a large one counts) in which a relation may be guessed before it proved right, and how
# many it can save up.
RELATION, RELATION_MOST = 2, 16
# Guesses in all before one proved right (two directories), and how many can be saved up.
START, SAVED = 2 * MOST, 64
# Looks that found nothing to guess, 50 to 150 us each, since a guess was right: then none are made until sidecars are
# opened together again, which is worth so many more.
IDLE, AGAIN = 32, 2
# Directories, relations, and endings remembered: more than the threads of one program work on at a time.
DIRECTORIES, RELATIONS, ENDINGS = 64, 512, 32
# Names opened in one directory that are remembered (those in reach), and the last of them that may have led to one.
OPENED, LATELY = 2 * REACH, 8


class Beside(NamedTuple):
    """A file of the same directory: its name, its size in bytes, how many places behind (< 0: before) it lies."""

    name: str
    size: int
    places: int


class Around(NamedTuple):
    """What lies around a file: how many names its directory holds, and the files at most so many places away."""

    names: int
    files: Sequence[Beside]


class Relation(NamedTuple):
    """How a guess follows from what was opened: `opener` is "" for a sidecar, else the ending of the opened file."""

    opener: str
    alike: int
    ending: str


class Step(NamedTuple):
    """What an open leads to: small files to fetch ahead, likeliest first, and guesses that are given up."""

    wanted: Sequence[Path] = ()
    dropped: Sequence[Path] = ()


class _Directory:
    __slots__ = ("guessed", "large", "more", "opened")

    def __init__(self) -> None:
        self.opened: OrderedDict[str, str] = OrderedDict()  # name -> opener as in `Relation`
        self.guessed: dict[str, Relation] = {}  # wanted, not opened yet
        self.more = True  # there may be something left to guess
        self.large = False  # it was found to be


class Siblings:
    """The small files beside those that are opened in one source.

    Args:
        around: what lies within so many places around a file, None where its directory is not known.
        coming: whether a file is being fetched ahead by somebody already.
    """

    def __init__(self, around: Callable[[Path, int], Around | None], coming: Callable[[Path], bool]) -> None:
        self._around, self._coming = around, coming
        self._directories: OrderedDict[Path, _Directory] = OrderedDict()
        self._purse, self._idle = START, 0
        self._purses: OrderedDict[Relation, int] = OrderedDict()
        self._openers: set[str] = set()
        self._endings = set(SIDECARS)
        self._seen: OrderedDict[str, Path] = OrderedDict()  # an ending that may be learned -> where it was opened

    def opened(self, path: Path, size: int) -> Step:
        """A program opened `path` (of `size` bytes)."""
        name = path[-1]
        d, dropped = self._directory(path[:-1])
        if name in d.opened:
            return Step((), dropped)
        opener = "" if size <= SMALL and extension(name) in self._endings else ending(name) or "_"
        strayed = not opener and self._learn(d, path)
        d.opened[name] = opener
        if len(d.opened) > OPENED:
            d.opened.popitem(last=False)
        worth = opener in self._openers if opener else d.more and (strayed or len(d.guessed) <= MOST // 2)
        if not worth or self._purse <= 0 or self._idle >= IDLE:
            return Step((), dropped)
        step = self._look(d, path, opener)
        return Step(step.wanted, [*dropped, *step.dropped])

    def closed(self, path: Path, size: int, stop: int) -> None:
        """A program closed `path`, having read up to byte `stop` of `size`. What is small and read whole in two
        directories is a sidecar."""
        if stop < size or size > SMALL:
            return
        what = extension(path[-1])
        if not what or what in self._endings or what in IMAGES or len(self._endings) >= ENDINGS:
            return
        if self._seen.setdefault(what, path[:-1]) != path[:-1]:
            del self._seen[what]
            self._endings.add(what)
        elif len(self._seen) > ENDINGS:
            self._seen.popitem(last=False)

    def _directory(self, path: Path) -> tuple[_Directory, list[Path]]:
        """The record of a directory; guesses given up with the record that had to go for it."""
        d = self._directories.get(path)
        if d is not None:
            self._directories.move_to_end(path)
            return d, []
        d = self._directories[path] = _Directory()
        if len(self._directories) <= DIRECTORIES:
            return d, []
        where, old = self._directories.popitem(last=False)
        return d, [(*where, name) for name in old.guessed]

    def _learn(self, d: _Directory, path: Path) -> bool:
        """A sidecar was opened: what does that tell of the guess it was, or of those that might have been made?

        Returns whether nobody had guessed it.
        """
        name = path[-1]
        right = d.guessed.pop(name, None)
        if right is not None:
            self._purse, self._idle = min(SAVED, self._purse + 2), 0
            self._pay(right, 2)
        elif self._coming(path):
            return False  # a sweep has seen to it, and to what follows
        shown = self._shown(d, name) - {right}
        if shown and right is None:
            self._purse, self._idle = min(SAVED, self._purse + 1), min(self._idle, IDLE - AGAIN)
            d.more = True
        for relation in shown:
            self._pay(relation, 1)
            if relation.opener and len(self._openers) < RELATIONS:
                self._openers.add(relation.opener)
        return right is None

    @staticmethod
    def _shown(d: _Directory, name: str) -> set[Relation]:
        """What leads to `name` from the files opened lately: from those most like it."""
        lately = [(alike(o, name), opener) for o, opener in islice(reversed(d.opened.items()), LATELY)]
        closest = min(lately, default=(OTHER, ""))[0]
        openers = {opener for how, opener in lately if how == closest}
        if closest == OTHER:
            openers &= set() if d.large else {""}
        return {Relation(opener, closest, ending(name)) for opener in openers}

    def _look(self, d: _Directory, path: Path, opener: str) -> Step:
        """New guesses in the directory of `path`, and old ones that make room for them."""
        around = self._around(path, NEAR if opener or d.large else REACH)
        if around is None:
            return Step()
        name = path[-1]
        d.large = more = around.names > LARGE
        fitting = [b for b in around.files if self._fits(d, b)]
        left = list(d.guessed)[: max(0, len(d.guessed) - MOST // 2)]
        for old in left:
            del d.guessed[old]
        ranked = sorted((alike(name, b.name), abs(b.places), b.places < 0, b.name) for b in fitting)
        out: list[Path] = []
        used: set[Relation] = set()
        for how, _, _, other in ranked:
            relation, guess = Relation(opener, how, ending(other)), (*path[:-1], other)
            if how == OTHER and (opener or d.large):
                break
            if self._coming(guess):
                continue
            if self._purse <= 0 or len(d.guessed) >= MOST:
                more = True
                break
            if relation not in used:
                if self._pay(relation, 0) <= 0:
                    continue
                self._pay(relation, -1)
                used.add(relation)
            self._purse -= 1
            d.guessed[other] = relation
            out.append(guess)
        if not opener:
            d.more = more
        if not out:
            self._idle += 1
        return Step(out, [(*path[:-1], old) for old in left])

    def _fits(self, d: _Directory, b: Beside) -> bool:
        """Whether a file can be guessed at all."""
        small = 0 < b.size <= SMALL and extension(b.name) in self._endings
        return small and b.name not in d.opened and b.name not in d.guessed

    def _pay(self, relation: Relation, n: int) -> int:
        """Put `n` directories into a relation's purse; returns how many are in it."""
        held = self._purses.get(relation)
        if held is None:  # an image's sidecars must be seen to be read first
            held = 0 if relation.opener else RELATION
        held = self._purses[relation] = min(RELATION_MOST, held + n)
        self._purses.move_to_end(relation)
        if len(self._purses) > RELATIONS:
            self._purses.popitem(last=False)
        return held
