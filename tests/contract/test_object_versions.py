"""Listings of versions, from real servers: pages, delete markers, keys of all kinds, buckets that keep none."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from mountnd.errors import BadAnswer, Changed, Forbidden, StoreError
from mountnd.lockfile.record import Locked
from mountnd.locking.completing import completed, judged
from mountnd.snapshots.resolve import pages
from mountnd.stores.base import Deadline, ObjectId
from mountnd.stores.memory import MemoryStore
from mountnd.stores.object_versions import NO_VERSIONS, Marker, Version
from mountnd.stores.s3 import S3Store
from tests.contract.reading import read
from tests.support.quirky import Quirky
from tests.support.servers import Answer, Scripted, s3_client


@pytest.fixture(scope="module", params=["moto", "weed"])
def url(request: pytest.FixtureRequest) -> str:
    return str(request.getfixturevalue(request.param))


@pytest.fixture(scope="module")
def client(url: str) -> Any:
    return s3_client(url)


def versioned(client: Any, bucket: str) -> None:
    client.create_bucket(Bucket=bucket)
    client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})


def listed(url: str, bucket: str, prefix: str = "") -> tuple[list[Version], int]:
    """All rows, and on how many pages they came."""
    store = S3Store(bucket, prefix, endpoint_url=url, region="us-east-1", anonymous=True)
    try:
        found = list(pages(store, prefix, Deadline(60)))
        return [row for rows, _ in found for row in rows], len(found)
    finally:
        store.close()


def test_versions_and_delete_markers(url: str, client: Any) -> None:
    versioned(client, "history")
    put = lambda key, body: client.put_object(Bucket="history", Key=key, Body=body, ACL="public-read")["VersionId"]  # noqa: E731
    first, second = put("p/a+b c.txt", b"one"), put("p/a+b c.txt", b"three")
    gone = put("p/gone.txt", b"x")
    put("q/other.txt", b"x")
    client.delete_object(Bucket="history", Key="p/gone.txt")
    rows, _ = listed(url, "history", "p/")
    assert {row.key for row in rows} == {"p/a+b c.txt", "p/gone.txt"}
    kept = {row.version: row for row in rows if not row.deleted}
    assert {id: (row.size, row.latest) for id, row in kept.items()} == {
        first: (3, False),
        second: (5, True),
        gone: (1, False),
    }
    assert kept[first].etag == '"f97c5d29941bfb1b2fdab0874906ab82"'
    (deleted,) = [row for row in rows if row.deleted]
    assert (deleted.key, deleted.latest, deleted.size, deleted.etag) == ("p/gone.txt", True, 0, "")


def test_more_than_a_page(url: str, client: Any) -> None:
    versioned(client, "long-history")
    names = [f"d/{number % 7}.txt" for number in range(1_030)]
    with ThreadPoolExecutor(8) as pool:
        ids = list(
            pool.map(
                lambda key: client.put_object(Bucket="long-history", Key=key, Body=b"x", ACL="public-read")[
                    "VersionId"
                ],
                names,
            )
        )
    rows, count = listed(url, "long-history", "d/")
    assert count == 2
    assert sorted((row.key, row.version) for row in rows) == sorted(zip(names, ids, strict=True))
    assert sum(row.latest for row in rows) == 7


def test_a_bucket_that_keeps_none(url: str, client: Any) -> None:
    client.create_bucket(Bucket="no-history")
    client.put_object(Bucket="no-history", Key="a", Body=b"x", ACL="public-read")
    rows, _ = listed(url, "no-history")
    assert [(row.key, row.version) for row in rows] == [("a", "null")]


def test_a_server_that_does_not_know_versions(quirky: Quirky) -> None:
    """It takes the question for one about what is there now."""
    quirky.hold({"a": b"x"})
    store = S3Store("bkt", endpoint_url=quirky.url, region="us-east-1", anonymous=True)
    try:
        with pytest.raises(BadAnswer, match="s3://bkt: the server does not know versions") as error:
            store.list_versions("", deadline=Deadline(20))
        assert error.value.code == NO_VERSIONS
    finally:
        store.close()


def test_a_version_without_an_etag_is_read_by_its_id(url: str, client: Any) -> None:
    versioned(client, "ids-alone")
    old = client.put_object(Bucket="ids-alone", Key="a", Body=b"old", ACL="public-read")["VersionId"]
    client.put_object(Bucket="ids-alone", Key="a", Body=b"new", ACL="public-read")
    store = S3Store("ids-alone", endpoint_url=url, region="us-east-1", anonymous=True)
    try:
        assert read(store, ObjectId(store.source, "a", "", old, 3), 0, 3) == b"old"
    finally:
        store.close()


def test_a_server_that_ignores_version_ids_gives_nothing_that_only_an_id_tells(quirky: Quirky) -> None:
    quirky.hold({"a": b"new"})
    store = S3Store("bkt", endpoint_url=quirky.url, region="us-east-1", anonymous=True)
    try:
        with pytest.raises(Changed, match="version v1 was asked for, the server gives a version that it does not name"):
            read(store, ObjectId(store.source, "a", "", "v1", 3), 0, 3)
        record = Locked("a", "a", "v1", 3, "")
        verdict = judged(store, record, Deadline(20))
        assert (verdict.fate, verdict.why) == (
            "changed",
            "the server answers with a version that it does not name, not v1",
        )
        with pytest.raises(Changed, match="not v1"):
            list(completed(store, [record], 20))
    finally:
        store.close()


def test_a_store_that_keeps_none() -> None:
    with pytest.raises(StoreError, match="only buckets of S3") as error:
        MemoryStore().list_versions("", deadline=Deadline(20))
    assert error.value.code == NO_VERSIONS


def _answer(body: bytes, status: int = 200) -> Answer:
    return Answer(status, {"Content-Length": str(len(body))}, body)


def test_a_listing_that_stays_where_it_is(stage: Scripted) -> None:
    page = (
        b"<ListVersionsResult><IsTruncated>true</IsTruncated><NextKeyMarker>a</NextKeyMarker>"
        b"<NextVersionIdMarker>v1</NextVersionIdMarker><Version><Key>a</Key><VersionId>v1</VersionId><Size>1</Size>"
        b"</Version></ListVersionsResult>"
    )
    stage.play({"GET *": _answer(page)})
    store = S3Store("bkt", endpoint_url=stage.url, region="us-east-1", anonymous=True)
    try:
        first = store.list_versions("", deadline=Deadline(20))
        assert first.next == Marker("a", "v1")
        with pytest.raises(BadAnswer, match="a listing of versions does not go on behind 'a'"):
            store.list_versions("", after=first.next, deadline=Deadline(20))
        asked = stage.log()[-1][1]
        assert "key-marker=a" in asked
        assert "version-id-marker=v1" in asked
        stage.play({"GET *": _answer(b"<Error><Code>AccessDenied</Code></Error>", 403)})
        with pytest.raises(Forbidden):
            store.list_versions("", deadline=Deadline(20))
        stage.play({"GET *": _answer(b"<Error><Code>NotImplemented</Code></Error>", 501)})
        with pytest.raises(BadAnswer, match="does not know versions"):
            store.list_versions("", deadline=Deadline(20))
    finally:
        store.close()
