"""Buckets that are computed, over HTTP: every key once, for the requests that so many pages take."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from mountnd.catalog.catalogue import Catalogue
from mountnd.catalog.model.entry import Entry
from mountnd.stats import Stats
from mountnd.stores.s3 import S3Store
from mountnd.workers import Waiter, Workers

from .computed_bucket_mount import server


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with server() as url:
        yield url


def files(cat: Catalogue, here: Entry) -> Iterator[str]:
    scan = cat.scan(here)
    entries = [entry for entry, _ in scan.read(0)]
    scan.close()
    for entry in entries:
        if entry.is_dir:
            yield from files(cat, entry)
        else:
            yield entry.key


@pytest.mark.parametrize(("bucket", "most"), [("studies-30000", 60), ("flat-30000", 33)])
def test_every_key_once(url: str, bucket: str, most: int) -> None:
    workers, stats = Workers(8, "names", reserved=2), Stats()
    store = S3Store(bucket, endpoint_url=url, anonymous=True)
    cat = Catalogue(store, ttl=1e9, workers=workers, waiter=Waiter(), timeout=60, stats=stats)
    try:
        seen = list(files(cat, cat.root))
        assert len(seen) == len(set(seen)) == 30_000
        assert stats.snapshot()["names.list.requests"] <= most
    finally:
        workers.close()
        store.close()
