"""Through which proxy the stores go, with a real one: names, bytes and web files alike.

Tinyproxy closes a connection after each answer, without saying so; who sends the next request at that moment must send
it again. So the stores are wrapped in `Retrying`, as in a mount.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from mountnd.errors import Forbidden, StoreError, Unreachable
from mountnd.stores.base import ObjectId, Store
from mountnd.stores.retry import Retrying
from mountnd.stores.s3 import S3Store

from ..support.servers import Answer, Scripted, free_port, s3_client
from .directory_stores import http_store
from .reading import BODY, first_name, listed, read, soon
from .s3_stage import ALL, BYTE, ETAG, HEAD, LIST, Make, ask_all, scopes
from .tinyproxy import Tinyproxy, tinyproxy

# tinyproxy takes no other characters; what is quoted must be decoded.
SECRET = "s3cret.word-1"
QUOTED = "s%33cret%2Eword%2D1"


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for scheme in ("http", "https", "all", "no"):
        monkeypatch.delenv(f"{scheme}_proxy", raising=False)
        monkeypatch.delenv(f"{scheme.upper()}_PROXY", raising=False)


@pytest.fixture
def proxy(tmp_path: Path) -> Iterator[Tinyproxy]:
    with tinyproxy(tmp_path) as proxy:
        yield proxy


@pytest.fixture
def closed_proxy(tmp_path: Path) -> Iterator[Tinyproxy]:
    """One that wants a user and a password."""
    with tinyproxy(tmp_path, user="me", password=SECRET) as proxy:
        yield proxy


@pytest.fixture
def trusted(private_ca: tuple[Path, Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(private_ca[0]))


def requests_of_all(store: Store) -> list[Callable[[], object]]:
    """LIST, HEAD, and GETs of an ordinary and of an odd key."""
    return [
        lambda: store.list_page("", deadline=soon()),
        lambda: store.head("k", deadline=soon()),
        lambda: read(store, ObjectId(store.source, "k", ETAG), 0, 1),
        lambda: read(store, ObjectId(store.source, "odd//k", ETAG), 0, 1),
    ]


@pytest.mark.parametrize("variable", ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"])
def test_plain_http_goes_through_the_proxy(
    make: Make, stage: Scripted, proxy: Tinyproxy, variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, proxy.url())
    ask_all(Retrying(make(anonymous=True)))
    asked = stage.log()
    assert len(asked) == len(proxy.requests()) == 4
    assert all("tinyproxy" in headers["via"] for _, _, headers in asked)
    assert {headers["host"] for _, _, headers in asked} == {urlsplit(stage.url).netloc}
    stage.play({"HEAD /k": HEAD, "GET /k": BYTE})
    web = Retrying(http_store(f"{stage.url}/k"))
    (stat,), _ = listed(web, "")
    assert read(web, stat.id, 0, 1) == b"x"
    assert ["tinyproxy" in headers["via"] for _, _, headers in stage.log()] == [True, True]
    web.close()


@pytest.mark.usefixtures("trusted")
@pytest.mark.parametrize("variable", ["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"])
def test_tls_goes_through_a_tunnel(
    make: Make, tls_stage: Scripted, proxy: Tinyproxy, variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, proxy.url())
    tls_stage.play({**ALL, "HEAD /k": HEAD, "GET /k": BYTE})
    ask_all(Retrying(make(endpoint_url=tls_stage.url, anonymous=True)))
    assert len(tls_stage.log()) == 4
    web = Retrying(http_store(f"{tls_stage.url}/k"))
    (stat,), _ = listed(web, "")
    assert read(web, stat.id, 0, 1) == b"x"
    web.close()
    tunnels = proxy.requests()
    assert len(tunnels) == 2  # for the bucket, for web files; each is used again
    assert {line.split()[:2] == ["CONNECT", urlsplit(tls_stage.url).netloc] for line in tunnels} == {True}
    assert all("proxy-authorization" not in headers for _, _, headers in tls_stage.log())


def test_long_bodies_come_through_whole(moto: str, proxy: Tinyproxy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", proxy.url())
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    with pytest.MonkeyPatch.context() as direct:
        direct.delenv("http_proxy")
        client = s3_client(moto)
        client.create_bucket(Bucket="proxied")
        client.put_object(Bucket="proxied", Key="k", Body=BODY * 20)
    store = S3Store("proxied", endpoint_url=moto, region="us-east-1")
    (stat,), _ = listed(store, "")
    assert read(store, stat.id, 5, len(BODY), 10 * len(BODY)) == (BODY * 20)[5 : 5 + 11 * len(BODY)]
    assert len(proxy.requests()) == 2
    store.close()


@pytest.mark.usefixtures("signed")
def test_a_signature_is_for_the_bucket_and_never_for_the_proxy(
    make: Make, stage: Scripted, closed_proxy: Tinyproxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", closed_proxy.url(f"me:{QUOTED}"))
    ask_all(Retrying(make()))
    asked = stage.log()
    assert scopes(asked) == {"test/us-east-1"}
    for _, _, headers in asked:
        named = headers["authorization"].partition("SignedHeaders=")[2].partition(",")[0].split(";")
        assert "host" in named
        assert headers["host"] == urlsplit(stage.url).netloc
        assert not [name for name in named if name.startswith("proxy")]
        assert _is_signed_rightly(headers)


def _is_signed_rightly(headers: dict[str, str]) -> bool:
    """Whether all that was signed arrived: what the proxy changes must not be part of the signature."""
    named = headers["authorization"].partition("SignedHeaders=")[2].partition(",")[0].split(";")
    return all(name in headers for name in named) and not {"connection", "via"} & set(named)


@pytest.mark.usefixtures("trusted")
def test_user_and_password_come_from_the_url(
    make: Make, stage: Scripted, tls_stage: Scripted, closed_proxy: Tinyproxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("all_proxy", closed_proxy.url(f"me:{QUOTED}"))
    ask_all(Retrying(make(anonymous=True)))
    assert len(stage.log()) == 4
    assert all("proxy-authorization" not in headers for _, _, headers in stage.log())
    tls_stage.play(ALL)
    ask_all(Retrying(make(endpoint_url=tls_stage.url, anonymous=True)))
    assert len(tls_stage.log()) == 4
    for server in (stage, tls_stage):
        server.play({"HEAD /k": HEAD, "GET /k": BYTE})
        web = Retrying(http_store(f"{server.url}/k"))
        (stat,), _ = listed(web, "")
        assert read(web, stat.id, 0, 1) == b"x"
        web.close()


@pytest.mark.usefixtures("trusted")
def test_a_proxy_that_wants_a_password_is_unreachable_and_named(
    make: Make, stage: Scripted, tls_stage: Scripted, closed_proxy: Tinyproxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("all_proxy", closed_proxy.url())
    tls_stage.play(ALL)
    for server in (stage, tls_stage):
        for request in _of_all_stores(make, server):
            with pytest.raises(Unreachable, match=rf"the proxy http://127.0.0.1:{closed_proxy.port}\b"):
                request()
        assert server.log() == []


@pytest.mark.usefixtures("trusted")
def test_a_wrong_password_is_refused_and_in_no_message(
    make: Make, stage: Scripted, tls_stage: Scripted, closed_proxy: Tinyproxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("all_proxy", closed_proxy.url("me:wr0ng"))
    tls_stage.play(ALL)
    for server in (stage, tls_stage):
        for request in _of_all_stores(make, server):
            # Plain http: tinyproxy says 401, which is a server's word (a proxy's is 407), and answers HEAD with a body.
            with pytest.raises((Forbidden, Unreachable)) as caught:
                request()
            assert "wr0ng" not in str(caught.value)
            if server is tls_stage:
                assert type(caught.value) is Unreachable
                assert f"the proxy http://127.0.0.1:{closed_proxy.port}" in str(caught.value)
        assert server.log() == []


def _of_all_stores(make: Make, server: Scripted) -> list[Callable[[], object]]:
    store, web = make(endpoint_url=server.url, anonymous=True), http_store(f"{server.url}/k")
    id = ObjectId(web.source, "k", ETAG)
    return [*requests_of_all(store), lambda: first_name(web), lambda: read(web, id, 0, 1)]


@pytest.mark.usefixtures("trusted")
def test_a_proxy_that_is_not_there_is_unreachable_and_named(
    make: Make, stage: Scripted, tls_stage: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = free_port()
    monkeypatch.setenv("all_proxy", f"http://me:s3cret@127.0.0.1:{port}")
    tls_stage.play(ALL)
    for server in (stage, tls_stage):
        for request in _of_all_stores(make, server):
            with pytest.raises(Unreachable, match=rf"the proxy http://127.0.0.1:{port}\b") as caught:
                request()
            assert "s3cret" not in str(caught.value)
        with pytest.raises(Unreachable, match=rf"the proxy http://127.0.0.1:{port}\b"):
            first_name(make(endpoint_url=server.url, anonymous=True, region=None))  # before the bucket is known


def test_a_proxy_that_cannot_be_used_is_an_error_and_named(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    for url in ("socks5://me:s3cret@127.0.0.1:1080", "https://me:s3cret@127.0.0.1:1080"):
        monkeypatch.setenv("all_proxy", url)
        with pytest.raises(StoreError, match=rf"the proxy {url[:5]}.*://127.0.0.1:1080\b") as caught:
            first_name(make(anonymous=True))
        assert not caught.value.transient
        assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("listed_host", ["127.0.0.1", "{netloc}", "*", "elsewhere,127.0.0.1", "127.0.0.0/8"])
@pytest.mark.parametrize("proxies", ["http_proxy", "ALL_PROXY"])
def test_a_host_that_needs_no_proxy_gets_none(
    make: Make, stage: Scripted, listed_host: str, proxies: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(proxies, "http://127.0.0.1:1")
    monkeypatch.setenv("no_proxy", listed_host.format(netloc=urlsplit(stage.url).netloc))
    ask_all(Retrying(make(anonymous=True)))
    assert len(stage.log()) == 4
    stage.play({"HEAD /k": HEAD, "GET /k": BYTE})
    web = Retrying(http_store(f"{stage.url}/k"))
    (stat,), _ = listed(web, "")
    assert read(web, stat.id, 0, 1) == b"x"
    assert len(stage.log()) == 2
    web.close()


@pytest.mark.parametrize("listed_host", ["10.0.0.0/8", "127.0.0.1:1", "127.0.0.0/8:1"])
def test_names_and_bytes_agree_on_a_no_proxy_that_is_of_others(
    make: Make, stage: Scripted, proxy: Tinyproxy, listed_host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALL_PROXY", proxy.url())
    monkeypatch.setenv("NO_PROXY", listed_host)
    ask_all(Retrying(make(anonymous=True)))
    assert ["tinyproxy" in headers.get("via", "") for _, _, headers in stage.log()] == [True] * 4


def test_a_host_that_only_the_proxy_knows_is_reached(stage: Scripted, monkeypatch: pytest.MonkeyPatch) -> None:
    """The proxy is a scripted server here, which shows the requests as the proxy gets them: with whole URLs."""
    host = "http://bucket.invalid"
    stage.play({f"HEAD {host}/bkt/k": HEAD, f"GET {host}/bkt/k": BYTE, f"GET {host}/bkt/odd//k": BYTE, "GET *": LIST})
    monkeypatch.setenv("http_proxy", stage.url)
    ask_all(Retrying(S3Store("bkt", endpoint_url=host, region="us-east-1", anonymous=True)))
    assert [headers["host"] for _, _, headers in stage.log()] == ["bucket.invalid"] * 4
    stage.play({f"HEAD {host}/k": HEAD, f"GET {host}/k": BYTE})
    web = Retrying(http_store(f"{host}/k"))
    (stat,), _ = listed(web, "")
    assert read(web, stat.id, 0, 1) == b"x"
    assert len(stage.log()) == 2
    web.close()


def test_names_and_bytes_agree_on_a_no_proxy_with_the_buckets_own_host(
    stage: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    """botocore alone would look at the host of the service, and go through the proxy."""
    monkeypatch.setenv("http_proxy", stage.url)
    monkeypatch.setenv("no_proxy", "bkt.service.invalid")
    stage.play({"GET *": Answer(200, LIST.headers, LIST.body)})
    store = S3Store("bkt", endpoint_url="http://service.invalid", region="us-east-1", anonymous=True, path_style=False)
    for request in requests_of_all(store):
        with pytest.raises(Unreachable):
            request()
    assert stage.log() == []
    store.close()
