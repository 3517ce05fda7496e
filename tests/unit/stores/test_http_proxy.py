from __future__ import annotations

from base64 import b64decode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mountnd.errors import StoreError
from mountnd.stores.http.proxy import Proxy, parse_proxy, proxy_for

LAB = "http://proxy.lab:3128"


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for scheme in ("http", "https", "all", "no"):
        monkeypatch.delenv(f"{scheme}_proxy", raising=False)
        monkeypatch.delenv(f"{scheme.upper()}_PROXY", raising=False)


@pytest.mark.parametrize(
    ("variable", "plain", "tls"),
    [
        ("HTTP_PROXY", True, False),
        ("http_proxy", True, False),
        ("HTTPS_PROXY", False, True),
        ("https_proxy", False, True),
        ("ALL_PROXY", True, True),
        ("all_proxy", True, True),
    ],
)
def test_a_variable_is_for_its_scheme(variable: str, plain: bool, tls: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, LAB)
    assert (proxy_for("http://b.lab/k"), proxy_for("https://b.lab/k")) == (
        Proxy("http", "proxy.lab", 3128) if plain else None,
        Proxy("http", "proxy.lab", 3128) if tls else None,
    )


def test_lower_case_and_the_narrower_variable_go_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://upper:1")
    monkeypatch.setenv("http_proxy", "http://lower:1")
    monkeypatch.setenv("ALL_PROXY", "http://all:1")
    assert str(proxy_for("http://b.lab/")) == "http://lower:1"
    assert str(proxy_for("https://b.lab/")) == "http://all:1"


@pytest.mark.parametrize("variable", ["NO_PROXY", "no_proxy"])
@pytest.mark.parametrize("proxies", ["HTTP_PROXY", "ALL_PROXY"])
@pytest.mark.parametrize(
    ("listed", "url", "direct"),
    [
        ("b.lab", "http://b.lab/k", True),
        ("b.lab", "http://B.lab:9000/k", True),
        (".lab", "http://b.lab/k", True),
        ("lab", "http://b.lab/k", True),
        ("other, b.lab", "http://b.lab/k", True),
        ("b.lab:9000", "http://b.lab:9000/k", True),
        ("b.lab:9000", "http://user:pw@b.lab:9000/k", True),
        ("b.lab:9000", "http://b.lab:9001/k", False),
        ("*", "http://b.lab/k", True),
        ("127.0.0.1", "http://127.0.0.1:9000/k", True),
        ("*.lab", "http://b.lab/k", True),
        ("B.LAB.", "http://b.lab/k", True),
        ("b.lab:80", "http://b.lab/k", True),
        ("b.lab:443", "http://b.lab/k", False),
        ("10.0.0.0/8", "http://10.1.2.3:9000/k", True),
        ("10.0.0.0/8", "http://11.1.2.3:9000/k", False),
        ("127.0.0.1/8 192.168.0.0/16", "http://192.168.7.7/k", True),
        ("10.0.0.0/8:9000", "http://10.1.2.3:9000/k", True),
        ("10.0.0.0/8:9000", "http://10.1.2.3:9001/k", False),
        ("10.0.0.0/8", "http://b.lab/k", False),
        ("::1", "http://[::1]:9000/k", True),
        ("[::1]:9000", "http://[::1]:9000/k", True),
        ("[::1]:9001", "http://[::1]:9000/k", False),
        ("fd00::/8", "http://[fd12::1]/k", True),
        ("fd00::/8", "http://10.0.0.1/k", False),
        ("10.0.0.0/99", "http://10.0.0.1/k", False),
        ("ab.lab", "http://b.lab/k", False),
        ("b.lab", "http://ab.lab/k", False),
        ("", "http://b.lab/k", False),
    ],
)
def test_what_needs_no_proxy(
    variable: str, proxies: str, listed: str, url: str, direct: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(proxies, LAB)
    monkeypatch.setenv(variable, listed)
    assert (proxy_for(url) is None) == direct


@pytest.mark.parametrize(
    ("text", "proxy"),
    [
        (LAB, Proxy("http", "proxy.lab", 3128)),
        ("proxy.lab:3128", Proxy("http", "proxy.lab", 3128)),
        ("//proxy.lab:3128", Proxy("http", "proxy.lab", 3128)),
        ("http://proxy.lab", Proxy("http", "proxy.lab", 80)),
        ("https://proxy.lab/", Proxy("https", "proxy.lab", 443)),
        ("http://[::1]:3128", Proxy("http", "::1", 3128)),
        ("http://me:se%40cret%3A%2F@proxy.lab:3128", Proxy("http", "proxy.lab", 3128, "me", "se@cret:/")),
        ("me:secret@proxy.lab:3128", Proxy("http", "proxy.lab", 3128, "me", "secret")),
        ("http://me@proxy.lab:3128", Proxy("http", "proxy.lab", 3128, "me", "")),
    ],
)
def test_a_url_means(text: str, proxy: Proxy) -> None:
    assert parse_proxy(text) == proxy
    assert parse_proxy(proxy.url) == proxy


@given(user=st.text(max_size=10), password=st.text(max_size=10))
def test_credentials_come_back_as_they_were_and_stay_out_of_messages(user: str, password: str) -> None:
    proxy = Proxy("http", "proxy.lab", 3128, user, password)
    assert parse_proxy(proxy.url) == proxy
    assert str(proxy) == "http://proxy.lab:3128"
    assert repr(proxy) == repr(parse_proxy(str(proxy)))


def test_credentials_are_sent_as_basic_authorization() -> None:
    assert Proxy("http", "p", 1).headers == {}
    ((name, value),) = Proxy("http", "p", 1, "Aladdin", "open:sesame ä").headers.items()
    assert name == "Proxy-Authorization"
    assert b64decode(value.removeprefix("Basic ")) == "Aladdin:open:sesame ä".encode("latin-1")
    ((_, value),) = Proxy("http", "p", 1, "日", "本").headers.items()
    assert b64decode(value.removeprefix("Basic ")).decode() == "日:本"


@pytest.mark.parametrize(
    "text", ["socks5://me:secret@proxy.lab:1080", "socks5h://proxy.lab:1080", "http://me:secret@", "http://proxy:x1",
             "http://me:secret@[::1", "http://me:secret@proxy:99999"]
)  # fmt: skip
def test_what_is_no_http_proxy_is_an_error_without_credentials(text: str) -> None:
    with pytest.raises(StoreError, match="the environment names") as caught:
        parse_proxy(text)
    assert "secret" not in str(caught.value)
    assert not caught.value.transient
