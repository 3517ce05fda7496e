"""The orders in which programs walk a tree: which files come after one, for a program that goes through all of them.

`find`, `tar` and `grep -r` go where the listing goes, files and directories as they come; `os.walk`, `rsync` and globs
take a directory's files before its sub-directories; `pathlib`'s newer globs take the last sub-directory first; `cp -r`
sorts each directory by inode number; people's numbered names are sorted as numbers by pybids and others. Whoever lists
first and opens afterwards follows the order in which directories were listed.

Pure: `Tree` answers from memory or says None. Lazy: a walk looks as far as it needs.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple, Protocol

from .names import Path

# Directories of more names than this are taken as they are listed only: other orders sort all of it.
SORTED_MAX = 4096


class Sorting(Enum):
    """How the names of one directory follow each other."""

    LISTED = "as listed"
    NUMBER = "by inode number"
    NATURAL = "by name, digits as numbers"


class Child(NamedTuple):
    """A name in a directory; `size` in bytes, 0 of a directory."""

    name: str
    is_dir: bool
    size: int


class Directory(Protocol):
    """The names in a directory, as listed: sorted by their bytes, a directory's with a "/" behind."""

    def __len__(self) -> int: ...

    def position(self, name: str, is_dir: bool) -> int:
        """Index of the first that is not before this name."""
        ...

    def children(self, start: int = 0) -> Iterator[Child]:
        """From index `start` on. Lazy."""
        ...

    def child(self, i: int) -> Child:
        """The one with this index."""
        ...

    def sorted_by(self, sorting: Sorting) -> Sequence[int]:
        """The indices of all of them in this order; called of small directories only, and often."""
        ...


class Tree(Protocol):
    """What is known of the directories of a source."""

    def directory(self, path: Path) -> Directory | None:
        """The names in a directory; None where they are not known."""
        ...

    def listed_after(self, path: Path) -> Iterator[Path]:
        """The directories that programs listed after this one, in this order."""
        ...


class File(NamedTuple):
    """A file on the way; `size` in bytes."""

    path: Path
    size: int


class Step(Enum):
    """A step on the way that is no file."""

    ENTERED = "a directory"
    UNKNOWN = "a directory whose names are not known"


@dataclass(frozen=True)
class Order:
    """An order of walking.

    Attributes:
        files_first: a directory's files come before its sub-directories; else all as they come.
        last_first: the last sub-directory comes first. Only with `files_first`.
        as_listed: directories come as programs listed them, each with its files. Only with `files_first`.
    """

    sorting: Sorting = Sorting.LISTED
    files_first: bool = False
    last_first: bool = False
    as_listed: bool = False


# In the order in which they are preferred where several explain what was opened.
ORDERS = (
    Order(),
    Order(files_first=True),
    Order(files_first=True, as_listed=True),
    Order(files_first=True, last_first=True),
    Order(Sorting.NUMBER),
    Order(Sorting.NATURAL),
)


# Those in which the sub-directories of a directory follow each other as they are listed.
LISTING_ORDERS = frozenset(o for o in ORDERS if o.sorting is Sorting.LISTED and not (o.last_first or o.as_listed))


def after(tree: Tree, path: Path, order: Order) -> Iterator[File | Step]:
    """What comes after the file `path`, which need not exist. Steps are given too: a way without files may be long."""
    if order.as_listed:
        yield from _files_after(tree, path)
        for place in tree.listed_after(path[:-1]):
            yield from _files_of(tree, place)
        return
    ways: list[tuple[Path, Iterator[Child]]] = []
    for level in range(len(path)):
        directory = tree.directory(path[:level])
        if directory is None:
            yield Step.UNKNOWN
        else:
            ways.append((path[:level], _rest(directory, order, path[level], is_dir=level < len(path) - 1)))
    while ways:
        place, children = ways[-1]
        child = next(children, None)
        if child is None:
            ways.pop()
        elif not child.is_dir:
            yield File((*place, child.name), child.size)
        else:
            within = (*place, child.name)
            directory = tree.directory(within)
            yield Step.UNKNOWN if directory is None else Step.ENTERED
            if directory is not None:
                ways.append((within, _arranged(directory, order)))


def natural(name: str) -> list[tuple[int, str]]:
    """What to sort by as pybids (natsort) does: runs of digits by their value, before letters."""
    pieces = _DIGITS.split(name)
    return [(int(p[:18]), "") if i % 2 else (1 << 62, p) for i, p in enumerate(pieces) if p]


_DIGITS = re.compile(r"([0-9]+)")


def _files_after(tree: Tree, path: Path) -> Iterator[File | Step]:
    directory = tree.directory(path[:-1])
    if directory is None:
        yield Step.UNKNOWN
        return
    for child in directory.children(directory.position(path[-1], False)):
        if not child.is_dir and child.name != path[-1]:
            yield File((*path[:-1], child.name), child.size)


def _files_of(tree: Tree, place: Path) -> Iterator[File | Step]:
    directory = tree.directory(place)
    yield Step.UNKNOWN if directory is None else Step.ENTERED
    for child in () if directory is None else directory.children():
        if not child.is_dir:
            yield File((*place, child.name), child.size)


def _arranged(directory: Directory, order: Order) -> Iterator[Child]:
    """All of a directory."""
    if order.files_first:
        return _files_then(directory, 0, _directories(directory, order))
    if is_sorted(directory, order):
        return map(directory.child, directory.sorted_by(order.sorting))
    return directory.children()


def _rest(directory: Directory, order: Order, name: str, *, is_dir: bool) -> Iterator[Child]:
    """What follows `name` in a directory."""
    at = directory.position(name, is_dir)
    if order.files_first:
        if not is_dir:
            return _files_then(directory, at, _directories(directory, order), name)
        if not order.last_first:
            return (c for c in directory.children(at) if c.is_dir and c.name != name)
        return _directories_before(directory, at)
    if not is_sorted(directory, order):
        return (c for c in directory.children(at) if c.name != name)
    ranks = directory.sorted_by(order.sorting)
    if at >= len(ranks) or directory.child(at)[:2] != (name, is_dir):
        return iter(())  # nothing follows a name that is not there
    return map(directory.child, ranks[ranks.index(at) + 1 :])


def _files_then(
    directory: Directory, start: int, directories: Iterable[Child], name: str | None = None
) -> Iterator[Child]:
    yield from (c for c in directory.children(start) if not c.is_dir and c.name != name)
    yield from directories


def _directories(directory: Directory, order: Order) -> Iterator[Child]:
    """The sub-directories of a directory, looked at when they are asked for."""
    if order.last_first:
        yield from _directories_before(directory, len(directory))
    else:
        yield from (c for c in directory.children() if c.is_dir)


def _directories_before(directory: Directory, stop: int) -> Iterator[Child]:
    """The sub-directories before an index, the last one first."""
    return (c for c in map(directory.child, range(stop - 1, -1, -1)) if c.is_dir)


def is_sorted(directory: Directory, order: Order) -> bool:
    """Whether this order takes the names of a directory in another order than they are listed."""
    return order.sorting is not Sorting.LISTED and len(directory) <= SORTED_MAX
