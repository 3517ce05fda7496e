"""Bytes of a bucket through caching proxies (`--via`): always the right ones, whatever a proxy does.

Proxies that pass on what they are asked are processes of `tests/support/proxy.py`, and can be told to misbehave; those
that lie answer by a table. The server counts what comes to it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest

from mountnd import stats
from mountnd.errors import Changed, NotFound, ServerFault
from mountnd.stats import Stats
from mountnd.stores.base import Deadline, ObjectId
from mountnd.stores.s3 import S3Store
from mountnd.stores.via import rendezvous
from mountnd.stores.via.parts import SLICE, parts

from ..support.proxy import Proxy, proxied
from ..support.quirky import WHEN, Quirky, thing
from ..support.raw import raw_server, say
from ..support.servers import Answer, Scripted, s3_client, scripted_server
from ..support.waiting import Clock
from .reading import BODY, read


def good_headers(etag: str, start: int, stop: int, size: int) -> dict[str, str]:
    """Those of a right answer; `etag` "" for none."""
    headers = {"Content-Range": f"bytes {start}-{stop - 1}/{size}", "Content-Length": str(stop - start)}
    return {**headers, "ETag": etag} if etag else headers


KEY = "dir with space/a+b.nii"
PATH = "/bkt/dir%20with%20space/a%2Bb.nii"


@pytest.fixture(scope="module")
def proxies(quirky: Quirky) -> Iterator[list[Proxy]]:
    """Two that pass on what they are asked."""
    with proxied(quirky.url) as first, proxied(quirky.url) as second:
        yield [first, second]


@pytest.fixture
def nodes(proxies: list[Proxy], quirky: Quirky) -> Iterator[list[Proxy]]:
    """These, well-behaved and with nothing behind them; the bucket holds one object."""
    quirky.hold({KEY: BODY, "other": b"x" * 1000})
    for proxy in proxies:
        proxy.clear()
    yield proxies
    for proxy in proxies:
        proxy.behave()
        proxy.up()


@contextmanager
def opened(quirky: Quirky, via: Sequence[str], **options: object) -> Iterator[S3Store]:
    """A store of the bucket through these nodes, and its counters as `store.counted`."""
    given = {"anonymous": True, "region": "us-east-1", "clock": Clock(), **options}
    store = S3Store("bkt", endpoint_url=quirky.url, via=via, **given)  # type: ignore[arg-type]
    store.count_in(Stats())
    try:
        yield store
    finally:
        store.close()


def id_in(store: S3Store, key: str = KEY) -> ObjectId:
    return store.head(key, deadline=Deadline(30)).id


def direct(quirky: Quirky, nodes: Sequence[Proxy] = ()) -> int:
    """GETs of objects that did not come through one of the nodes."""
    passed = sum(len([r for r in node.gets() if r.rule not in ("hold", "status", "reset")]) for node in nodes)
    return sum(r.method == "GET" and "list-type" not in r.target for r in quirky.log()) - passed


def failures(store: S3Store) -> int:
    return sum(one["failures"] for one in store.via_counts())


class TestWellBehaved:
    def test_a_node_is_asked_for_the_version_by_the_buckets_own_host(self, quirky: Quirky, nodes: list[Proxy]) -> None:
        with opened(quirky, [nodes[0].url]) as store:
            id = id_in(store)
            quirky.switch()
            assert read(store, id, 100, 40, 60) == BODY[100:200]
            (request,) = nodes[0].requests()
            (seen,) = quirky.log()
            assert (request.range, request.if_match) == ("bytes=100-199", id.etag)
            assert seen.target == PATH and seen.headers["host"] == quirky.url.removeprefix("http://")
            assert "authorization" not in seen.headers
            (counts,) = store.via_counts()
            assert (counts["requests"], counts["bytes"], counts["failures"]) == (1, 100, 0)

    def test_names_stay_with_the_server(self, quirky: Quirky, nodes: list[Proxy]) -> None:
        with opened(quirky, [nodes[0].url]) as store:
            store.list_page("", deadline=Deadline(30))
            store.head(KEY, deadline=Deadline(30))
            assert nodes[0].requests() == []

    def test_a_long_read_is_divided_where_slices_are(self, quirky: Quirky, nodes: list[Proxy]) -> None:
        body = BODY * (3 * SLICE // len(BODY))
        quirky.hold({"long": body})
        urls = sorted(node.url for node in nodes)
        with opened(quirky, urls) as store:
            id = id_in(store, "long")
            assert read(store, id, 7, len(body) - 9) == body[7:-2]
        place = quirky.url.removeprefix("http://")
        planned = list(parts([rendezvous.seed(url) for url in urls], f"{place}/bkt/long", 7, len(body) - 2))
        for at, url in enumerate(urls):
            node = next(node for node in nodes if node.url == url)
            wanted = [f"bytes={part.start}-{part.stop - 1}" for part in planned if part.nodes[0] == at]
            assert [r.range for r in node.gets()] == wanted
        assert direct(quirky, nodes) == 0

    def test_connections_are_kept(self, quirky: Quirky) -> None:
        with raw_server() as node, opened(quirky, [node.url]) as store:
            quirky.hold({KEY: BODY})
            id = id_in(store)
            head = "".join(f"{n}: {v}\r\n" for n, v in good_headers(id.etag, 0, 10, len(BODY)).items())
            node.play(say(f"HTTP/1.1 206 Partial Content\r\n{head}\r\n".encode() + BODY[:10]), close=False)
            for _ in range(5):
                assert read(store, id, 0, 10) == BODY[:10]
            (connection,) = node.connections()
            assert len(connection["heads"]) == 5


LIES = {
    "the whole object": Answer(200, {"Content-Length": str(len(BODY)), "ETag": "@"}, BODY),
    "a page for people": Answer(200, {"Content-Length": "100", "Content-Type": "text/html"}, b"<html>".ljust(100)),
    "a page of the right length": Answer(206, good_headers('"page"', 100, 200, len(BODY)), b"<html>".ljust(100)),
    "another ETag": Answer(206, good_headers('"another"', 100, 200, len(BODY)), BODY[100:200]),
    "a weak ETag": Answer(206, good_headers("W/@", 100, 200, len(BODY)), BODY[100:200]),
    "no ETag": Answer(206, good_headers("", 100, 200, len(BODY)), BODY[100:200]),
    "another range": Answer(206, good_headers("@", 99, 199, len(BODY)), BODY[99:199]),
    "a shorter range": Answer(206, good_headers("@", 100, 190, len(BODY)), BODY[100:190]),
    "another size": Answer(206, good_headers("@", 100, 200, len(BODY) + 1), BODY[100:200]),
    "fewer bytes than it says": Answer(206, good_headers("@", 100, 200, len(BODY)), BODY[100:150], then="close"),
    "a redirect": Answer(307, {"Location": "http://127.0.0.1:9/", "Content-Length": "0"}),
    **{
        f"HTTP {status}": Answer(status, {"Content-Length": "0"})
        for status in (400, 401, 403, 404, 405, 407, 412, 416, 421, 428, 429, 500, 502, 503, 504)
    },
}


@pytest.fixture(scope="module")
def liar() -> Iterator[Scripted]:
    with scripted_server() as server:
        yield server


class TestMisbehaving:
    @pytest.mark.parametrize("lie", LIES)
    def test_the_source_gives_what_a_node_does_not(self, quirky: Quirky, liar: Scripted, lie: str) -> None:
        """And the node is left out for a while; what is believed of the server does not change by what a node says."""
        quirky.hold({KEY: BODY})
        with opened(quirky, [liar.url]) as store:
            id = id_in(store)
            said = LIES[lie]
            headers = {name: value.replace("@", id.etag) for name, value in said.headers.items()}
            liar.play({"GET *": Answer(said.status, headers, said.body, said.then)})
            quirky.switch()
            assert read(store, id, 100, 100) == BODY[100:200]
            asked = len(liar.log())
            assert asked >= 1 and failures(store) == 1
            assert [r.headers.get("if-match") for r in quirky.log()] == [id.etag]
            assert read(store, id, 300, 50) == BODY[300:350]
            assert len(liar.log()) == asked, "it is left out"
            assert store.via_counts()[0]["left_out"] is True
            assert store.remarks == ()

    @pytest.mark.parametrize("garbage", [b"SSH-2.0-OpenSSH_9.2\r\n", b"\x15\x03\x01\x00\x02\x02\x50", b""])
    def test_what_is_no_http(self, quirky: Quirky, garbage: bytes) -> None:
        quirky.hold({KEY: BODY})
        with raw_server() as node, opened(quirky, [node.url]) as store:
            node.play(say(garbage)) if garbage else node.play()
            assert read(store, id_in(store), 100, 100) == BODY[100:200]
            assert failures(store) == 1

    def test_a_node_that_comes_back_is_asked_again(self, quirky: Quirky, nodes: list[Proxy]) -> None:
        clock = Clock()
        with opened(quirky, [nodes[0].url], clock=clock) as store:
            id = id_in(store)
            nodes[0].down()
            assert read(store, id, 0, 10) == BODY[:10]
            nodes[0].up()
            nodes[0].clear()
            assert read(store, id, 0, 10) == BODY[:10]
            assert nodes[0].gets() == []
            clock.now += 2
            for _ in range(3):
                assert read(store, id, 0, 10) == BODY[:10]
            assert len(nodes[0].gets()) == 3

    def test_a_silent_node_takes_a_part_of_the_time_and_then_none(self, quirky: Quirky, nodes: list[Proxy]) -> None:
        with opened(quirky, [nodes[0].url]) as store:
            id = id_in(store)
            nodes[0].rule("hold")
            into = memoryview(bytearray(10))
            store.read(id, 0, [into], deadline=Deadline(3.0))  # raises where the node has taken all of it
            assert into == BODY[:10] and failures(store) == 1
            assert read(store, id, 0, 10) == BODY[:10]
            assert len(nodes[0].gets()) == 1

    def test_the_share_of_one_that_is_gone_goes_to_the_next(self, quirky: Quirky, nodes: list[Proxy]) -> None:
        with opened(quirky, [node.url for node in nodes]) as store:
            id = id_in(store)
            assert read(store, id, 0, 10) == BODY[:10]
            first = next(node for node in nodes if node.gets())
            second = next(node for node in nodes if not node.gets())
            first.down()
            for _ in range(3):
                assert read(store, id, 0, 10) == BODY[:10]
            assert len(second.gets()) == 3 and direct(quirky, nodes) == 0

    def test_cut_in_the_middle_of_a_body(self, quirky: Quirky, nodes: list[Proxy]) -> None:
        with opened(quirky, [node.url for node in nodes]) as store:
            id = id_in(store)
            for node in nodes:
                node.rule("reset-body", times=1)
            assert read(store, id, 0, 150_000) == BODY[:150_000]
            assert failures(store) == 2 and direct(quirky, nodes) == 1

    def test_all_are_gone(self, quirky: Quirky, nodes: list[Proxy]) -> None:
        for node in nodes:
            node.down()
        with opened(quirky, [*(node.url for node in nodes), "http://no-such-host.invalid:1"]) as store:
            counted = Stats()
            store.count_in(counted)
            id = id_in(store)
            for start in range(0, 100_000, 10_000):
                assert read(store, id, start, 10_000) == BODY[start : start + 10_000]
            assert failures(store) == 3
            assert counted.snapshot() == {
                stats.VIA_GETS: 3, stats.VIA_FAILED: 3, stats.VIA_SOURCE_BYTES: 100_000,
            }  # fmt: skip

    def test_what_a_node_made_of_bytes_says_nothing_of_the_server(self, quirky: Quirky, liar: Scripted) -> None:
        """Bytes that rotted in a cache are believed, as nothing tells; the server is not doubted for them later."""
        quirky.hold({KEY: BODY})
        clock = Clock()
        with opened(quirky, [liar.url], clock=clock) as store:
            id = id_in(store)
            rotten = b"y" + BODY[1:70_000]
            liar.play({"GET *": Answer(206, good_headers(id.etag, 0, 70_000, len(BODY)), rotten)})
            assert read(store, id, 0, 70_000) == rotten
            liar.play({"GET *": Answer(404, {"Content-Length": "0"})})
            assert read(store, id, 0, 70_000) == BODY[:70_000]
            assert store.remarks == () and store.via == ((liar.url,), "")

    def test_other_bytes_than_were_read_before(self, quirky: Quirky, liar: Scripted) -> None:
        """Where the first bytes are remembered, a node that changes them is found out, and the server is not blamed."""
        quirky.hold({KEY: BODY})
        with opened(quirky, [liar.url]) as store:
            id = id_in(store)
            liar.play({"GET *": Answer(404, {"Content-Length": "0"})})
            assert read(store, id, 0, 70_000) == BODY[:70_000]
        clock = Clock()
        with opened(quirky, [liar.url], clock=clock) as store:
            liar.play({"GET *": Answer(404, {"Content-Length": "0"})})
            assert read(store, id, 0, 70_000) == BODY[:70_000]
            clock.now += 100
            other = b"y" + BODY[1:70_000]
            liar.play({"GET *": Answer(206, good_headers(id.etag, 0, 70_000, len(BODY)), other)})
            assert read(store, id, 0, 70_000) == BODY[:70_000]
            assert failures(store) == 2 and store.remarks == ()


class TestVersions:
    def test_a_replaced_object_is_stale_and_nobody_is_blamed(self, quirky: Quirky, nodes: list[Proxy]) -> None:
        with opened(quirky, [nodes[0].url]) as store:
            id = id_in(store)
            assert read(store, id, 0, 10) == BODY[:10]
            quirky.switch(buckets={"bkt": {KEY: thing(BODY[::-1], mtime=WHEN + 100)}})
            with pytest.raises(Changed):
                read(store, id, 0, 10)
            assert store.via_counts()[0]["left_out"] is False
            new = id_in(store)
            assert read(store, new, 0, 10) == BODY[::-1][:10]
            assert store.via_counts()[0]["requests"] == 3

    def test_a_proxy_that_does_not_know_if_match_gives_no_byte_of_another_version(
        self, quirky: Quirky, nodes: list[Proxy]
    ) -> None:
        nodes[0].rule("unguarded")
        with opened(quirky, [nodes[0].url]) as store:
            id = id_in(store)
            assert read(store, id, 0, 10) == BODY[:10]
            quirky.switch(buckets={"bkt": {KEY: thing(BODY[::-1], mtime=WHEN + 100)}})
            with pytest.raises(Changed):
                read(store, id, 0, 10)

    def test_a_version_by_its_id(self, moto: str, liar: Scripted) -> None:
        """What a lockfile or a snapshot names: also one that was replaced long ago. A proxy that does not know version
        ids gives no byte of the current version."""
        client = s3_client(moto)
        client.create_bucket(Bucket="kept")
        client.put_bucket_versioning(Bucket="kept", VersioningConfiguration={"Status": "Enabled"})
        for body in (BODY, BODY[::-1]):
            client.put_object(Bucket="kept", Key=KEY, Body=body, ACL="public-read")
        listed = client.list_object_versions(Bucket="kept", Prefix=KEY)["Versions"]
        with proxied(moto) as node:
            store = S3Store("kept", endpoint_url=moto, via=[node.url], anonymous=True, region="us-east-1")
            try:
                for version in listed:
                    body = BODY[::-1] if version["IsLatest"] else BODY
                    id = ObjectId(store.source, KEY, version["ETag"], version["VersionId"], len(BODY))
                    assert read(store, id, 100, 100) == body[100:200]
                    assert node.gets()[-1].query == {"versionId": version["VersionId"]}
                assert failures(store) == 0 and len(node.gets()) == 2
            finally:
                store.close()
        store = S3Store("kept", endpoint_url=moto, via=[liar.url], anonymous=True, region="us-east-1")
        try:
            latest, old = sorted(listed, key=lambda version: not version["IsLatest"])
            liar.play({"GET *": Answer(206, good_headers(latest["ETag"], 0, 10, len(BODY)), BODY[::-1][:10])})
            id = ObjectId(store.source, KEY, old["ETag"], old["VersionId"], len(BODY))
            assert read(store, id, 0, 10) == BODY[:10]
            assert failures(store) == 1
        finally:
            store.close()

    def test_a_deleted_object_is_the_servers_to_tell(self, quirky: Quirky, nodes: list[Proxy]) -> None:
        with opened(quirky, [nodes[0].url]) as store:
            id = id_in(store)
            quirky.switch(buckets={"bkt": {}})
            with pytest.raises(NotFound):
                read(store, id, 0, 10)
            assert store.via_counts()[0]["left_out"] is False

    def test_a_server_in_trouble_is_what_is_said(self, quirky: Quirky, nodes: list[Proxy]) -> None:
        quirky.hold({KEY: thing(BODY, status=[500, "InternalError"])})
        with opened(quirky, [nodes[0].url]) as store:
            with pytest.raises(ServerFault):
                read(store, id_in(store), 0, 10)
            assert store.via_counts()[0]["left_out"] is False


class TestPassedBy:
    def test_signed_sources(self, quirky: Quirky, nodes: list[Proxy], monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
        for anonymous in (None, False):
            with opened(quirky, [nodes[0].url], anonymous=anonymous) as store:
                assert read(store, id_in(store), 0, 10) == BODY[:10]
                assert store.via is not None and "signed" in store.via.passed_by
        assert nodes[0].requests() == []
        assert all("authorization" in r.headers for r in quirky.log() if r.method == "GET")

    def test_those_that_could_be_signed_and_are_not(self, quirky: Quirky, nodes: list[Proxy]) -> None:
        with opened(quirky, [nodes[0].url], anonymous=None) as store:
            assert read(store, id_in(store), 0, 10) == BODY[:10]
            assert store.via == ((nodes[0].url,), "")
        assert len(nodes[0].gets()) == 1

    @pytest.mark.parametrize("quirk", [{"etag_listing": "weak", "etag_answer": "weak"}, {"etag_answer": "absent"}])
    def test_etags_that_are_not_relied_on(self, quirky: Quirky, nodes: list[Proxy], quirk: dict[str, str]) -> None:
        quirky.hold({KEY: BODY}, **quirk)
        with opened(quirky, [nodes[0].url]) as store:
            page = store.list_page("", delimiter="", deadline=Deadline(30))
            id = next(stat.id for stat in page.objects if stat.id.key == KEY)
            for _ in range(2):
                assert read(store, id, 0, 10) == BODY[:10]
        if quirk.get("etag_listing"):
            assert nodes[0].requests() == []

    def test_one_etag_for_all_is_said(self, quirky: Quirky, nodes: list[Proxy]) -> None:
        quirky.hold({KEY: BODY, "b": b"y" * 77}, etag_listing="constant", etag_answer="constant")
        with opened(quirky, [nodes[0].url]) as store:
            store.list_page("", delimiter="", deadline=Deadline(30))
            page = store.list_page("", delimiter="", deadline=Deadline(30))
            id = next(stat.id for stat in page.objects if stat.id.key == KEY)
            assert read(store, id, 0, 10) == BODY[:10]
        assert nodes[0].requests() == []


class TestManners:
    def test_a_proxy_that_wants_whole_urls(self, quirky: Quirky, liar: Scripted) -> None:
        """As Squid: a path is answered with 400. It is found out once."""
        quirky.hold({KEY: BODY})
        with opened(quirky, [liar.url]) as store:
            id = id_in(store)
            good = Answer(206, good_headers(id.etag, 0, 10, len(BODY)), BODY[:10])
            whole = f"{quirky.url}{PATH}"
            liar.play({f"GET {whole}": good, "GET *": Answer(400, {"Content-Length": "0"})})
            for _ in range(3):
                assert read(store, id, 0, 10) == BODY[:10]
            assert [target for _, target, _ in liar.log()] == [PATH, whole, whole, whole]
            assert {headers["host"] for _, _, headers in liar.log()} == {quirky.url.removeprefix("http://")}
            assert failures(store) == 0

    def test_buckets_below_a_path(self, quirky: Quirky, liar: Scripted) -> None:
        quirky.hold({KEY: BODY})
        with opened(quirky, [f"{liar.url}/aws-opendata/us-east-1"]) as store:
            id = id_in(store)
            good = Answer(206, good_headers(id.etag, 0, 10, len(BODY)), BODY[:10])
            liar.play({f"GET /aws-opendata/us-east-1{PATH}": good})
            assert read(store, id, 0, 10) == BODY[:10]
            ((_, _, headers),) = liar.log()
            assert headers["host"] == liar.url.removeprefix("http://")

    def test_a_proxy_of_the_environment_is_not_between(
        self, quirky: Quirky, nodes: list[Proxy], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
        monkeypatch.setenv("no_proxy", quirky.url.removeprefix("http://"))
        with opened(quirky, [nodes[0].url]) as store:
            assert read(store, id_in(store), 0, 10) == BODY[:10]
        assert len(nodes[0].gets()) == 1
