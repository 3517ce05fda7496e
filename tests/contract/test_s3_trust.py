"""Whom S3 requests trust, through whom they go, and what it costs to import them."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from mountnd.errors import TimedOut, Unreachable
from mountnd.stores.base import Deadline, ObjectId
from mountnd.stores.fsspec import FsspecStore
from mountnd.stores.s3 import S3Store

from ..servers import Answer, Scripted, program, scripted_server
from .reading import listed, read, soon
from .s3_stage import ALL, BYTE, ETAG, HEAD, LIST, Make, ask_all


@pytest.fixture(scope="module")
def private_ca(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Path]:
    """(certificate of a private authority, of a server for 127.0.0.1, its key)"""
    where = tmp_path_factory.mktemp("ca")
    openssl = program("openssl")

    def run(*arguments: str) -> None:
        subprocess.run([openssl, *arguments], cwd=where, check=True, capture_output=True, timeout=60)

    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    run("req", "-x509", *key, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=test CA", "-days", "2",
        "-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign")  # fmt: skip
    run("req", *key, "-keyout", "server.key", "-out", "server.csr", "-subj", "/CN=server")
    (where / "names").write_text("subjectAltName=IP:127.0.0.1\n")
    run("x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2",
        "-extfile", "names", "-out", "server.pem")  # fmt: skip
    return where / "ca.pem", where / "server.pem", where / "server.key"


@pytest.fixture(scope="module")
def tls_stage(private_ca: tuple[Path, Path, Path]) -> Iterator[Scripted]:
    with scripted_server(tls=private_ca[1:]) as server:
        yield server


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


def test_a_trickle_of_records_ends_with_the_deadline(
    make: Make, tls_stage: Scripted, private_ca: tuple[Path, Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kernel's time-out, which each of them renews, is not what bounds the wait."""
    monkeypatch.setenv("SSL_CERT_FILE", str(private_ca[0]))
    headers = {"Content-Range": "bytes 0-999/1000", "Content-Length": "1000", "ETag": ETAG}
    trickle = Answer(206, headers, bytes(300), then="trickle")
    tls_stage.play({"GET /bkt/k": [trickle, BYTE]})  # the second to whoever asks why
    store = make(endpoint_url=tls_stage.url, anonymous=True)
    begun = time.monotonic()
    with pytest.raises((TimedOut, Unreachable)):
        store.read(ObjectId(store.source, "k", ETAG), 0, [memoryview(bytearray(1000))], deadline=Deadline(0.6))
    assert time.monotonic() - begun < 4  # 64 records, between which that time-out is set anew, take longer
    store.close()


def test_importing_the_store_imports_none_of_its_libraries() -> None:
    code = (
        "import sys, json; import mountnd.stores.s3, mountnd.stores.signed_urls, mountnd.stores.fsspec;"
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
