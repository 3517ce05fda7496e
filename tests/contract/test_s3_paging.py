"""Listings of servers that page in their own ways: all keys exactly once, or an error, and never without end."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from mountnd.errors import BadAnswer, Forbidden, StoreError
from mountnd.stores.facts import UNKNOWN_MTIME_NS
from mountnd.stores.http.etags import is_etag
from mountnd.stores.s3 import S3Store

from ..support.quirky import WHEN, Quirky, quirky_server, thing
from .reading import soon

KEYS = ["a", "a-b", "a/1", "a/2", "b/", "b/x", "c", "d/e/f", "d/e/g", "d.e", "z"]
HERE = ["a", "a-b", "a/", "b/", "c", "d.e", "d/", "z"]


@pytest.fixture(scope="module")
def server() -> Iterator[Quirky]:
    with quirky_server() as server:
        yield server


@pytest.fixture
def store(server: Quirky) -> Iterator[S3Store]:
    store = S3Store("bkt", endpoint_url=server.url, region="us-east-1", anonymous=True)
    yield store
    store.close()


def listed(store: S3Store, prefix: str = "", delimiter: str = "/", start_after: str = "") -> list[str]:
    """Keys and common prefixes of all pages, which must not be more than there are keys."""
    found: list[str] = []
    token = None
    for _ in range(3 * len(KEYS)):
        page = store.list_page(prefix, delimiter=delimiter, token=token, start_after=start_after, deadline=soon())
        found += [stat.id.key for stat in page.objects] + page.prefixes
        if (token := page.token) is None:
            return found
    raise AssertionError(f"no end of {found}")


QUIRKS = {
    "none": {},
    "no token": {"token": "absent"},
    "version 1": {"v1_only": "ignored"},
    "version 1, the other refused": {"v1_only": "refused"},
    "version 1, the other invalid": {"v1_only": "invalid"},
    "version 1, no marker": {"v1_only": "ignored", "token": "absent"},
    "version 1, the other refused, no marker": {"v1_only": "refused", "token": "absent"},
    "no token, start-after ignored": {"start_after": "ignored", "token": "absent"},
    "keys not encoded": {"encoding": "ignored", "token": "absent"},
}


@pytest.mark.parametrize("quirk", QUIRKS)
@pytest.mark.parametrize("page", [2, 3])
def test_every_key_comes_once(server: Quirky, store: S3Store, quirk: str, page: int) -> None:
    server.hold(dict.fromkeys(KEYS, b"x"), page=page, **QUIRKS[quirk])
    assert sorted(listed(store)) == sorted(HERE)
    assert listed(store, delimiter="") == sorted(KEYS)
    assert listed(store, "d", "") == ["d.e", "d/e/f", "d/e/g"]
    assert listed(store, delimiter="", start_after="b/") == [key for key in sorted(KEYS) if key > "b/"]


@pytest.mark.parametrize("quirk", ["version 1", "version 1, the other refused", "version 1, the other invalid"])
def test_the_version_is_remembered(server: Quirky, store: S3Store, quirk: str) -> None:
    server.hold(dict.fromkeys(KEYS, b"x"), page=2, **QUIRKS[quirk])
    listed(store)
    server.switch()
    assert sorted(listed(store)) == sorted(HERE)
    requests = [request.target for request in server.log()]
    assert len(requests) == len(HERE) / 2
    assert not [target for target in requests if "list-type" in target]


def test_a_token_is_used_as_it_is_given(server: Quirky, store: S3Store) -> None:
    server.hold(dict.fromkeys(KEYS, b"x"), page=2)
    listed(store)
    requests = [request.target for request in server.log() if "list-type=2" in request.target]
    assert len(requests) == len(HERE) / 2
    assert not [target for target in requests if "start-after" in target or "marker" in target]


def test_without_a_token_it_goes_on_by_start_after(server: Quirky, store: S3Store) -> None:
    server.hold(dict.fromkeys(KEYS, b"x"), page=3, token="absent")
    assert listed(store, delimiter="") == sorted(KEYS)
    later = [request.target for request in server.log() if "list-type=2" in request.target][1:]
    assert len(later) == 3
    assert all("start-after=" in target for target in later)


@pytest.mark.parametrize("version", ["", "refused"])
def test_pages_that_begin_again_are_an_error(server: Quirky, store: S3Store, version: str) -> None:
    server.hold(dict.fromkeys(KEYS, b"x"), page=3, token="back", v1_only=version)
    with pytest.raises(BadAnswer):
        page = store.list_page("", deadline=soon())
        store.list_page("", start_after=page.objects[-1].id.key, deadline=soon())


def test_a_refusal_that_has_another_reason_stays_what_it_was(server: Quirky, store: S3Store) -> None:
    server.hold({}, list_rules=[])
    with pytest.raises(Forbidden):
        store.list_page("", deadline=soon())
    assert len([request for request in server.log() if request.method == "GET"]) == 1
    server.hold({}, bucket="other", v1_only="invalid")
    with pytest.raises(StoreError):
        store.list_page("", deadline=soon())


def test_bad_rows_cost_no_other(server: Quirky, store: S3Store) -> None:
    server.hold(
        {
            "date": thing(b"12", row={"LastModified": "0001-01-01T00:00:00Z"}),
            "etag": thing(b"12", row={"ETag": "&#1;&#2;"}),
            "no etag": thing(b"12", row={"ETag": None}),
            "size": thing(b"12", row={"Size": "-1"}),
            "whole": b"12",
            "with\x01control": b"12",
        }
    )
    for encoding in ("honest", "ignored"):
        server.switch(encoding=encoding)
        page = store.list_page("", deadline=soon())
        found = {stat.id.key: (stat.size, stat.mtime_ns, is_etag(stat.id.etag)) for stat in page.objects}
        good = (2, WHEN * 10**9, True)
        assert found == {
            "date": (2, UNKNOWN_MTIME_NS, True),
            "etag": (2, WHEN * 10**9, False),
            "no etag": (2, WHEN * 10**9, False),
            "whole": good,
            "with\x01control": good,
        }
        assert len(page.unshowable) == 1
        assert "'size'" in page.unshowable[0]


def test_a_head_with_an_impossible_date(server: Quirky, store: S3Store) -> None:
    for date in ("Mon, 01 Jan 0001 00:00:00 GMT", "yesterday", "", None):
        server.hold({"k": thing(b"123", headers={"Last-Modified": date})})
        stat = store.head("k", deadline=soon())
        assert (stat.size, stat.mtime_ns) == (3, UNKNOWN_MTIME_NS), date
    server.hold({"k": b"123"})
    assert store.head("k", deadline=soon()).mtime_ns == WHEN * 10**9
