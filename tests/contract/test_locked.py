"""The store of a lockfile: names from the file, bytes from the store around which it is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from mountnd.errors import Changed, Forbidden, NoCredentials, NoSuchBucket, NotFound, Unreachable
from mountnd.lockfile import writing
from mountnd.lockfile.header import Header
from mountnd.lockfile.record import Locked
from mountnd.lockfile.table import Table
from mountnd.locking.listing import record
from mountnd.stores.base import ObjectId, ObjectStat, ShortRead
from mountnd.stores.locked import LockedStore
from mountnd.stores.memory import Call, MemoryStore

from .reading import BODY, keys, listed, read, soon
from .store_contract import StoreContract, World


def locked(store: MemoryStore, path: Path, *more: Locked, below: str = "", root: str = "") -> LockedStore:
    """The objects that a store has now, in a lockfile."""
    objects = [record(stat, root) for stat in all_of(store) if stat.id.key.startswith(root)]
    writing.write(path, Header(source="s3://bkt", root=root), [*objects, *more], overwrite=True)
    return LockedStore(store, Table.load(path), below)


def all_of(store: MemoryStore) -> list[ObjectStat]:
    """All its objects, as a lockfile knows them: their storage class is the server's to tell."""
    objects, token = [], None
    while True:
        page = store.list_page("", delimiter="", token=token, deadline=soon())
        objects += [stat._replace(storage_class="") for stat in page.objects]
        if (token := page.token) is None:
            return objects


class LockedWorld:
    """A key is in the lockfile as it is put first; everything later happens behind its back."""

    def __init__(self, path: Path) -> None:
        self._path, self._memory, self._keys = path, MemoryStore(), set[str]()
        self._made: LockedStore | None = None

    @property
    def store(self) -> LockedStore:
        self._made = self._made or locked(self._memory, self._path)
        return self._made

    def put(self, key: str, body: bytes) -> None:
        self._memory.put(key, body)
        if key not in self._keys:
            self._keys.add(key)
            self._made = None

    def delete(self, key: str) -> None:
        self._memory.delete(key)


class TestLocked(StoreContract):
    no_paths = True

    @pytest.fixture
    def world(self, tmp_path: Path) -> LockedWorld:
        return LockedWorld(tmp_path / "data.lock")

    # names stay what they were, and what is gone is another error: see below

    def test_missing_is_not_found(self, world: World) -> None:
        world.put("here", b"1")
        with pytest.raises(NotFound):
            world.store.head("gone", deadline=soon())

    @pytest.mark.parametrize("other", [b"B" * 1000, b"C" * 1500, b"D" * 500, b""])
    def test_a_replaced_object_gives_no_mixed_bytes(self, world: World, other: bytes) -> None:
        world.put("k", b"A" * 1000)
        (old,), _ = listed(world.store, "")
        assert read(world.store, old.id, 0, 400) == b"A" * 400
        world.put("k", other)
        for _ in "again", "and again":
            assert listed(world.store, "")[0] == [old]
            with pytest.raises(Changed):
                read(world.store, old.id, 0, 400)

    def test_a_deleted_object_is_not_found(self, world: World) -> None:
        world.put("k", BODY)
        (stat,), _ = listed(world.store, "")
        world.delete("k")
        with pytest.raises(Changed):
            read(world.store, stat.id, 0, 10)
        assert world.store.head("k", deadline=soon()) == stat


@pytest.fixture
def memory() -> MemoryStore:
    return MemoryStore({"a": b"first", "d/b": b"second", "d/e/c": b"third"})


def test_names_and_attributes_take_no_request(memory: MemoryStore, tmp_path: Path) -> None:
    store, before = locked(memory, tmp_path / "data.lock"), all_of(memory)
    memory.put("new", b"1")
    memory.delete("d/b")
    memory.calls.clear()
    objects, prefixes = listed(store, "")
    assert (keys(objects), prefixes) == (["a"], ["d/"])
    assert listed(store, "d/")[1] == ["d/e/"]
    assert [store.head(stat.id.key, deadline=soon()) for stat in before] == before
    for key in ("new", "d", "d/", "a\0", "\ud800"):
        with pytest.raises(NotFound):
            store.head(key, deadline=soon())
    assert memory.calls == []


def test_one_get_is_sent_for_bytes_and_its_version_is_named(memory: MemoryStore, tmp_path: Path) -> None:
    store = locked(memory, tmp_path / "data.lock", Locked("x", "x", "v7", 5, '"0cc175b9c0f1b6a831c399e269772661"'))
    memory.calls.clear()
    assert read(store, store.head("a", deadline=soon()).id, 1, 3) == b"irs"
    assert memory.calls == [Call("read", "a", 1, 4)]
    assert store.head("x", deadline=soon()).id.version == "v7"


@pytest.mark.parametrize("become", [lambda memory: memory.put("a", b"other"), lambda memory: memory.delete("a")])
def test_what_is_not_given_any_more_is_changed(
    memory: MemoryStore, tmp_path: Path, become: Callable[[MemoryStore], object]
) -> None:
    store = locked(memory, tmp_path / "data.lock")
    become(memory)
    with pytest.raises(Changed):
        read(store, store.head("a", deadline=soon()).id, 0, 5)


@pytest.mark.parametrize(
    ("raised", "seen"),
    [
        (Forbidden("no", code="AccessDenied"), Changed),
        (Forbidden("no", code="403"), Changed),
        (NotFound("no", code="NoSuchVersion"), Changed),
        (Forbidden("no", code="ExpiredToken"), Forbidden),
        (NoCredentials("no", code="403"), NoCredentials),
        (NoSuchBucket("no", code="NoSuchBucket"), NoSuchBucket),
        (Unreachable("no", code="Connect"), Unreachable),
    ],
)
def test_a_refusal_of_the_object_is_told_from_one_of_the_keys(
    memory: MemoryStore, tmp_path: Path, raised: Exception, seen: type[Exception]
) -> None:
    store = locked(memory, tmp_path / "data.lock")
    id = store.head("a", deadline=soon()).id

    def fault(call: Call) -> None:
        raise raised

    memory.fault = fault
    with pytest.raises(seen) as error:
        read(store, id, 0, 5)
    assert type(error.value) is seen


@pytest.mark.parametrize("version", ["", "null"])
def test_without_version_and_etag_nothing_is_read(memory: MemoryStore, tmp_path: Path, version: str) -> None:
    """Of a bucket that keeps no versions "null" is whatever lies there."""
    store = locked(memory, tmp_path / "data.lock", Locked("lost", "a", version, 5, ""))
    memory.calls.clear()
    with pytest.raises(Changed):
        read(store, store.head("lost", deadline=soon()).id, 0, 5)
    assert memory.calls == []


def test_paths_may_be_other_than_keys(memory: MemoryStore, tmp_path: Path) -> None:
    stat = memory.head("d/e/c", deadline=soon())
    store = locked(memory, tmp_path / "data.lock", Locked("sub-01/x", "d/e/c", "", 5, stat.id.etag))
    assert store.source != memory.source, "its cached bytes are not those of the keys that its paths look like"
    found = store.head("sub-01/x", deadline=soon())
    assert read(store, found.id, 0, 5) == b"third"
    assert store.provider_id(found.id) == stat.id


def test_a_directory_of_it_may_be_shown_alone(memory: MemoryStore, tmp_path: Path) -> None:
    store = locked(memory, tmp_path / "data.lock", root="d/", below="e/")
    assert store.root == "d/e/"
    assert keys(listed(store, store.root)[0]) == ["d/e/c"]
    assert read(store, store.head("d/e/c", deadline=soon()).id, 0, 5) == b"third"


def test_long_directories_are_listed_page_by_page(tmp_path: Path) -> None:
    memory = MemoryStore({f"d/{n:04d}{end}": b"1" for n in range(1500) for end in ("", "/x", "/y", "0")})
    store = locked(memory, tmp_path / "data.lock")
    for delimiter in ("/", ""):
        mine, theirs = [], []
        for one, found in ((store, mine), (memory, theirs)):
            token = None
            while True:
                page = one.list_page("d/", delimiter=delimiter, token=token, limit=700, deadline=soon())
                found.append(([stat.id for stat in page.objects], page.prefixes))
                if (token := page.token) is None:
                    break
        assert mine == theirs
    after = {"start_after": "d/0700/x", "limit": 9, "deadline": soon()}
    assert keys(store.list_page("d/", **after).objects) == keys(memory.list_page("d/", **after).objects)
    assert store.list_page("d/", **after).prefixes == memory.list_page("d/", **after).prefixes


class Beginning(MemoryStore):
    """Begins reads, and notes of which versions."""

    begins_reads = True

    def __init__(self) -> None:
        super().__init__()
        self.begun: list[ObjectId] = []

    def begin_read(self, read: ShortRead) -> bool:
        self.begun.append(read.id)
        return True


def test_reads_are_begun_of_the_version_that_the_lockfile_names(tmp_path: Path) -> None:
    inner = Beginning()
    inner.put("k", BODY)
    store = locked(inner, tmp_path / "data.lock")
    stat = store.head("k", deadline=soon())
    assert store.begins_reads
    assert store.begin_read(ShortRead(stat.id, 0, [memoryview(bytearray(1))], soon(), print))
    assert inner.begun == [stat.id]


def test_of_a_path_that_is_no_key_the_object_behind_it_is_asked_for(tmp_path: Path) -> None:
    inner = Beginning()
    behind = inner.put("elsewhere/k", BODY)
    row = record(behind, "")._replace(path="shown", key="elsewhere/k")
    writing.write(tmp_path / "data.lock", Header(source="s3://bkt", root=""), [row], overwrite=True)
    store = LockedStore(inner, Table.load(tmp_path / "data.lock"))
    stat = store.head("shown", deadline=soon())
    assert stat.id.source != inner.source
    assert store.begin_read(ShortRead(stat.id, 0, [memoryview(bytearray(1))], soon(), print))
    assert [(id.source, id.key) for id in inner.begun] == [(inner.source, "elsewhere/k")]


def test_nothing_is_begun_of_what_no_version_is_named(tmp_path: Path) -> None:
    inner = Beginning()
    id = inner.put("k", BODY).id._replace(etag="", version="")
    store = locked(inner, tmp_path / "data.lock")
    assert not store.begin_read(ShortRead(id, 0, [memoryview(bytearray(1))], soon(), print))
    assert inner.begun == []
