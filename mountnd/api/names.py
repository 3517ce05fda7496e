"""Names, many at once: a walk that lists in bulk, and paths looked up side by side."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import NamedTuple

from ..catalog.model.entry import Entry
from ..errors import Forbidden, MountndError, NotFound
from ..vfs.inodes import Inode
from ..vfs.tree import Vfs
from .places import joined
from .trees import LOOKUPS, OpenTree

# Unknown directories from which on the one around them is listed first: then it is known what else there is, and the
# readahead of names lists subtrees instead of directories.
AROUND, AROUND_NAMES = 4, 5_000


class Walked(NamedTuple):
    """A directory of a walk: its path as names begin with it, how deep it lies (1: the top), and what is in it."""

    path: str
    depth: int
    entries: list[Entry]


def walk(tree: OpenTree, top: Inode, path: str, maxdepth: int | None = None, prefix: str = "") -> Iterator[Walked]:
    """Directories from `top` on, in the order in which the readahead of names lists them.

    A directory below `top` that is gone or may not be listed is left out.

    Args:
        path: of `top`.
        maxdepth: how many levels are listed.
        prefix: how the names right below `top` begin; others are left out.
    """
    stack: list[tuple[Inode, str, int]] = [(top, path, 1)]
    wanted = os.fsencode(prefix)

    def listed(directory: tuple[Inode, str, int]) -> list[Entry]:
        inode, _, depth = directory
        try:
            return [e for e in tree.vfs.children(inode) if depth > 1 or e.name.startswith(wanted)]
        except (Forbidden, NotFound):
            if depth == 1:
                raise
            return []

    while stack:
        # Where each directory is a request of its own, several at a time.
        batch = [stack.pop() for _ in range(1 if tree.flat else min(LOOKUPS, len(stack)))]
        for (inode, where, depth), entries in zip(batch, tree.side_by_side(listed, batch), strict=True):
            yield Walked(where, depth, entries)
            if maxdepth is not None and depth >= maxdepth:
                continue
            below = [entry for entry in reversed(entries) if entry.is_dir]
            stack += [
                (child_of(tree.vfs, inode, one), joined(where, os.fsdecode(one.name)), depth + 1) for one in below
            ]


def child_of(vfs: Vfs, directory: Inode, entry: Entry) -> Inode:
    """The inode of an entry of a directory. Its number is that of none: it is for listing only."""
    return vfs.lookup(directory, entry.name) if directory.catalogue is None else Inode(0, directory.catalogue, entry)


def look_up(tree: OpenTree, paths: Sequence[bytes]) -> list[Inode | MountndError]:
    """What each of these paths (from the tree's root, no slash around them) is, or why it is nothing."""
    vfs, found = tree.vfs, dict[bytes, Inode | MountndError]()
    by_directory: dict[bytes, list[bytes]] = {}
    for path in dict.fromkeys(paths):
        by_directory.setdefault(path.rpartition(b"/")[0], []).append(path)
    unknown = [directory for directory in by_directory if not _is_known(vfs, directory)]
    if len(unknown) >= AROUND:
        _list_around(tree, unknown)

    def look(directory: bytes) -> None:
        for path in by_directory[directory]:
            try:
                found[path] = vfs.resolve(b"/" + path)
            except MountndError as e:
                found[path] = e

    waiting = set(unknown)
    for directory in by_directory:
        if directory not in waiting:
            look(directory)
    for _ in tree.side_by_side(look, unknown):
        pass
    return [found[path] for path in paths]


def _is_known(vfs: Vfs, directory: bytes) -> bool:
    try:
        inode = vfs.resolve_directory(b"/" + directory if directory else b"")
        return inode.catalogue is None or inode.catalogue.known(inode.entry) is not None
    except MountndError:
        return True  # looking up tells


def _list_around(tree: OpenTree, directories: Sequence[bytes]) -> None:
    around = os.path.commonpath([b"/" + directory for directory in directories]).rstrip(b"/")
    try:
        for _ in islice(tree.vfs.children(tree.vfs.resolve_directory(around)), AROUND_NAMES):
            pass
    except MountndError:
        pass  # looking up tells
