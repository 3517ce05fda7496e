"""Whose certificates the stores trust, and what it costs to import them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from mountnd.errors import StoreError, Unreachable
from mountnd.stores.base import ObjectId
from mountnd.stores.s3 import S3Store

from ..support.servers import Scripted
from .directory_stores import http_store
from .reading import first_name, listed, read
from .s3_stage import ALL, BYTE, ETAG, HEAD, Make, ask_all


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
    web = http_store(f"{tls_stage.url}/k")
    (stat,), _ = listed(web, "")
    assert read(web, stat.id, 0, 1) == b"x"
    web.close()


def test_an_authority_that_nobody_knows_is_trusted_by_none(make: Make, tls_stage: Scripted) -> None:
    tls_stage.play(ALL)
    store = make(endpoint_url=tls_stage.url, anonymous=True)
    for ask in (
        lambda: first_name(store),
        lambda: read(store, ObjectId(store.source, "k", ETAG), 0, 1),
        lambda: first_name(http_store(f"{tls_stage.url}/k")),
    ):
        with pytest.raises(Unreachable):
            ask()
    assert tls_stage.log() == []
    store.close()


def test_importing_the_store_imports_none_of_its_libraries() -> None:
    code = (
        "import sys, json; import mountnd.stores.s3, mountnd.stores.links.store, mountnd.stores.directory.store;"
        "heavy = {'s3fs', 'botocore', 'aiohttp', 'urllib3', 'fsspec'};"
        "print(json.dumps(sorted(heavy & set(sys.modules))))"
    )
    said = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, timeout=60)
    assert json.loads(said.stdout) == []


def test_certificates_that_cannot_be_read_are_an_error_that_names_them(
    tls_stage: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_CA_BUNDLE", "/no/such/bundle.pem")
    store = S3Store("bkt", endpoint_url=tls_stage.url, region="us-east-1", anonymous=True)
    for request in (
        lambda: read(store, ObjectId(store.source, "k", ETAG), 0, 1),
        lambda: first_name(http_store(f"{tls_stage.url}/k")),
    ):
        with pytest.raises(StoreError, match="/no/such/bundle.pem: No such file"):
            request()
    store.close()
