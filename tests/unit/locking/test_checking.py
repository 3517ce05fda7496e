"""Which objects can still be had, and by how many requests that is found out."""

from __future__ import annotations

from collections.abc import Callable
from itertools import chain

import pytest

from mountnd.errors import Forbidden, Unreachable
from mountnd.lockfile.record import Locked
from mountnd.locking import listing
from mountnd.locking.checking import FEW, checked
from mountnd.stores.memory import Call, MemoryStore


def records_of(store: MemoryStore) -> list[Locked]:
    found = chain.from_iterable(listing.listed(store, 10, lambda _: None))
    return sorted(found, key=lambda one: one.path.encode("utf-8", "surrogateescape"))


def fates(store: MemoryStore, records: list[Locked], **options: bool) -> dict[str, str]:
    """Those of the objects that are not all right."""
    found = list(checked(store, records, len(records), root=store.root, seconds=10, **options))
    assert sorted(one.record.path for one in found) == [one.path for one in records]
    return {one.record.path: one.fate for one in found if one.fate != "ok"}


def many(count: int) -> MemoryStore:
    return MemoryStore({f"sub-{n:05d}/x.nii": str(n).encode() for n in range(count)})


@pytest.mark.parametrize("count", [FEW - 2, 3_000])
@pytest.mark.parametrize("heads", [False, True])
def test_what_changed_or_went_is_named(count: int, heads: bool) -> None:
    store = many(count)
    records = records_of(store)
    store.put("sub-00003/x.nii", b"another")
    store.put("sub-00004/x.nii", b"5")  # of the same size
    store.delete("sub-00007/x.nii")
    store.put("sub-00008/new.nii", b"8")
    store.calls.clear()
    assert fates(store, records, heads=heads) == {
        "sub-00003/x.nii": "changed", "sub-00004/x.nii": "changed", "sub-00007/x.nii": "gone",
    }  # fmt: skip
    if heads or count <= FEW:
        assert (store.count("head"), store.count("list")) == (count, 0)
    else:
        assert store.count("head") == 3
        assert store.count("list") <= count // 1000 + 3


def test_a_few_of_many_cost_no_more_requests_than_there_are() -> None:
    store = many(5_000)
    records = records_of(store)[::100]
    store.calls.clear()
    assert fates(store, records) == {}
    assert len(store.calls) <= len(records)


def test_a_version_is_current_where_it_was_stored_at_the_same_time() -> None:
    store = many(100)
    records = [one._replace(version=f"v{n}") for n, one in enumerate(records_of(store))]
    records[5] = records[5]._replace(mtime_ns=records[5].mtime_ns - 10**9)  # the same bytes, stored once more
    store.calls.clear()
    assert fates(store, records) == {records[5].path: "gone"}, "MemoryStore has no older versions"
    assert (store.count("list"), store.count("head")) == (1, 0)


@pytest.mark.parametrize("version", ["", "null"])
def test_an_object_that_nothing_pins_is_named_without_a_request(version: str) -> None:
    store = many(3)
    assert fates(store, [Locked("lost", "sub-00001/x.nii", version, 1, "")]) == {"lost": "unknown"}
    assert store.count("head") == 0


def refuse(what: Callable[[Call], bool], error: Exception) -> Callable[[Call], None]:
    def fault(call: Call) -> None:
        if what(call):
            raise error

    return fault


def test_where_listing_is_refused_each_is_asked_for() -> None:
    store = many(200)
    records = records_of(store)
    store.delete("sub-00007/x.nii")
    store.fault = refuse(lambda call: call.op == "list", Forbidden("no", code="AccessDenied"))
    assert fates(store, records) == {"sub-00007/x.nii": "gone"}


def test_what_is_refused_is_named_and_refused_keys_end_it() -> None:
    store = many(5)
    records = records_of(store)
    store.fault = refuse(lambda call: call.key.startswith("sub-00002"), Forbidden("no", code="AccessDenied"))
    assert fates(store, records) == {"sub-00002/x.nii": "refused"}
    store.fault = refuse(lambda call: True, Forbidden("no", code="ExpiredToken"))
    with pytest.raises(Forbidden):
        fates(store, records)
    store.fault = refuse(lambda call: True, Unreachable("no", code="Connect"))
    with pytest.raises(Unreachable):
        fates(store, records)


@pytest.mark.parametrize("count", [0, 1, 999, 1_000, 1_001, 12_345])
def test_a_listing_has_each_object_once_and_takes_few_pages(count: int) -> None:
    store = many(count)
    store.put("one/deep/tree/x", b"")
    store.put("\ud7ff\udcff", b"odd")
    store.calls.clear()
    found = records_of(store)
    assert len(found) == len({one.path for one in found}) == count + 2
    assert store.count() <= (count + 2) // 1000 + 1 + 1 + 16, "a page for each thousand, and one for each part"
    assert found[0].key == found[0].path


def test_a_single_directory_is_looked_into_for_parts() -> None:
    store = MemoryStore({f"a/b/{n % 40:02d}/{n}": b"1" for n in range(8_000)})
    assert len(listing.bounds(store, 10)) == 16
    assert len(records_of(store)) == 8_000
