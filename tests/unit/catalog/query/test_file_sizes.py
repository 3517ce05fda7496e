"""Sizes that listings do not tell: who asks for them, when, and what is shown where that fails."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from mountnd.catalog.catalogue import Catalogue
from mountnd.catalog.query.file_sizes import AHEAD_MOST, _Walk
from mountnd.errors import BadAnswer, Forbidden, StoreError, TimedOut, Unreachable, Unviewable
from mountnd.stats import Stats
from mountnd.stores.memory import Call, MemoryStore
from mountnd.views.store import InflatedStore
from mountnd.workers import Waiter, Workers
from tests.support.nifti_files import gzipped, image
from tests.support.waiting import wait_until

FILES = 50
PLAIN = image((20, 20, 5))


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore({f"d/{n:02d}.nii.gz": gzipped(PLAIN) for n in range(FILES)} | {"d/x.json": b"{}"})


@pytest.fixture
def names(store: MemoryStore) -> Iterator[Catalogue]:
    workers = Workers(16, "names", reserved=4)
    view = InflatedStore(store, ["nii"])
    catalogue = Catalogue(view, ttl=300, workers=workers, waiter=Waiter(), timeout=30, stats=Stats())
    yield catalogue
    catalogue.close()
    workers.close()
    view.close()


def reads(store: MemoryStore) -> set[str]:
    return {call.key for call in list(store.calls) if call.op == "read"}


def listed(names: Catalogue) -> list[bytes]:
    directory = names.below(names.root, b"d")
    stream = names.scan(directory)
    try:
        return [entry.name for entry, _ in stream.read(0)]
    finally:
        stream.close()


def test_a_listing_asks_for_no_size_and_a_look_up_for_its_own(names: Catalogue, store: MemoryStore) -> None:
    assert len(listed(names)) == FILES + 1
    assert not reads(store)
    directory = names.below(names.root, b"d")
    assert names.lookup(directory, b"x.json").stat.size == 2  # type: ignore[union-attr]
    assert not reads(store)
    assert names.lookup(directory, b"20.nii").stat.size == len(PLAIN)  # type: ignore[union-attr]
    assert reads(store) == {"d/20.nii.gz"}
    names.lookup(directory, b"03.nii")
    assert reads(store) == {"d/20.nii.gz", "d/03.nii.gz"}, "no walk, nothing ahead"


def test_who_looks_at_one_file_after_another_has_the_next_ones_asked_for(names: Catalogue, store: MemoryStore) -> None:
    listed(names)
    directory, running, most, lock = names.below(names.root, b"d"), 0, 0, threading.Lock()

    def slow(call: Call) -> None:
        nonlocal running, most
        with lock:
            running, most = running + 1, max(most, running + 1)
        time.sleep(0.02)
        with lock:
            running -= 1

    store.fault = slow
    for n in range(10):
        assert names.lookup(directory, b"%02d.nii" % n).stat.size == len(PLAIN)  # type: ignore[union-attr]
    wait_until(lambda: len(reads(store)) > 15, "the next ones")
    assert most > 2
    for n in range(10, FILES):
        names.lookup(directory, b"%02d.nii" % n)
    assert store.count("read") == FILES, "each once"


def test_all_of_a_directory_side_by_side(names: Catalogue, store: MemoryStore) -> None:
    stream = names.scan(names.below(names.root, b"d"))
    assert names.sizes is not None
    entries = list(names.sizes.sized(entry for entry, _ in stream.read(0)))
    stream.close()
    assert {entry.stat.size for entry in entries if entry.stat} == {2, len(PLAIN)}
    assert store.count("read") == FILES


@pytest.mark.parametrize("error", [Forbidden("no"), BadAnswer("odd")])
def test_what_cannot_be_found_out_for_good_is_shown_as_listed(
    names: Catalogue, store: MemoryStore, error: StoreError
) -> None:
    listed(names)
    directory = names.below(names.root, b"d")

    def refuse(call: Call) -> None:
        raise error

    store.fault = refuse
    for _ in range(3):
        entry = names.lookup(directory, b"05.nii")
        assert entry.stat is not None and entry.stat.size == len(gzipped(PLAIN))
    assert store.count("read") == 1, "it is not asked for again and again"
    with pytest.raises(type(error)):
        names.readable(entry.stat)


@pytest.mark.parametrize("error", [Unreachable("gone"), TimedOut("late")])
def test_a_passing_error_is_the_look_ups(names: Catalogue, store: MemoryStore, error: StoreError) -> None:
    listed(names)
    directory = names.below(names.root, b"d")

    def fail(call: Call) -> None:
        raise error

    store.fault = fail
    with pytest.raises(type(error)):
        names.lookup(directory, b"05.nii")


def test_an_object_that_was_replaced_is_looked_up_anew(names: Catalogue, store: MemoryStore) -> None:
    listed(names)
    directory, other = names.below(names.root, b"d"), image((7, 7))
    store.put("d/05.nii.gz", gzipped(other))
    entry = names.lookup(directory, b"05.nii")
    assert entry.stat is not None and entry.stat.size == len(other)
    store.put("d/05.nii.gz", gzipped(PLAIN))
    store.put("d/06.nii.gz", b"not gzip, and long enough to be some")
    with pytest.raises(Unviewable):
        names.readable(names.lookup(directory, b"06.nii").stat)  # type: ignore[arg-type]


def test_nothing_is_asked_where_listings_tell_sizes(store: MemoryStore) -> None:
    workers = Workers(4, "names")
    catalogue = Catalogue(store, ttl=300, workers=workers, waiter=Waiter(), timeout=30, stats=Stats())
    assert catalogue.sizes is None
    entry = catalogue.lookup(catalogue.below(catalogue.root, b"d"), b"05.nii.gz")
    assert entry.stat is not None
    assert catalogue.readable(entry.stat) == catalogue.known_readable(entry.stat) == entry.stat
    assert not reads(store)
    catalogue.close()
    workers.close()


def test_a_walk_of_looks() -> None:
    walk, asked = _Walk(), set[int]()
    assert walk.looked_at(7) == (7, 7)
    for at in range(8, 200):
        first, stop = walk.looked_at(at)
        assert stop - at <= AHEAD_MOST + 1
        assert not asked & set(range(first, stop)), "none twice"
        asked |= set(range(first, stop))
        assert at == 8 or at in asked
    assert walk.looked_at(50) == (50, 50), "back: no walk"
    assert walk.looked_at(90) == (90, 90)
    assert walk.looked_at(92)[1] > 92, "one was passed by"
