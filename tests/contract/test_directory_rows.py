"""Rows that cannot be, from other servers than S3's: a file of an fsspec file system, a link of a web page."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import fsspec
import pytest
from fsspec.spec import AbstractFileSystem

from mountnd.stores.base import Page, Store
from mountnd.stores.directory.fsspec_backend import FsspecBackend
from mountnd.stores.directory.store import DirectoryStore
from mountnd.stores.facts import UNKNOWN_MTIME_NS

from ..support.servers import Answer, Scripted
from .directory_stores import http_store
from .reading import soon

GOOD_NS = 1_600_000_000 * 10**9
ROWS: dict[str, dict[str, Any]] = {
    "good": {"size": 5, "mtime": 1_600_000_000.0},
    "text": {"size": "5", "mtime": "Sun, 13 Sep 2020 12:26:40 GMT"},
    "year-1": {"size": 5, "mtime": datetime(1, 1, 1, tzinfo=UTC)},
    "year-9999": {"size": 5, "mtime": datetime(9999, 12, 31)},  # noqa: DTZ001 (as some file systems give it)
    "nan": {"size": 5, "mtime": float("nan")},
    "huge": {"size": 5, "mtime": 10**30},
    "never": {"size": 5, "mtime": None},
    "negative": {"size": -1, "mtime": 1_600_000_000.0},
    "wordy": {"size": "five", "mtime": 1_600_000_000.0},
    "endless": {"size": 2**63, "mtime": 1_600_000_000.0},
    "sizeless": {"size": None, "mtime": 1_600_000_000.0},
    "link": {"size": 1, "islink": True},
}


class OddFileSystem(AbstractFileSystem):  # type: ignore[misc]
    """One directory of files about which it says odd things."""

    protocol = "odd"
    cachable = False

    def ls(self, path: str, detail: bool = True, **_: Any) -> list[dict[str, Any]]:
        rows = [{"name": f"top/{name}", "type": "file", **row} for name, row in ROWS.items()]
        return [*rows, {"type": "file", "size": 1}, {"name": "top/below", "type": "directory", "size": 0}]

    def info(self, path: str, **_: Any) -> dict[str, Any]:
        name = self._strip_protocol(path).rpartition("/")[2]
        if name == "link":
            raise PermissionError(path)
        if name in ROWS:
            return {"name": path, "type": "file", **ROWS[name]}
        return {"name": path, "type": "directory", "size": 0}


@pytest.fixture
def odd() -> Iterator[Store]:
    fsspec.register_implementation("odd", OddFileSystem, clobber=True)
    store = DirectoryStore(FsspecBackend("odd://top", {}))
    yield store
    store.close()


def times(page: Page) -> dict[str, int]:
    return {stat.id.key: stat.mtime_ns for stat in page.objects}


def test_a_bad_row_of_a_file_system_costs_no_other(odd: Store) -> None:
    page = odd.list_page("", deadline=soon())
    unknown = dict.fromkeys(("year-1", "year-9999", "nan", "huge", "never"), UNKNOWN_MTIME_NS)
    assert times(page) == {"good": GOOD_NS, "text": GOOD_NS, **unknown}
    assert {stat.size for stat in page.objects} == {5}
    assert page.prefixes == ["below/"]
    reported = ("negative", "wordy", "endless", "sizeless", "link")
    assert sorted(text.partition(":")[0] for text in page.unshowable) == sorted(repr(name) for name in reported)
    assert odd.head("text", deadline=soon()) in page.objects


def test_a_bad_row_of_a_web_page_costs_no_other(stage: Scripted) -> None:
    page = b'<a href="good">g</a><a href="dateless">d</a><a href="year-1">y</a><a href="endless">e</a>'
    head = {"Content-Length": "5", "Last-Modified": "Sun, 13 Sep 2020 12:26:40 GMT", "ETag": '"e"'}
    endless = Answer(206, {"Content-Length": "1", "Content-Range": f"bytes 0-0/{2**64}"}, b"x")
    stage.play(
        {
            "GET /p/": Answer(200, {"Content-Length": str(len(page)), "Content-Type": "text/html"}, page),
            "HEAD /p/good": Answer(200, head),
            "HEAD /p/dateless": Answer(200, {"Content-Length": "5"}),
            "HEAD /p/year-1": Answer(200, head | {"Last-Modified": "Mon, 01 Jan 0001 00:00:00 GMT"}),
            "HEAD /p/endless": Answer(200, {"ETag": '"e"'}),
            "GET /p/endless": endless,
        }
    )
    store = http_store(f"{stage.url}/p/")
    found = store.list_page("", deadline=soon())
    assert times(found) == {"good": GOOD_NS, "dateless": UNKNOWN_MTIME_NS, "year-1": UNKNOWN_MTIME_NS}
    assert ["endless" in text for text in found.unshowable] == [True]
    store.close()
