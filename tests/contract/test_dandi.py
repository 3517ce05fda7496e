"""A dandiset: names from the API of the archive, bytes from its bucket."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from mountnd.errors import Changed, Forbidden, NotFound, StoreError
from mountnd.stores.directory.dandi_backend import open_dandi
from mountnd.stores.directory.store import DirectoryStore

from ..support.servers import dandi_server
from .directory_stores import DirectoryWorld
from .reading import keys, listed, read, soon
from .store_contract import StoreContract


def dandi_store(url: str, what: str = "dandi://000026") -> DirectoryStore:
    store = DirectoryStore(open_dandi(what, f"{url}/api"))
    _opened.append(store)
    return store


_opened: list[DirectoryStore] = []


def asked(url: str) -> list[str]:
    with urllib.request.urlopen(f"{url}/log", timeout=60) as answer:
        requests: list[str] = json.load(answer)
    return requests


class TestDandi(StoreContract):
    many = False

    @pytest.fixture
    def world(self, tmp_path: Path) -> Iterator[DirectoryWorld]:
        with dandi_server(tmp_path) as url:
            store = dandi_store(url)
            yield DirectoryWorld(tmp_path, store)
            store.close()

    def test_missing_is_not_found(self, world: DirectoryWorld) -> None:  # type: ignore[override]
        """A version is the URL of its bytes, so a read needs no key; a name that is gone has no version."""
        with pytest.raises(NotFound):
            world.store.head("gone", deadline=soon())


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    with dandi_server(tmp_path, "0.210831.2033") as url:
        yield tmp_path, url
        while _opened:
            _opened.pop().close()


def test_a_directory_is_one_request_and_a_read_one_more(archive: tuple[Path, str]) -> None:
    directory, url = archive
    (directory / "sub-01").mkdir()
    for number in range(20):
        (directory / "sub-01" / f"{number:02}.nwb").write_bytes(b"%d" % number)
    store = dandi_store(url)
    stats, _ = listed(store, "sub-01/")
    assert len(stats) == 20
    assert read(store, stats[7].id, 0, 1) == b"7"
    version, listing, bytes_ = asked(url)
    assert version == "/api/dandisets/000026/"
    assert "/versions/0.210831.2033/assets/paths/?path_prefix=sub-01&" in listing
    assert bytes_.startswith("/blobs/")


def test_a_version_may_be_named(archive: tuple[Path, str]) -> None:
    directory, url = archive
    (directory / "a.nwb").write_bytes(b"a")
    store = dandi_store(url, "dandi://000026/draft")
    assert keys(listed(store, "")[0]) == ["a.nwb"]
    assert all("/versions/draft/" in request for request in asked(url))
    with pytest.raises(NotFound):
        dandi_store(url, "dandi://000026/0.1").list_page("", deadline=soon())


def test_a_directory_may_be_named(archive: tuple[Path, str]) -> None:
    directory, url = archive
    (directory / "sub-01").mkdir()
    (directory / "sub-01" / "a.nwb").write_bytes(b"a")
    store = dandi_store(url, "dandi://000026/draft/sub-01")
    assert keys(listed(store, "")[0]) == ["a.nwb"]
    assert store.url == "dandi://000026/draft/sub-01"
    assert read(store, store.head("a.nwb", deadline=soon()).id, 0, 1) == b"a"


def test_pages_are_followed(archive: tuple[Path, str]) -> None:
    directory, url = archive
    for number in range(1100):
        (directory / f"{number:04}").write_bytes(b"")
    assert len(listed(dandi_store(url), "")[0]) == 1100
    assert len([request for request in asked(url) if "paths" in request]) == 2


def test_an_embargoed_file_is_refused_and_a_zarr_named(archive: tuple[Path, str]) -> None:
    directory, url = archive
    (directory / "secret.nwb").write_bytes(b"embargoed")
    (directory / "image.zarr").write_bytes(b"z")
    store = dandi_store(url)
    page = store.list_page("", deadline=soon())
    assert [stat.id.key for stat in page.objects] == ["secret.nwb"]
    assert "image.zarr" in page.unshowable[0] and "mountnd s3://dandiarchive/zarr/" in page.unshowable[0]
    with pytest.raises(Forbidden):
        read(store, page.objects[0].id, 0, 1)


def test_what_was_replaced_has_another_identity(archive: tuple[Path, str]) -> None:
    directory, url = archive
    (directory / "a.nwb").write_bytes(b"old")
    store = dandi_store(url)
    old = store.head("a.nwb", deadline=soon()).id
    (directory / "a.nwb").write_bytes(b"new")
    assert store.head("a.nwb", deadline=soon()).id != old
    with pytest.raises((NotFound, Changed)):
        read(store, old, 0, 3)


@pytest.mark.parametrize("url", ["dandi://26", "dandi://", "dandi://00002x", "dandi://0000026"])
def test_other_numbers(url: str) -> None:
    with pytest.raises(StoreError, match="six digits"):
        open_dandi(url, None)
