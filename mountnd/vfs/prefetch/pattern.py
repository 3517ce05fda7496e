"""Which parts of a path vary: the pure half of the readahead across files.

A walk over a data set opens files of one kind (`*_T1w.nii.gz`) in listing order, and from one to the next
only some parts of the path vary: the subject, in the directory's name and again in the file's; perhaps the
session. `varying_parts` finds those from the paths opened lately, `successors` gives the files that such a walk
opens next. Sessions and runs that the walk skips never vary, so they are not given.

Paths are tuples of components. No I/O, no clock; `Directories` answers from memory or says None.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from enum import Enum
from itertools import pairwise
from typing import NamedTuple, Protocol

Path = tuple[str, ...]


class ChildName(NamedTuple):
    """A name in a directory."""

    text: str
    is_dir: bool

    def order(self) -> bytes:
        """What listings are sorted by: UTF-8, with "/" behind a directory."""
        return (self.text + "/" * self.is_dir).encode("utf-8", "surrogateescape")


class ChildNames(Protocol):
    """The names in a directory, in `ChildName.order`. May decode lazily: only what is looked at is touched."""

    def __len__(self) -> int: ...
    def __getitem__(self, i: int, /) -> ChildName: ...

    def position(self, name: ChildName) -> int:
        """Index of the first that is not before `name`."""


class Directories(Protocol):
    """What is known of the directories of a source."""

    def names(self, path: Path) -> ChildNames | None:
        """The names in a directory; None where they are not known."""
        ...


def contains(names: ChildNames, name: ChildName) -> bool:
    i = names.position(name)
    return i < len(names) and names[i] == name


class Skipped(Enum):
    """A step on the way to the next file that gave none."""

    LACKING = "no such file there"
    UNKNOWN = "a directory whose names are not known"


class VaryingParts(NamedTuple):
    """The parts of a path that vary: directory levels, and `_`-separated parts of the file's name."""

    levels: frozenset[int]
    parts: frozenset[int]


# How alike two names are: up to the extension, up to the last `_` part (BIDS' entities), or neither.
STEM, ENTITIES, OTHER = range(3)

PACKED = frozenset({".gz", ".bz2", ".xz", ".zst"})
_DIGITS = re.compile(r"^\d+")


def kind(path: Path) -> tuple[int, str]:
    """Files of one kind lie equally deep and end alike."""
    return len(path), ending(path[-1])


def ending(name: str) -> str:
    """The last `_` part of a file's name (BIDS' suffix and extension) with the digits it starts with erased, or just
    the extension where the name has no such parts."""
    _, underscore, last = name.rpartition("_")
    return _DIGITS.sub("#", last) if underscore else "*" + name[name.find(".") :]


def extension(name: str) -> str:
    """`.json` of `sub-01.a_T1w.json`, `.nii.gz` of `sub-01_T1w.nii.gz`; "" where there is none."""
    stem, dot, last = name.rpartition(".")
    if not dot or not stem:
        return ""
    if dot + last in PACKED:
        return extension(stem) + dot + last
    return dot + last


def likeness(a: str, b: str) -> int:
    """How alike two names are: `STEM`, `ENTITIES` or `OTHER`."""
    a, b = a.removesuffix(extension(a)), b.removesuffix(extension(b))
    if a == b:
        return STEM
    a, _, _ = a.rpartition("_")
    return ENTITIES if a and a == b.rpartition("_")[0] else OTHER


def varying_parts(paths: Iterable[Path]) -> VaryingParts:
    """What varied between consecutive `paths` (of one kind, oldest first).

    A directory's new name is put into the rest of the path first, as BIDS repeats `sub-01` in every file's
    name: what then still differs varies by itself.
    """
    levels: set[int] = set()
    parts: set[int] = set()
    for old, new in pairwise(paths):
        for level in range(len(new) - 1):
            if old[level] != new[level]:
                levels.add(level)
                old = _with_component(old, level, new[level])
        before, after = old[-1].split("_"), new[-1].split("_")
        if len(before) != len(after):
            parts.update(range(max(len(before), len(after))))
        else:
            parts.update(i for i, (x, y) in enumerate(zip(before, after, strict=True)) if x != y)
    return VaryingParts(frozenset(levels), frozenset(parts))


def _with_component(path: Path, level: int, name: str) -> Path:
    """`path` with component `level` replaced, and its old name in all later components too."""
    old = path[level]
    later = tuple(c.replace(old, name) if len(old) > 1 else c for c in path[level + 1 :])
    return (*path[:level], name, *later)


def successors(directories: Directories, path: Path, varying: VaryingParts) -> Iterator[Path | Skipped]:
    """The files after `path` in listing order that differ from it only in what varies. Lazy: look as far as needed.

    What is skipped is given too, as a way without any such file may be long. Directories that are not known are never
    asked for.
    """
    return _descend(directories, path, varying, 0, after=True)


def _descend(
    directories: Directories, path: Path, varying: VaryingParts, level: int, *, after: bool
) -> Iterator[Path | Skipped]:
    if level == len(path) - 1:
        yield from _files(directories, path, varying.parts, after=after)
        return
    if level not in varying.levels:
        yield from _descend(directories, path, varying, level + 1, after=after)
        return
    names = directories.names(path[:level])
    if names is None:
        yield Skipped.UNKNOWN
        return
    for i in range(names.position(ChildName(path[level], True)) if after else 0, len(names)):
        name = names[i]
        if not name.is_dir:
            yield Skipped.LACKING
            continue
        still = after and name.text == path[level]
        yield from _descend(
            directories, path if still else _with_component(path, level, name.text), varying, level + 1, after=still
        )


def _files(directories: Directories, path: Path, parts: frozenset[int], *, after: bool) -> Iterator[Path | Skipped]:
    directory, wanted = path[:-1], path[-1]
    names = directories.names(directory)
    if names is None:
        yield Skipped.UNKNOWN
        return
    if not parts:
        if not after:
            yield path if contains(names, ChildName(wanted, False)) else Skipped.LACKING
        return
    fixed, kept_ending = wanted.split("_"), ending(wanted)
    for i in range(names.position(ChildName(wanted, False)) if after else 0, len(names)):
        name = names[i]
        if after and name.text == wanted:
            continue
        yield (
            (*directory, name.text)
            if not name.is_dir and _fits(name.text, fixed, kept_ending, parts)
            else Skipped.LACKING
        )


def _fits(name: str, fixed: Sequence[str], kept_ending: str, parts: frozenset[int]) -> bool:
    """Whether a file's name is of the same kind as one made of the parts `fixed`, but for the `parts` that vary."""
    if ending(name) != kept_ending:
        return False
    got = name.split("_")
    return len(got) == len(fixed) and all(i in parts or got[i] == fixed[i] for i in range(len(got)))
