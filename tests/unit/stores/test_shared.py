from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from mountnd.errors import Changed, NotFound
from mountnd.lockfile import writing
from mountnd.lockfile.header import Header
from mountnd.lockfile.record import Locked
from mountnd.lockfile.table import Table
from mountnd.stores.base import Deadline, ObjectId
from mountnd.stores.locked import LockedStore
from mountnd.stores.memory import Call, MemoryStore
from mountnd.stores.shared import Shared, by_identity


class Recording(MemoryStore):
    """Says which keys were asked of it."""

    def __init__(self, source: str, root: str) -> None:
        super().__init__({})
        self.source, self.root, self.asked = source, root, list[str]()

    def read(self, id: ObjectId, start: int, views: object, *, deadline: Deadline) -> None:
        self.asked.append(id.key)


def test_each_key_is_read_by_the_store_it_belongs_to() -> None:
    whole, below, beside = Recording("s", ""), Recording("s", "a/b/"), Recording("s", "a/c/")
    store = by_identity([whole, below, beside])["s"]
    for key in ("x", "a/b/k", "a/c/k", "a/bk"):
        store.read(ObjectId("s", key, ""), 0, [], deadline=Deadline(1))
    assert (whole.asked, below.asked, beside.asked) == (["x", "a/bk"], ["a/b/k"], ["a/c/k"])


def test_other_identities_stay_apart() -> None:
    one, other = Recording("s", ""), Recording("s#env", "")
    assert by_identity([one, other]) == {"s": one, "s#env": other}
    assert not isinstance(by_identity([one])["s"], Shared)


def test_a_version_belongs_to_the_lockfile_that_names_it(tmp_path: Path) -> None:
    """Digests are what one lockfile says, and an object that nothing pins is not asked for at all."""
    plain = MemoryStore({"a": b"now"})
    etag = plain.head("a", deadline=Deadline(10)).id.etag
    first, second, lost = (
        _locked(plain, tmp_path / name, record)
        for name, record in (
            ("first.lock", Locked("a", "a", "v1", 3, '"1"', digest="md5:" + "1" * 32)),
            ("second.lock", Locked("a", "a", "v2", 3, '"2"', digest="md5:" + "2" * 32)),
            ("lost.lock", Locked("a", "a", "", 3, "", digest="md5:" + "3" * 32)),
        )
    )
    for stores in itertools.permutations([plain, first, second, lost]):
        shared = by_identity(stores)[plain.source]
        for n, store in enumerate((plain, first, second, lost)):
            id = store.head("a", deadline=Deadline(10)).id
            assert [one.value for one in shared.digests(id, deadline=Deadline(10)).digests] == [str(n) * 32] * bool(n)
        plain.calls.clear()
        with pytest.raises(Changed, match="nothing says which version"):
            shared.read(id, 0, [memoryview(bytearray(3))], deadline=Deadline(10))
        with pytest.raises(NotFound):
            shared.read(ObjectId(plain.source, "gone", etag), 0, [memoryview(bytearray(3))], deadline=Deadline(10))
        assert plain.calls == [Call("read", "gone", 0, 3)]


def _locked(store: MemoryStore, path: Path, record: Locked) -> LockedStore:
    writing.write(path, Header(source="s3://bkt"), [record])
    return LockedStore(store, Table.load(path))
