"""Versions of files on web servers, whose ETags may be weak, differ between HEAD and GET, or be refused in If-Match."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from mountnd.errors import Changed, Intercepted

from ..support.servers import Answer, Scripted, scripted_server
from .directory_stores import http_store
from .reading import read, soon

WHEN, LATER = "Mon, 12 Oct 2009 17:50:00 GMT", "Mon, 12 Oct 2009 17:51:00 GMT"


@pytest.fixture
def web() -> Iterator[Scripted]:
    with scripted_server() as server:
        yield server


def head(etag: str = '"e"', when: str = WHEN) -> Answer:
    return Answer(200, {"ETag": etag, "Last-Modified": when, "Content-Length": "6", "Content-Type": "x/y"})


def part(etag: str = '"e"', when: str = WHEN) -> Answer:
    headers = {"Last-Modified": when, "Content-Range": "bytes 2-3/6", "Content-Length": "2", "Content-Type": "x/y"}
    return Answer(206, headers | ({"ETag": etag} if etag else {}), b"cd")


def test_a_get_may_give_another_etag_than_a_head(web: Scripted) -> None:
    web.play({"HEAD /k": head('"e"'), "GET /k": part('"e-gzip"')})
    store = http_store(f"{web.url}/k")
    stat = store.head("k", deadline=soon())
    assert stat.id.etag == '"e"'
    for _ in range(2):
        assert read(store, stat.id, 2, 2) == b"cd"
    assert any("other ETags" in remark for remark in store.remarks)
    assert web.log()[-1][2]["if-match"] == '"e-gzip"'
    store.close()


def test_a_weak_etag_gives_way_to_the_date(web: Scripted) -> None:
    web.play({"HEAD /k": head('W/"e"'), "GET /k": [part('W/"f"'), part('W/"f"', LATER)]})
    store = http_store(f"{web.url}/k")
    stat = store.head("k", deadline=soon())
    assert read(store, stat.id, 2, 2) == b"cd"
    with pytest.raises(Changed):
        read(store, stat.id, 2, 2)
    assert all("if-match" not in headers for _, _, headers in web.log())
    store.close()


def test_a_refused_if_match_is_sent_as_the_server_takes_it(web: Scripted) -> None:
    web.play({"HEAD /k": head(), "GET /k": [Answer(412, {"Content-Length": "0"}), part()]})
    store = http_store(f"{web.url}/k")
    stat = store.head("k", deadline=soon())
    assert read(store, stat.id, 2, 2) == b"cd"
    assert [headers["if-match"] for method, _, headers in web.log() if method == "GET"] == ['"e"', "e"]
    store.close()


@pytest.mark.parametrize("etag", ['"e"', ""])
def test_a_login_page_is_not_the_file(web: Scripted, etag: str) -> None:
    page = b"<html>"
    web.play({"HEAD /k": head(etag), "GET /k": Answer(200, {"Content-Length": "6", "Content-Type": "text/html"}, page)})
    store = http_store(f"{web.url}/k")
    stat = store.head("k", deadline=soon())
    with pytest.raises(Intercepted, match="text/html"):
        read(store, stat.id, 0, 6)
    store.close()


def test_one_etag_for_all_files_of_a_page(web: Scripted) -> None:
    page = b'<a href="a">a</a><a href="b">b</a>'
    web.play(
        {
            "GET /": Answer(200, {"Content-Length": str(len(page))}, page),
            "HEAD /a": head('"same"'),
            "HEAD /b": head('"same"', LATER),
        }
    )
    store = http_store(f"{web.url}/")
    found = store.list_page("", deadline=soon()).objects
    assert {stat.id.etag for stat in found} == {f"6-{WHEN}", f"6-{LATER}"}
    store.close()
