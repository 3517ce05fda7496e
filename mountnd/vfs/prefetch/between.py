"""Which orders may lead from one file to another, and what lies between the two. Pure."""

from __future__ import annotations

from collections.abc import Container, Iterator
from itertools import islice
from typing import NamedTuple

from .names import Path
from .orders import ORDERS, Directory, File, Order, Tree, after, is_sorted

# How far a file may be from another to have come after it in an order: files and directories on the way.
NEAR_FILES, NEAR_DIRECTORIES = 64, 64
# Where it seems that so many directories lie between two files nothing is searched: that is what costs a look most.
FAR_DIRECTORIES = 2 * NEAR_DIRECTORIES
# In a directory of no more names than this, two of them may be near in some order whatever their places in the listing.
SMALL_DIRECTORY = 256


def files_between(tree: Tree, start: Path, stop: Path, order: Order) -> list[Path] | None:
    """The files that come after `start` and before `stop`; None where `stop` is not near."""
    if not order.as_listed:
        distance = _distance(tree, start, stop, order)
        if not distance or distance < 0:
            return None
        if distance > 1 and (distance - 1) * _passed_with_each(tree, start, stop) > FAR_DIRECTORIES:
            return None
    files: list[Path] = []
    directories = 0
    for found in after(tree, start, order):
        if isinstance(found, File):
            if found.path == stop:
                return files
            files.append(found.path)
        else:
            directories += 1
        if len(files) > NEAR_FILES or directories > NEAR_DIRECTORIES:
            break
    return None


class Way(NamedTuple):
    """Whether an order leads from the one to the other, or back; if it does, the files between them."""

    forward: bool
    between: list[Path]


def way(tree: Tree, front: Path, path: Path, order: Order, lately: Container[Path]) -> Way | None:
    """How `order` leads to `path`, not counting files opened `lately`; None where neither is near the other in it."""
    if (between := files_between(tree, front, path, order)) is not None:
        return Way(True, [p for p in between if p not in lately])
    return Way(False, []) if files_between(tree, path, front, order) is not None else None


def orders_between(tree: Tree, a: Path, b: Path) -> tuple[Order, ...]:
    """The orders in which it is worth looking for what lies between two files: where their paths part, both names are
    close to each other in it, or all names are few. Costs some searches."""
    parted = _parted(tree, a, b)
    if parted is None:
        return ()
    directory, level = parted
    if len(directory) <= SMALL_DIRECTORY:
        return ORDERS
    names = [(path[level], level < len(path) - 1) for path in (a, b)]
    if (places := _places(directory, names, ORDERS[0])) and abs(places[0] - places[1]) <= NEAR_FILES:
        return ORDERS
    others = [order for order in ORDERS if is_sorted(directory, order)]
    near = {order: _places(directory, names, order) for order in others}
    return tuple(order for order, places in near.items() if places and abs(places[0] - places[1]) <= NEAR_FILES)


def _parted(tree: Tree, a: Path, b: Path) -> tuple[Directory, int] | None:
    """The directory from which two files are reached on different ways, if it is known, and its level."""
    level = next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), None)
    directory = None if level is None else tree.directory(a[:level])
    return None if directory is None or level is None else (directory, level)


def _distance(tree: Tree, a: Path, b: Path, order: Order) -> int | None:
    """How many names `b` comes after `a` where their paths part, below 0 before; None where that is not known.

    Of a file and a directory that do not lie among each other in this order only the sign is right.
    """
    parted = _parted(tree, a, b)
    if parted is None:
        return None
    directory, level = parted
    names = [(path[level], level < len(path) - 1) for path in (a, b)]
    if order.files_first and names[0][1] != names[1][1]:
        return NEAR_FILES if names[1][1] else -NEAR_FILES
    places = _places(directory, names, order)
    if places is None:
        return None
    distance = places[1] - places[0]
    return -distance if order.last_first and names[0][1] else distance


def _passed_with_each(tree: Tree, a: Path, b: Path) -> int:
    """About how many directories come with each name where two paths part: as many as on the way to `a`, since the
    directories of a data set are alike."""
    level = next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), len(a))
    directories = 1
    for depth in range(len(a) - 1, level, -1):
        directory = tree.directory(a[:depth])
        within = 1 if directory is None else sum(c.is_dir for c in islice(directory.children(), NEAR_DIRECTORIES))
        directories = 1 + within * directories
    return directories


def _places(directory: Directory, names: list[tuple[str, bool]], order: Order) -> list[int] | None:
    """Where names come in a directory in the order of its names; None where there is none."""
    places = [directory.position(*name) for name in names]
    if not is_sorted(directory, order):
        return places
    if max(places) >= len(directory):
        return None
    ranks = directory.sorted_by(order.sorting)
    return [ranks.index(place) for place in places]


def unknown_passed(tree: Tree, front: Path, path: Path) -> Iterator[tuple[int, str]]:
    """Level and name of the directories that a walk in listing order passed by on its way from the one to the other,
    below where their paths part, and whose names are not known."""
    parted = next((i for i, (x, y) in enumerate(zip(front, path, strict=False)) if x != y), len(front))
    for level in range(parted + 1, len(front) - 1):
        directory = tree.directory(front[:level])
        if directory is not None:
            for child in islice(directory.children(directory.position(front[level], True)), NEAR_DIRECTORIES):
                passed = child.is_dir and child.name != front[level]
                if passed and tree.directory((*front[:level], child.name)) is None:
                    yield level, child.name
