"""The catalogue over an S3 server instead of the store in memory: walks, ranges and odd keys in the real protocol."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from mountnd import errors
from mountnd.catalog.catalogue import Catalogue
from mountnd.catalog.model.entry import Entry
from mountnd.stats import Stats
from mountnd.stores.base import Deadline, ObjectId
from mountnd.stores.s3 import S3Store
from mountnd.workers import Waiter, Workers
from tests.support.servers import moto_server
from tests.support.tree import Bucket

from .reference import Tree

ODD = [
    "a",
    "a!",
    "a-1",
    "a.b",
    "a/x",
    "a0",
    "b//c",
    "b/./c",
    "b/../c",
    "m/",
    "n/",
    "n/y",
    "sp ace/+,#:?*%2F",
    "é/e\u0301",
]
ODD += ["\U0001f9e0/\ufffd\ue000", "x" * 256 + "/y", "x" * 255 + "/y", "tab\t/x"]


def keys() -> list[str]:
    walked = [
        f"study/sub-{s:02}/{what}/f{i:02}" for s in range(24) for what in ("anat", "func-1", "func") for i in range(20)
    ]
    return ODD + walked + [f"wide/{i:04}/x" for i in range(1100)] + [f"wide/{i:04}-1" for i in range(0, 1100, 50)]


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with moto_server() as url:
        Bucket(url, "names").put_all((key, b"x") for key in keys())
        yield url


@pytest.mark.parametrize("root", ["", "study/"])
def test_what_a_walk_shows(url: str, root: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.ERROR, "mountnd.catalog")  # odd keys are many here; other tests count such lines
    tree = Tree(dict.fromkeys(keys(), 1), root)
    workers, stats = Workers(8, "names"), Stats()
    store = S3Store("names", root, endpoint_url=url, anonymous=True)
    cat = Catalogue(store, ttl=300, workers=workers, waiter=Waiter(), timeout=60, stats=stats)
    try:
        todo, seen = [cat.root], 0
        while todo:
            here = todo.pop()
            scan = cat.scan(here)
            entries = [entry for entry, _ in scan.read(0)]
            scan.close()
            expected = tree.listing(here.key)
            assert {entry.name.decode(): entry.key for entry in entries} == expected
            assert {report.key for report in cat.hidden(here)} == tree.hidden(here.key)
            todo.extend(entry for entry in entries if entry.is_dir)
            seen += 1
        assert seen == len(list(tree.directories()))
        assert stats.snapshot()["names.list.requests"] < seen / 10 + 20
    finally:
        workers.close()
        store.close()


def test_every_name_by_look_ups_alone(url: str) -> None:
    tree = Tree(dict.fromkeys(keys(), 1))
    workers = Workers(8, "names")
    store = S3Store("names", endpoint_url=url, anonymous=True)
    try:
        for name, key in sorted(tree.listing("").items()) + [("absent", ""), ("a-", ""), ("stud", "")]:
            cat = Catalogue(store, ttl=300, workers=workers, waiter=Waiter(), timeout=60, stats=Stats())
            try:
                assert cat.lookup(cat.root, name.encode()).key == key
            except errors.NotFound:
                assert not key
        wide = Entry(b"wide", "wide/", True, None)
        for name in ("0000", "0050-1", "1099", "1050-1"):
            found = cat.lookup(wide, name.encode())
            assert found.is_dir == ("-" not in name)
            if found.stat is not None and not found.is_dir:
                assert isinstance(found.stat.id, ObjectId)
                assert found.stat.id.etag == store.head(found.key, deadline=Deadline(60)).id.etag
        with pytest.raises(errors.NotFound):
            cat.lookup(wide, b"0051-1")
    finally:
        workers.close()
        store.close()


@pytest.mark.parametrize("bucket", ["scans--use1-az4--x-s3", "scans--use1-az4--xa-s3"])
def test_a_directory_bucket_is_not_listed_by_order(bucket: str) -> None:
    assert not S3Store(bucket).flat
    assert S3Store(bucket.replace("--x", "-x")).flat
