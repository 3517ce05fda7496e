"""Policy: small sidecars of one directory are read together, so one brings those beside it.

A sidecar brings others of its directory: those of its own stem first (`sub-01_dwi.bval` beside `sub-01_dwi.bvec`),
then, unless the directory is very large, the nearest in listing order. Any other file, such as an image, brings those
of its stem that were seen to be read after files of its kind. Where a program does read sidecars together this saves a
round trip for each; where it does not it costs requests. Two kinds of credit keep these few:

- One for each relation, in directories: "events.tsv of the same entities" may be predicted in two. A right prediction
  adds two more, a wrong one was paid for. So what a walk leaves out is soon left alone.
- One for all, in files, in the same way. When it is used up nothing is predicted until the program itself opens two
  sidecars in one directory, or one beside an image, which adds a file to it.

Pure but for its memory: no I/O, no clock. Each source has one; the caller serialises calls.
"""

from __future__ import annotations

from collections import OrderedDict
from itertools import islice
from typing import NamedTuple

from ...stats import PREFETCHED_SIDECARS
from .names import OTHER, Path, ending, extension, likeness
from .policy import Decision, KnownFiles, Neighbour, Prediction

# What datasets keep in small files beside larger ones: BIDS' metadata, events and scans, and a DWI's gradients
# (bids-specification.readthedocs.io). Further ones are learned.
SIDECARS = frozenset({".json", ".tsv", ".bval", ".bvec"})
# Never learned: an image that fits into the kernel's readahead looks as if it was read whole when only its header was.
# NIfTI, Analyze, MGH, MINC, GIFTI, MRtrix: what nibabel and FSL, FreeSurfer and MRtrix open.
IMAGES = frozenset({".nii", ".img", ".hdr", ".mgh", ".mgz", ".mnc", ".gii", ".mif", ".nii.gz", ".img.gz", ".mif.gz"})
# A sidecar is no larger, in bytes: one block costs a round trip and little else.
SMALL = 64 << 10
# Predictions of one directory at a time; how many places before and behind a file they lie (each is decoded), and where
# only those of its stem or entities count, which listings keep together.
PER_DIRECTORY, REACH, NEAR = 16, 24, 8
# In a directory of more names than this, neighbours are not read together for being neighbours: sequences see to those.
LARGE = 64
# Directories (each look into a large one counts) in which a relation may be predicted before it proved right, and how
# much credit it can have.
RELATION_CREDIT, RELATION_CREDIT_MAX = 2, 16
# Predictions in all before one proved right (two directories), and how much credit there can be.
CREDIT, CREDIT_MAX = 2 * PER_DIRECTORY, 64
# Looks that found nothing to predict, 50 to 150 us each, since a right prediction: then none are made until sidecars
# are opened together again, which allows so many more.
FRUITLESS_MAX, FRUITLESS_REGAINED = 32, 2
# Directories, relations, and endings remembered: more than the threads of one program work on at a time.
DIRECTORIES, RELATIONS, ENDINGS = 64, 512, 32
# Names opened in one directory that are remembered (those in reach), and the last of them that may have led to one.
OPENED, LATELY = 2 * REACH, 8


class Relation(NamedTuple):
    """How a prediction follows from an open: `opener` is "" for a sidecar, else the ending of the opened file."""

    opener: str
    likeness: int
    ending: str


class _Directory:
    """One directory: what was opened in it, what is predicted."""

    __slots__ = ("large", "more", "opened", "predicted")

    def __init__(self) -> None:
        self.opened: OrderedDict[str, str] = OrderedDict()  # name -> opener as in `Relation`
        self.predicted: dict[str, Relation] = {}  # not opened yet
        self.more = True  # there may be something left to predict
        self.large = False  # it was found to be


class SidecarPolicy:
    """The small files beside those that are opened in one source."""

    counter = PREFETCHED_SIDECARS

    def __init__(self, known: KnownFiles) -> None:
        self._known = known
        self._directories: OrderedDict[Path, _Directory] = OrderedDict()
        self._credit, self._fruitless = CREDIT, 0
        self._relations: OrderedDict[Relation, int] = OrderedDict()
        self._openers: set[str] = set()
        self._endings = set(SIDECARS)
        self._seen: OrderedDict[str, Path] = OrderedDict()  # an ending that may be learned -> where it was opened

    def opened(self, path: Path, size: int) -> Decision:
        """A program opened `path` (of `size` bytes)."""
        name = path[-1]
        d, dropped = self._directory(path[:-1])
        if name in d.opened:
            return Decision((), dropped)
        opener = "" if size <= SMALL and extension(name) in self._endings else ending(name) or "_"
        strayed = not opener and self._learn(d, path)
        d.opened[name] = opener
        if len(d.opened) > OPENED:
            d.opened.popitem(last=False)
        worth = opener in self._openers if opener else d.more and (strayed or len(d.predicted) <= PER_DIRECTORY // 2)
        if not worth or self._credit <= 0 or self._fruitless >= FRUITLESS_MAX:
            return Decision((), dropped)
        decision = self._predict(d, path, opener)
        return Decision(decision.predicted, [*dropped, *decision.dropped])

    def closed(self, path: Path, size: int, stop: int) -> None:
        """A program closed `path`, having read up to byte `stop` of `size`. What is small and read whole in two
        directories is a sidecar."""
        if not stop or stop < size or size > SMALL:
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
        """The record of a directory; predictions that are dropped with the record that had to go for it."""
        d = self._directories.get(path)
        if d is not None:
            self._directories.move_to_end(path)
            return d, []
        d = self._directories[path] = _Directory()
        if len(self._directories) <= DIRECTORIES:
            return d, []
        where, old = self._directories.popitem(last=False)
        return d, [(*where, name) for name in old.predicted]

    def _learn(self, d: _Directory, path: Path) -> bool:
        """A sidecar was opened: adds credit to the relations that predicted it, or would have.

        Returns whether nobody had predicted it.
        """
        name = path[-1]
        right = d.predicted.pop(name, None)
        if right is not None:
            self._credit, self._fruitless = min(CREDIT_MAX, self._credit + 2), 0
            self._credit_relation(right, 2)
        elif self._known.predicted(path):
            return False  # a sequence has seen to it, and to what follows
        shown = self._relations_to(d, name) - {right}
        if shown and right is None:
            self._credit = min(CREDIT_MAX, self._credit + 1)
            self._fruitless = min(self._fruitless, FRUITLESS_MAX - FRUITLESS_REGAINED)
            d.more = True
        for relation in shown:
            self._credit_relation(relation, 1)
            if relation.opener and len(self._openers) < RELATIONS:
                self._openers.add(relation.opener)
        return right is None

    @staticmethod
    def _relations_to(d: _Directory, name: str) -> set[Relation]:
        """The relations that lead to `name` from the files opened lately: from those most like it."""
        lately = [(likeness(o, name), opener) for o, opener in islice(reversed(d.opened.items()), LATELY)]
        closest = min(lately, default=(OTHER, ""))[0]
        openers = {opener for how, opener in lately if how == closest}
        if closest == OTHER:
            openers &= set() if d.large else {""}
        return {Relation(opener, closest, ending(name)) for opener in openers}

    def _predict(self, d: _Directory, path: Path, opener: str) -> Decision:
        """New predictions in the directory of `path`, and old ones that make room for them."""
        near = self._known.neighbours(path, NEAR if opener or d.large else REACH)
        if near is None:
            return Decision()
        name = path[-1]
        d.large = more = near.names > LARGE
        fitting = [b for b in near.files if self._fits(d, b)]
        left = list(d.predicted)[: max(0, len(d.predicted) - PER_DIRECTORY // 2)]
        for old in left:
            del d.predicted[old]
        ranked = sorted((likeness(name, b.name), abs(b.places), b.places < 0, b.name) for b in fitting)
        out: list[Prediction] = []
        used: set[Relation] = set()
        for how, _, _, other in ranked:
            relation, predicted = Relation(opener, how, ending(other)), (*path[:-1], other)
            if how == OTHER and (opener or d.large):
                break
            if self._known.predicted(predicted):
                continue
            if self._credit <= 0 or len(d.predicted) >= PER_DIRECTORY:
                more = True
                break
            if relation not in used:
                if self._credit_relation(relation, 0) <= 0:
                    continue
                self._credit_relation(relation, -1)
                used.add(relation)
            self._credit -= 1
            d.predicted[other] = relation
            out.append(Prediction(predicted))
        if not opener:
            d.more = more
        if not out:
            self._fruitless += 1
        return Decision(out, [(*path[:-1], old) for old in left])

    def _fits(self, d: _Directory, b: Neighbour) -> bool:
        """Whether a file can be predicted at all."""
        small = 0 < b.size <= SMALL and extension(b.name) in self._endings
        return small and b.name not in d.opened and b.name not in d.predicted

    def _credit_relation(self, relation: Relation, n: int) -> int:
        """Add `n` directories to a relation's credit; returns how much that is now."""
        held = self._relations.get(relation)
        if held is None:  # an image's sidecars must be read once first
            held = 0 if relation.opener else RELATION_CREDIT
        held = self._relations[relation] = min(RELATION_CREDIT_MAX, held + n)
        self._relations.move_to_end(relation)
        if len(self._relations) > RELATIONS:
            self._relations.popitem(last=False)
        return held
