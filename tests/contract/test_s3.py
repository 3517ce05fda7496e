from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from mountnd.errors import Archived, Changed, NoSuchBucket, Unreachable
from mountnd.probing import list_root
from mountnd.stores.base import Deadline, ObjectId
from mountnd.stores.retry import Retrying
from mountnd.stores.s3 import S3Store

from ..support.servers import Answer, Scripted, rclone_server, s3_client
from .reading import BODY, ODD_KEYS, first_name, listed, read, soon
from .s3_stage import LIST, Make
from .store_contract import ForbiddenContract, StoreContract

_buckets = itertools.count()


class S3World:
    """A bucket of its own, read signed."""

    def __init__(self, url: str, **how: Any) -> None:
        self.client = s3_client(url)
        self.bucket = f"bucket-{next(_buckets)}"
        self.client.create_bucket(Bucket=self.bucket)
        self.store = S3Store(self.bucket, endpoint_url=url, region="us-east-1", **how)

    def put(self, key: str, body: bytes) -> None:
        self.client.put_object(Bucket=self.bucket, Key=key, Body=body)

    def delete(self, key: str) -> None:
        self.client.delete_object(Bucket=self.bucket, Key=key)


@pytest.mark.usefixtures("signed")
class TestMoto(StoreContract, ForbiddenContract):
    no_paths = True

    @pytest.fixture
    def world(self, moto: str) -> Iterator[S3World]:
        world = S3World(moto)
        yield world
        world.store.close()

    @pytest.fixture
    def forbidden(self, moto: str, world: S3World) -> Iterator[tuple[S3Store, ObjectId]]:
        world.put("private", b"1")
        store = S3Store(world.bucket, endpoint_url=moto, region="us-east-1", anonymous=True)
        yield store, world.store.head("private", deadline=soon()).id
        store.close()

    def test_an_archived_object_is_archived(self, moto: str, world: S3World) -> None:
        world.client.put_object(Bucket=world.bucket, Key="k", Body=b"1", StorageClass="GLACIER")
        (stat,), _ = listed(world.store, "")
        assert stat.storage_class == "GLACIER"
        with pytest.raises(Archived):
            read(world.store, stat.id, 0, 1)

    def test_stored_bytes_come_as_they_are_stored(self, world: S3World) -> None:
        """Content-Encoding is metadata: sizes in the listing are of the stored bytes, and so are ranges."""
        import gzip

        packed = gzip.compress(BODY)
        for key in ("k", "odd//k"):
            world.client.put_object(Bucket=world.bucket, Key=key, Body=packed, ContentEncoding="gzip")
            stat = world.store.head(key, deadline=soon())
            assert stat.size == len(packed)
            assert read(world.store, stat.id, 3, 500) == packed[3:503]

    def test_a_bucket_that_is_not_there(self, moto: str) -> None:
        with pytest.raises(NoSuchBucket):
            first_name(S3Store("no-such-bucket", endpoint_url=moto, region="us-east-1"))


class TestWeed(StoreContract):
    """SeaweedFS: keys are paths there, so those that are none cannot be put, and it lists path by path."""

    many = False
    ordered = False
    odd_keys = tuple(key for key in ODD_KEYS if "\\" not in key)  # it makes a slash of it

    @pytest.fixture
    def world(self, weed: str) -> Iterator[S3World]:
        world = S3World(weed, anonymous=True)
        yield world
        world.store.close()


def test_a_probe_lists_one_name_and_once(make: Make, stage: Scripted) -> None:
    store = Retrying(make(anonymous=True), random=lambda: 0.0)
    list_root(store, Deadline(15))
    ((method, target, _),) = stage.log()
    assert method == "GET"
    assert parse_qs(urlsplit(target).query)["max-keys"] == ["1"]
    assert parse_qs(urlsplit(target).query)["delimiter"] == ["/"]
    stage.play({"GET *": Answer(407, {"Content-Length": "0"})})
    with pytest.raises(Unreachable):
        list_root(store, Deadline(15))
    assert len(stage.log()) == 1  # what cannot be reached at start-up is told at once
    stage.play({"GET *": [Answer(503, {"Content-Length": "0"}), LIST]})
    list_root(store, Deadline(15))
    assert len(stage.log()) == 2  # what is busy is tried again
    store.close()


def test_a_server_that_answers_ranges_with_200_and_ignores_if_match(tmp_path: Path) -> None:
    """rclone serve s3: right bytes the slow way, and a changed object is seen by its ETag."""
    (tmp_path / "bucket").mkdir()
    (tmp_path / "bucket" / "k").write_bytes(BODY)
    with rclone_server(tmp_path) as url:
        store = S3Store("bucket", endpoint_url=url, region="us-east-1", anonymous=True)
        (stat,), _ = listed(store, "")
        patient = Retrying(store)
        assert read(patient, stat.id, 1000, 500, 1500) == BODY[1000:3000]
        assert read(store, stat.id, 0, len(BODY)) == BODY
        with pytest.raises(Changed):
            read(patient, stat.id._replace(etag='"0123"'), 0, 5)
        store.close()
