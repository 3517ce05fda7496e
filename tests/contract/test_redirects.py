"""Redirects: S3 follows none; web files follow some, and nothing secret goes along."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mountnd.errors import BadAnswer, StoreError
from mountnd.stores.base import ObjectId, Store
from mountnd.stores.http import redirects
from mountnd.stores.links.store import SignedLinkStore
from mountnd.stores.s3 import S3Store

from ..support.servers import Answer, Scripted, scripted_server
from .directory_stores import http_store
from .reading import first_name, listed, read, soon
from .s3_stage import BYTE, ETAG, HEAD

BODY = b"<ListBucketResult><Contents><Key>planted</Key><Size>1</Size></Contents></ListBucketResult>"
PLANTED = Answer(200, {"Content-Length": str(len(BODY)), "ETag": ETAG}, BODY)


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[Scripted]:
    with scripted_server() as server:
        yield server


def leads(to: str, status: int = 307) -> Answer:
    return Answer(status, {"Location": to, "Content-Length": "0"})


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_s3_follows_none(stage: Scripted, elsewhere: Scripted, status: int, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("ACCESS_KEY_ID", "key"), ("SECRET_ACCESS_KEY", "s3cret"), ("SESSION_TOKEN", "t0ken")):
        monkeypatch.setenv(f"AWS_{name}", value)
    elsewhere.play({"GET *": PLANTED, "HEAD *": HEAD})
    there = f"{elsewhere.url}/bkt?list-type=2"
    stage.play({"GET *": leads(there, status), "HEAD *": leads(there, status)})
    for region in ("us-east-1", None):
        store = S3Store("bkt", endpoint_url=stage.url, region=region)
        for ask in (
            lambda store=store: first_name(store),
            lambda store=store: store.head("k", deadline=soon()),
            lambda store=store: read(store, ObjectId(store.source, "k", ETAG), 0, 1),
        ):
            with pytest.raises(BadAnswer, match=elsewhere.url) as caught:
                ask()
            assert not caught.value.transient
            assert "\n" not in str(caught.value)
        store.close()
    assert elsewhere.log() == [], "neither names nor a session token went there"


def web_store(url: str) -> Store:
    return http_store(f"{url}/k")


def link_store(url: str, where: Path) -> Store:
    (where / "links").write_text(f"{url}/k?Expires=4000000000&Signature=s3cret")
    return SignedLinkStore(where / "links")


@pytest.fixture(params=["web", "links"])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> object:
    return web_store if request.param == "web" else lambda url: link_store(url, tmp_path)


def test_web_files_follow_and_take_nothing_along(stage: Scripted, elsewhere: Scripted, make) -> None:  # type: ignore[no-untyped-def]
    elsewhere.play({"GET /there": BYTE, "HEAD /there": HEAD})
    stage.play({"GET *": leads(f"{elsewhere.url}/there"), "HEAD *": leads(f"{elsewhere.url}/there")})
    store = make(stage.url)
    (stat,), _ = listed(store, "")
    assert read(store, stat.id, 0, 1) == b"x"
    for _, target, headers in elsewhere.log():
        assert "s3cret" not in target
        assert not {"authorization", "cookie", "x-amz-security-token", "referer"} & set(headers)
        assert headers["host"] == elsewhere.url.removeprefix("http://")
    store.close()


def test_none_goes_from_https_to_http(
    tls_stage: Scripted,
    elsewhere: Scripted,
    private_ca,
    make,
    monkeypatch: pytest.MonkeyPatch,  # type: ignore[no-untyped-def]
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(private_ca[0]))
    elsewhere.play({"GET *": BYTE, "HEAD *": HEAD})
    tls_stage.play({"GET *": leads(f"{elsewhere.url}/there"), "HEAD *": leads(f"{elsewhere.url}/there")})
    store = make(tls_stage.url)
    for ask in (lambda: first_name(store), lambda: read(store, ObjectId(store.source, "k", ETAG), 0, 1)):
        with pytest.raises(BadAnswer, match=r"from https to http.*127\.0\.0\.1"):
            ask()
    assert elsewhere.log() == []
    store.close()


def test_a_page_of_links_is_led_on_by_the_same_rules(
    tls_stage: Scripted,
    stage: Scripted,
    elsewhere: Scripted,
    private_ca,
    monkeypatch: pytest.MonkeyPatch,  # type: ignore[no-untyped-def]
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(private_ca[0]))
    page = b'<a href="k">k</a>'
    elsewhere.play({"GET *": Answer(200, {"Content-Length": str(len(page))}, page)})
    tls_stage.play({"GET *": leads(f"{elsewhere.url}/")})
    store = http_store(f"{tls_stage.url}/")
    with pytest.raises(BadAnswer, match="from https to http"):
        first_name(store)
    store.close()
    stage.play(
        {"GET /a/": leads("/b/"), "GET /b/": Answer(200, {"Content-Length": str(len(page))}, page), "HEAD *": HEAD}
    )
    store = http_store(f"{stage.url}/a/")
    (stat,), _ = listed(store, "")
    assert stat.id.key == "k"
    store.close()
    assert elsewhere.log() == []


@pytest.mark.parametrize(
    "location", ["/k", "//[", "ftp://127.0.0.1/k", "file:///etc/passwd", "http://", "x" * 40_000, "\x01"]
)
def test_redirects_that_lead_nowhere_end_soon(stage: Scripted, location: str) -> None:
    stage.play({"GET *": leads(location), "HEAD *": leads(location)})
    store = web_store(stage.url)
    with pytest.raises(StoreError) as caught:
        first_name(store)
    assert not caught.value.transient
    assert len(stage.log()) <= 2 * (redirects.REDIRECTS_MAX + 1)
    store.close()


PUBLIC, LAB, LINK, HERE = "52.218.1.1", "10.1.2.3", "169.254.169.254", "127.0.0.1"


@pytest.mark.parametrize(
    ("peer", "may"),
    [
        (PUBLIC, {PUBLIC, "2600:1f18::1"}),
        ("", {PUBLIC, "2600:1f18::1"}),
        ("2600:1f18::1", {PUBLIC, "2600:1f18::1"}),
        (LAB, {PUBLIC, LAB, "2600:1f18::1"}),
        ("192.168.0.9", {PUBLIC, LAB, "2600:1f18::1"}),
        (HERE, {PUBLIC, LAB, LINK, HERE, "::1", "::ffff:127.0.0.1", "0.0.0.0", "fe80::1%eth0", "2600:1f18::1"}),
    ],
)
def test_none_leads_into_a_more_private_network(peer: str, may: set[str]) -> None:
    allowed = redirects.reachable_from(peer)
    addresses = [PUBLIC, LAB, LINK, HERE, "::1", "::ffff:127.0.0.1", "0.0.0.0", "fe80::1%eth0", "2600:1f18::1"]
    assert {address for address in addresses if allowed(address)} == may


def test_a_server_on_the_internet_leads_to_no_service_of_this_machine(
    stage: Scripted,
    elsewhere: Scripted,
    make,
    monkeypatch: pytest.MonkeyPatch,  # type: ignore[no-untyped-def]
) -> None:
    """The stage is on the internet here, as far as the addresses of its connections go."""
    monkeypatch.setattr(redirects, "reachable_from", lambda peer, real=redirects.reachable_from: real(PUBLIC))
    elsewhere.play({"GET *": BYTE, "HEAD *": HEAD})
    for there in (elsewhere.url, elsewhere.url.replace("127.0.0.1", "localhost")):
        stage.play({"GET *": leads(f"{there}/k"), "HEAD *": leads(f"{there}/k")})
        store = make(stage.url)
        with pytest.raises(BadAnswer):
            first_name(store)
        store.close()
    assert elsewhere.log() == []
