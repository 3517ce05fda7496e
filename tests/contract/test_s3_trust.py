"""Whom S3 requests trust, through whom they go, and what it costs to import them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from mountnd.errors import Unreachable
from mountnd.stores.base import ObjectId
from mountnd.stores.directory.store import FsspecStore
from mountnd.stores.s3 import S3Store

from ..support.servers import Scripted
from .reading import listed, read, soon
from .s3_stage import ALL, BYTE, ETAG, HEAD, LIST, Make, ask_all


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "AWS_CA_BUNDLE"])
def test_an_authority_of_ones_own_is_trusted_by_all(
    make: Make,
    tls_stage: Scripted,
    private_ca: tuple[Path, Path, Path],
    variable: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("SSL_CERT_DIR", raising=False)
    monkeypatch.setenv(variable, str(private_ca[0]))
    tls_stage.play({**ALL, "HEAD /k": HEAD, "GET /k": BYTE})
    ask_all(make(endpoint_url=tls_stage.url, anonymous=True))
    web = FsspecStore(f"{tls_stage.url}/k")
    (stat,), _ = listed(web, "")
    assert read(web, stat.id, 0, 1) == b"x"
    web.close()


def test_an_authority_that_nobody_knows_is_trusted_by_none(make: Make, tls_stage: Scripted) -> None:
    tls_stage.play(ALL)
    store = make(endpoint_url=tls_stage.url, anonymous=True)
    for ask in (
        lambda: store.probe(soon()),
        lambda: read(store, ObjectId(store.source, "k", ETAG), 0, 1),
        lambda: FsspecStore(f"{tls_stage.url}/k").probe(soon()),
    ):
        with pytest.raises(Unreachable):
            ask()
    assert tls_stage.log() == []
    store.close()


def test_importing_the_store_imports_none_of_its_libraries() -> None:
    code = (
        "import sys, json; import mountnd.stores.s3, mountnd.stores.links.store, mountnd.stores.directory.store;"
        "heavy = {'s3fs', 'botocore', 'aiohttp', 'obstore', 'urllib3', 'fsspec'};"
        "print(json.dumps(sorted(heavy & set(sys.modules))))"
    )
    said = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, timeout=60)
    assert json.loads(said.stdout) == []


def test_a_proxy_of_the_environment_is_used_by_all(stage: Scripted, monkeypatch: pytest.MonkeyPatch) -> None:
    host = "http://bucket.invalid"
    stage.play({f"HEAD {host}/bkt/k": HEAD, f"GET {host}/bkt/k": BYTE, f"GET {host}/bkt/odd//k": BYTE, "GET *": LIST})
    monkeypatch.setenv("http_proxy", stage.url)
    ask_all(S3Store("bkt", endpoint_url=host, region="us-east-1", anonymous=True))
    assert len(stage.log()) == 4
    stage.play({f"HEAD {host}/k": HEAD, f"GET {host}/k": BYTE})
    web = FsspecStore(f"{host}/k")
    (stat,), _ = listed(web, "")
    assert read(web, stat.id, 0, 1) == b"x"
    assert len(stage.log()) == 2
    web.close()


def test_a_host_that_needs_no_proxy_gets_none(make: Make, stage: Scripted, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    ask_all(make(anonymous=True))
    assert len(stage.log()) == 4
