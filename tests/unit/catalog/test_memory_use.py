"""What names cost in memory, and that large directories do not cost more for being large."""

from __future__ import annotations

import gc
import itertools
import tracemalloc
from collections.abc import Iterator
from typing import Any

import pytest

from mountnd import errors
from mountnd.catalog.cache.memory import MemoryCache
from mountnd.catalog.catalogue import Catalogue
from mountnd.catalog.model.entry import Entry
from mountnd.catalog.model.keys import classify
from mountnd.catalog.model.listing import listing_of
from mountnd.catalog.query.paged_listing import HELD_PAGES
from mountnd.stats import Stats
from mountnd.workers import Waiter, Workers
from tests.support.waiting import wait_until

from .computed_bucket import ComputedBucket, one_directory, studies


@pytest.fixture
def workers() -> Iterator[Workers]:
    pool = Workers(8, "names", reserved=2)
    yield pool
    pool.close()


def catalogue(store: ComputedBucket, workers: Workers, **options: Any) -> Catalogue:
    settings: dict[str, Any] = {"ttl": 1e9, "timeout": 60.0} | options
    return Catalogue(store, workers=workers, waiter=Waiter(), stats=Stats(), **settings)


def size_of(directories: int, files: int) -> tuple[float, float]:
    """(bytes measured, bytes accounted) for so many directories of so many files."""
    store = one_directory(directories * files)
    gc.collect()
    tracemalloc.start()
    try:
        memory = MemoryCache("computed", ttl=1.0, clock=lambda: 0.0, limit_bytes=1 << 40)
        for d in range(directories):
            stats = [store.stat(i) for i in range(d * files, (d + 1) * files)]
            memory.put(f"image/{d:07}/", listing_of(classify("image/", stats, []), 0.0), 1)
        del stats
        gc.collect()
        return tracemalloc.get_traced_memory()[0], memory.nbytes
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(("directories", "files", "most"), [(1, 20_000, 7 + 42), (2000, 3, 300), (200, 20, 90)])
def test_what_a_name_costs(directories: int, files: int, most: float) -> None:
    """Some forty bytes beside its own (seven here), and a directory some seven hundred."""
    measured, accounted = size_of(directories, files)
    assert measured / (directories * files) < most
    assert 0.8 < accounted / measured < 1.25


def test_a_huge_directory_streams(workers: Workers) -> None:
    store = one_directory(60_000)
    cat = catalogue(store, workers, limit_bytes=1 << 20)
    image = cat.lookup(cat.root, b"image")
    scan = cat.scan(image)
    reader = scan.read(0)
    first, _ = next(reader)
    assert first.name == b"0000000"
    # Two for the look-up, the first page, and the next one fetched ahead.
    assert len(store.calls) <= 4
    held = []
    for i, (entry, offset) in enumerate(reader, 1):
        assert entry.name == f"{i:07}".encode()
        if i % 20_011 == 0:
            held.append((i, offset))
    assert i == 59_999
    assert len(store.calls) == 2 + 60
    assert len(scan._contents._held) <= HELD_PAGES  # type: ignore[union-attr]
    # seekdir: one page each, and the same entries.
    for i, offset in held:
        before = len(store.calls)
        got = list(itertools.islice(scan.read(offset), 3))
        assert [entry.name for entry, _ in got] == [f"{i + k:07}".encode() for k in (1, 2, 3)]
        assert len(store.calls) - before <= 2
    scan.close()


def test_look_ups_in_a_huge_directory_cost_one_request_and_list_nothing(workers: Workers) -> None:
    store = one_directory(50_000)
    cat = catalogue(store, workers)
    image = cat.lookup(cat.root, b"image")

    numbers = itertools.count()

    def requests_for_a_new_name() -> int:
        before = len(store.calls)
        with pytest.raises(errors.NotFound):
            cat.lookup(image, b"absent%d" % next(numbers))
        return len(store.calls) - before

    # The first one asks for the directory's first page, too; once that has come, it is known to be large.
    wait_until(lambda: requests_for_a_new_name() == 1, "the directory is found to be large")
    for name in (b"0041234", b"0000001", b"0049999"):
        before = len(store.calls)
        assert cat.lookup(image, name).stat is not None
        assert cat.lookup(image, name).stat is not None
        assert store.calls[before:] == [("list", "image/" + name.decode())]
    before = len(store.calls)
    for _ in range(3):
        with pytest.raises(errors.NotFound):
            cat.lookup(image, b"00412345")
    assert len(store.calls) - before == 1


def test_a_walk_keeps_to_its_limit(workers: Workers) -> None:
    store = studies(60_000)
    cat = catalogue(store, workers, limit_bytes=1 << 20)

    def walk(here: Entry) -> int:
        scan = cat.scan(here)
        entries = [entry for entry, _ in scan.read(0)]
        scan.close()
        return sum(walk(entry) if entry.is_dir else 1 for entry in entries)

    assert walk(cat.root) == 60_000
    assert cat._memory.nbytes <= 1 << 20
    # A plain walk would take 3,664 listings.
    assert len(store.calls) < 200
