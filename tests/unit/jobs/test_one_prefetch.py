"""One job over a real vfs, catalogue and disk cache, and a store in memory."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mountnd.blocks.bulk import Bulk
from mountnd.blocks.disk.cache import DiskCache
from mountnd.blocks.disk.directory import remove, scan
from mountnd.blocks.disk.pins import Pins
from mountnd.blocks.disk.place import CacheDirectory
from mountnd.catalog.catalogue import Catalogue
from mountnd.errors import Forbidden
from mountnd.jobs.prefetch import Prefetch
from mountnd.jobs.request import PrefetchRequest
from mountnd.stores.base import Deadline, ObjectId
from mountnd.vfs.inodes import Ownership
from mountnd.vfs.tree import Vfs
from mountnd.workers import Waiter
from tests.unit.blocks.harness import PATIENCE_S, BlocksHarness

KIB = 1 << 10


class Place:
    """A store, a vfs over it and a disk cache; `run` does a prefetch."""

    def __init__(self, root: Path, limit: int | None = 1 << 30) -> None:
        self.root = CacheDirectory(root / "blocks")
        self.harness = BlocksHarness(disk=DiskCache(root / "blocks", limit, stats := _stats()), stats=stats)
        self.store = self.harness.store
        names = {"ttl": 300.0, "workers": self.harness.workers, "waiter": Waiter(), "timeout": PATIENCE_S}
        self.catalogue = Catalogue(self.store, stats=stats, **names)
        self.vfs = Vfs({"s": self.catalogue}, self.harness.blocks, Ownership(uid=0, gid=0), stats)

    def run(self, *paths: str, **asked: Any) -> dict[str, Any]:
        bulk = self.harness.blocks.bulk()
        job = Prefetch(self.vfs, bulk, PrefetchRequest(paths=paths or ("",), **asked))
        job.run()
        return job.snapshot()

    def reads(self) -> list[str]:
        return [call.key for call in self.store.calls if call.op == "read"]


def _stats() -> Any:
    from mountnd.stats import Stats

    return Stats()


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    place = Place(tmp_path)
    with place.harness:
        for key in ("a/one", "a/two", "b/three", "top"):
            place.store.put(key, key.encode() * 5000)
        yield place
        place.catalogue.close()


def test_all_of_it_once(place: Place) -> None:
    told = place.run()
    assert (told["files"], told["done"], told["fetched"], told["failed"]) == (4, 4, 4, 0)
    assert told["fetched_bytes"] == told["bytes"] == told["to_fetch_bytes"]
    assert sorted(set(place.reads())) == ["a/one", "a/two", "b/three", "top"]
    place.store.calls.clear()
    again = place.run()
    assert (again["cached"], again["done"], again["fetched_bytes"]) == (4, 4, 0) and place.reads() == []


def test_paths_that_overlap_are_fetched_once(place: Place) -> None:
    told = place.run("a", "a/one", "", "a/one")
    assert told["files"] == 4 and told["failed"] == 0


@pytest.mark.parametrize("path", ["none", "a/none", "top/below", "a/one/x"])
def test_a_path_that_is_not_there(place: Place, path: str) -> None:
    told = place.run("a", path)
    assert told["done"] == 2 and [f[0] for f in told["failures"]] and told["failed"] == 1


def test_what_fails_is_told_once_with_a_pin_too(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    real = place.store.read

    def read(id: ObjectId, *rest: Any, deadline: Deadline) -> None:
        if id.key == "a/two":
            raise Forbidden("access denied")
        real(id, *rest, deadline=deadline)

    monkeypatch.setattr(place.store, "read", read)
    told = place.run(pin="p")
    assert told["failures"] == [["a/two", "access denied"]]
    assert (told["done"], told["failed"]) == (3, 1)


def test_what_was_replaced_comes_as_it_is_now_and_is_pinned(place: Place) -> None:
    place.run(names=True)
    place.store.put("a/one", b"new" * 100)
    place.store.delete("a/two")
    told = place.run(pin="p")
    assert told["done"] == 3 and [f[0] for f in told["failures"]] == ["a/two"]
    inode = place.vfs.resolve(b"/a/one")
    fh, _ = place.vfs.open(inode)
    place.store.calls.clear()
    assert place.vfs.read(fh, 300, 0) == b"new" * 100 and place.reads() == []
    stat = inode.entry.stat
    assert stat is not None
    bulk = place.harness.blocks.bulk()
    assert isinstance(bulk, Bulk)
    from mountnd.blocks.geometry import BlockRange

    assert set(bulk.chunks(stat.id, stat.size, BlockRange(0, 1))) <= set(Pins(place.root).chunks())


def test_what_another_process_evicts_before_the_pin_stands_is_fetched_again(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.run()
    victim = next(iter(scan(place.root))).path
    real = DiskCache.pin

    def pin(self: DiskCache, *args: Any) -> None:
        remove(place.root, victim)
        real(self, *args)

    monkeypatch.setattr(DiskCache, "pin", pin)
    told = place.run(pin="p")
    assert (told["done"], told["failed"]) == (4, 0) and told["fetched_bytes"] > 0
    assert victim in {file.path for file in scan(place.root)}
    assert set(Pins(place.root).chunks()) == {file.path for file in scan(place.root)}


def test_too_much_is_refused_and_nothing_is_fetched_or_pinned(tmp_path: Path) -> None:
    place = Place(tmp_path, limit=64 * KIB)
    with place.harness:
        for i in range(10):
            place.store.put(f"f{i}", b"x" * 20_000)
        told = place.run(pin="p")
        assert "--max-bytes" in told["stopped"] and place.reads() == [] and not Pins(place.root).chunks()
        told = place.run(dry_run=True)
        assert told["fits"] is False and "--max-bytes" in told["why_not"]
        told = place.run(max_bytes=45_000)
        assert (told["done"], told["left_out"]) == (2, 8)
        place.catalogue.close()


def test_it_is_cancelled(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    bulk = place.harness.blocks.bulk()
    job = Prefetch(place.vfs, bulk, PrefetchRequest(paths=("",)))
    real = place.store.read

    def read(*args: Any, deadline: Deadline) -> None:
        job.cancel()
        time.sleep(0.05)
        real(*args, deadline=deadline)

    monkeypatch.setattr(place.store, "read", read)
    job.start()
    assert job.join(PATIENCE_S)
    told = job.snapshot()
    assert told["cancelled"] and told["done"] == told["fetched"] >= 1  # what was under way is kept


def test_without_a_disk_cache_there_is_nothing_to_keep_it_in(place: Place) -> None:
    job = Prefetch(place.vfs, None, PrefetchRequest(paths=("",)))
    job.run()
    assert "--cache-size 0" in job.snapshot()["stopped"]
    names = Prefetch(place.vfs, None, PrefetchRequest(paths=("",), names=True))
    names.run()
    assert names.snapshot()["names"] == 6


def test_whatever_goes_wrong_is_told(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Bulk, "names", lambda self: 1 / 0)
    assert "internal error" in place.run()["stopped"]
