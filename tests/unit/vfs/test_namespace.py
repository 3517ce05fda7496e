"""Paths to inodes: what is looked up anew, what is remembered, and what a refresh forgets."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest

from mountnd.catalog.catalogue import Catalogue
from mountnd.errors import NotADirectory, NotFound
from mountnd.stats import Stats
from mountnd.stores.memory import MemoryStore
from mountnd.vfs.inodes import ROOT_NUMBER
from mountnd.vfs.namespace import Namespace
from mountnd.workers import Waiter, Workers

FILES = {"README": b"r", "sub-01/anat/T1w.nii": b"one", "sub-01/anat/T2w.nii": b"two"}


@pytest.fixture
def workers() -> Iterator[Workers]:
    workers = Workers(4, "names")
    yield workers
    workers.close()


def catalogue(store: MemoryStore, workers: Workers) -> Catalogue:
    return Catalogue(store, ttl=3600, workers=workers, waiter=Waiter(), timeout=20, stats=Stats())


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore(FILES)


@pytest.fixture
def single(store: MemoryStore, workers: Workers) -> Namespace:
    return Namespace({"ds": catalogue(store, workers)}, single=True)


def components(path: bytes) -> Sequence[bytes]:
    return [name for name in path.split(b"/") if name]


def test_an_inode_has_the_path_that_leads_to_it(single: Namespace, store: MemoryStore, workers: Workers) -> None:
    several = Namespace({"ds": catalogue(store, workers), "other": catalogue(store, workers)}, single=False)
    for top, names in ((b"", single), (b"/other", several)):
        for path in (b"/README", b"/sub-01/anat/T1w.nii"):
            assert names.path(names.resolve(top + path)) == (top + path).decode()[1:]
        assert names.path(names.resolve(top + b"/sub-01")) == (top + b"/sub-01/").decode()[1:]
    assert single.path(single.root) == several.path(several.root) == ""


def test_paths_lead_where_their_names_do(single: Namespace) -> None:
    assert single.resolve(b"/") == single.resolve_directory(b"") == single.root
    assert single.root.number == ROOT_NUMBER
    inode = single.root
    for name in (b"sub-01", b"anat", b"T1w.nii"):
        inode = single.lookup(inode, name)
    assert single.resolve(b"/sub-01/anat/T1w.nii") == inode
    anat = single.resolve(b"/sub-01/anat")
    assert anat.is_dir
    assert single.resolve_directory(b"/sub-01/anat").number == anat.number
    with pytest.raises(NotFound):
        single.resolve(b"/sub-01/none")
    with pytest.raises(NotADirectory):
        single.lookup(inode, b"x")


def test_a_remembered_directory_costs_no_request_and_no_lookup(
    single: Namespace, store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A walk of thousands of directories must not look each name on the way up again."""
    store.calls.clear()
    directory = single.resolve_directory(b"/sub-01/anat")
    assert not store.calls, "the caller knows that it is one"
    monkeypatch.setattr(single, "lookup", None)
    assert single.resolve_directory(b"/sub-01/anat") is directory
    monkeypatch.undo()
    single.refresh([b"sub-01"])
    assert single.resolve_directory(b"/sub-01/anat") is not directory


def test_directories_are_forgotten_once_they_are_many(single: Namespace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mountnd.vfs.namespace.DIRECTORIES", 4)
    first = single.resolve_directory(b"/a")  # beside the root
    for name in (b"/b", b"/c"):
        single.resolve_directory(name)
    assert single.resolve_directory(b"/a") is first
    single.resolve_directory(b"/d")
    assert single.resolve_directory(b"/a") is not first


def test_a_refresh_believes_nothing_below_a_path(single: Namespace, store: MemoryStore) -> None:
    path = b"/sub-01/anat/T1w.nii"
    before = single.resolve(path)
    with pytest.raises(NotFound):
        single.resolve(b"/sub-01/anat/new.nii")
    store.put("sub-01/anat/T1w.nii", b"longer than before")
    store.put("sub-01/anat/new.nii", b"new")
    assert single.resolve(path) == before
    single.refresh(components(b"/sub-01"))
    after = single.resolve(path)
    assert after.number == before.number
    assert after.entry.stat is not None and after.entry.stat.size == len(b"longer than before")
    assert single.resolve(b"/sub-01/anat/new.nii").entry.stat is not None


def test_a_refresh_of_a_missing_path_forgets_that_it_is_missing(single: Namespace, store: MemoryStore) -> None:
    with pytest.raises(NotFound):
        single.resolve(b"/later.txt")
    store.put("later.txt", b"x")
    with pytest.raises(NotFound):
        single.resolve(b"/later.txt")
    single.refresh([b"later.txt"])
    assert single.resolve(b"/later.txt").entry.stat is not None


def test_several_sources_are_a_directory_each(workers: Workers) -> None:
    stores = {"a": MemoryStore({"x": b"1"}), "b": MemoryStore({"x": b"22"})}
    several = Namespace({name: catalogue(store, workers) for name, store in stores.items()}, single=False)
    assert [name for name, _ in several.sources(0)] == [b"a", b"b"]
    assert [name for name, _ in several.sources(1)] == [b"b"]
    one, two = several.resolve(b"/a/x"), several.resolve(b"/b/x")
    assert one.number != two.number
    assert (
        several.resolve_directory(b"/a").number
        == several.resolve(b"/a").number
        == dict(several.sources(0))[b"a"].number
    )
    for refused in (lambda: several.resolve(b"/c"), lambda: several.refresh([b"c"])):
        with pytest.raises(NotFound):
            refused()
    stores["b"].put("x", b"333")
    several.refresh([])
    stat = several.resolve(b"/b/x").entry.stat
    assert stat is not None and stat.size == 3


def test_only_one_source_can_be_the_root(workers: Workers) -> None:
    sources = {name: catalogue(MemoryStore({}), workers) for name in "ab"}
    with pytest.raises(ValueError):
        Namespace(sources, single=True)
