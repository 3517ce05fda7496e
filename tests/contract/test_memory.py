from __future__ import annotations

import threading

import pytest

from mountnd.errors import Archived, Throttled
from mountnd.stores.memory import Call, MemoryStore

from .reading import listed, read, soon
from .store_contract import StoreContract


class MemoryWorld:
    def __init__(self) -> None:
        self.store = MemoryStore()

    def put(self, key: str, body: bytes) -> None:
        self.store.put(key, body)

    def delete(self, key: str) -> None:
        self.store.delete(key)


class TestMemory(StoreContract):
    no_paths = True

    @pytest.fixture
    def world(self) -> MemoryWorld:
        return MemoryWorld()


def test_the_same_bytes_have_the_same_etag_and_a_later_time() -> None:
    store = MemoryStore()
    first, second = store.put("k", b"same"), store.put("k", b"same")
    assert first.id == second.id
    assert first.mtime_ns < second.mtime_ns


def test_counts_every_request_and_what_it_asked_for() -> None:
    store = MemoryStore({"k": b"0123456789"})
    stat = store.head("k", deadline=soon())
    read(store, stat.id, 2, 3, 4)
    listed(store, "")
    assert store.calls == [Call("head", "k"), Call("read", "k", 2, 9), Call("list", "")]
    assert (store.count(), store.count("read")) == (3, 1)


def test_a_fault_comes_before_the_answer_and_outside_any_lock() -> None:
    store = MemoryStore({"k": b"1"})

    def fault(call: Call) -> None:
        if call.op == "head":
            other = threading.Thread(target=listed, args=(store, ""))
            other.start()
            other.join(10)
            assert not other.is_alive()
            raise Throttled("slow down")

    store.fault = fault
    with pytest.raises(Throttled):
        store.head("k", deadline=soon())


def test_a_fault_may_change_the_store_under_the_request() -> None:
    store = MemoryStore({"k": b"1"})
    store.fault = lambda call: store.put("new", b"") and None
    assert [stat.id.key for stat in store.list_page("", deadline=soon()).objects] == ["k", "new"]


def test_an_archived_object_lists_and_does_not_read() -> None:
    store = MemoryStore()
    stat = store.put("k", b"1", storage_class="GLACIER")
    assert listed(store, "")[0] == [stat]
    with pytest.raises(Archived):
        read(store, stat.id, 0, 1)


def test_a_root_is_part_of_the_name_and_not_of_the_identity() -> None:
    store = MemoryStore({"a/b": b"1"}, url="memory://x", root="a/")
    assert (store.url, store.source, store.root) == ("memory://x/a/", "memory://x", "a/")
    assert [stat.id.key for stat in store.list_page(store.root, deadline=soon()).objects] == ["a/b"]
