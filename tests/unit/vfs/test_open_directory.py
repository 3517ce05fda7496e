"""Rows of an open directory: names alone are the names, numbers, types and places that rows with attributes have."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from contextlib import contextmanager

from hypothesis import given, settings

from mountnd.catalog.catalogue import Catalogue
from mountnd.stats import Stats
from mountnd.stores.base import ObjectId, ObjectStat
from mountnd.stores.memory import MemoryStore
from mountnd.vfs.handles import Handles
from mountnd.vfs.inodes import Inode, Ownership
from mountnd.vfs.namespace import Namespace
from mountnd.vfs.open_directory import OpenDirectory
from mountnd.workers import Waiter, Workers
from tests.model.keys import key_sets

OWNER = Ownership(uid=1000, gid=1000)


class NoBlocks:
    def open(self, id: ObjectId, size: int) -> object:
        return id


class Tree:
    """Open directories of a namespace, nothing open."""

    def __init__(self, namespace: Namespace) -> None:
        self.namespace, self.handles = namespace, Handles(NoBlocks())  # type: ignore[arg-type]

    def open(self, path: bytes) -> OpenDirectory:
        inode = self.namespace.resolve_directory(path)
        scan = None if inode.catalogue is None else inode.catalogue.scan(inode.entry)
        return OpenDirectory(inode, scan, self.namespace, OWNER, self.handles)


@contextmanager
def tree(*stores: MemoryStore) -> Iterator[Tree]:
    """One store as the root, or several in a directory each."""
    workers = Workers(2, "names")
    try:
        sources = {
            f"s{i}": Catalogue(store, ttl=3600, workers=workers, waiter=Waiter(), timeout=20, stats=Stats())
            for i, store in enumerate(stores)
        }
        yield Tree(Namespace(sources, single=len(stores) == 1))
    finally:
        workers.close()


def assert_same_rows(tree: Tree, path: bytes = b"") -> int:
    """Compare what a directory tells in both forms, from each offset on, and those below it. Returns how many rows."""
    directory = tree.open(path)
    full = list(directory.rows(0))
    brief = [(name, a.ino, stat.S_ISDIR(a.mode), following) for name, a, following in full]
    for offset in range(len(full) + 1):
        assert list(directory.names(offset)) == brief[offset:]
        assert list(directory.rows(offset)) == full[offset:]
        assert not (directory.ended(offset) and offset < len(full))
    count = len(full)
    for row, (name, attributes, _) in zip(brief, full, strict=True):
        if row[2] and name != b"..":
            # A listing below may have told of its marker, and so of its date, meanwhile.
            assert directory.attributes(row)._replace(mtime_ns=0) == attributes._replace(mtime_ns=0)
            if name != b".":
                count += assert_same_rows(tree, path + b"/" + name)
    directory.close()
    return count


@settings(deadline=None)  # it starts threads
@given(key_sets)
def test_names_are_those_of_the_rows(keys: dict[str, int]) -> None:
    with tree(MemoryStore({key: b"x" * size for key, size in keys.items()})) as shown:
        assert_same_rows(shown)


def test_names_of_several_sources_are_those_of_the_rows() -> None:
    with tree(MemoryStore({"a/b": b"1", "c": b"22"}), MemoryStore({"d": b""})) as shown:
        assert assert_same_rows(shown) == (2 + 2) + (2 + 2) + (2 + 1) + (2 + 1)


def test_a_read_directory_has_ended_without_another_question() -> None:
    with tree(MemoryStore({f"f{i}": b"" for i in range(5)})) as shown:
        list(shown.open(b"").names(0))  # lists it
        directory = shown.open(b"")
        assert [directory.ended(offset) for offset in (0, 1, 2, 3, 6, 7, 8)] == [False] * 5 + [True] * 2


def test_rows_show_the_version_that_is_held_open_and_names_are_the_same() -> None:
    with tree(MemoryStore({"f": b"new"})) as shown:
        inode = shown.namespace.resolve(b"/f")
        held = ObjectStat(ObjectId("s", "f", '"old"', "", 10), 10, 7)
        shown.handles.add(Inode(inode.number, inode.catalogue, inode.entry), held)
        (*_, (name, attributes, _)) = shown.open(b"").rows(0)
        assert (name, attributes.size, attributes.mtime_ns) == (b"f", 10, 7)
        assert_same_rows(shown)
