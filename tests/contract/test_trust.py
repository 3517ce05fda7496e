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

from ..support.certificates import PrivateCA
from ..support.servers import Scripted
from .directory_stores import http_store
from .reading import first_name, listed, read
from .s3_stage import ALL, BYTE, ETAG, HEAD, Make, ask_all, scopes

VARIABLES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE")


@pytest.fixture(autouse=True)
def no_authorities(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def directory(private_ca: PrivateCA, tmp_path: Path) -> Path:
    """The authority in a directory, under the name by which OpenSSL looks for it."""
    done = subprocess.run(
        ["openssl", "x509", "-hash", "-noout", "-in", str(private_ca.authority)],
        check=True, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    (tmp_path / f"{done.stdout.strip()}.0").write_bytes(private_ca.authority.read_bytes())
    return tmp_path


def ask_web(url: str) -> None:
    web = http_store(url)
    (stat,), _ = listed(web, "")
    assert read(web, stat.id, 0, 1) == b"x"
    web.close()


@pytest.mark.parametrize(
    ("variable", "as_directory"),
    [
        ("SSL_CERT_FILE", False),
        ("SSL_CERT_DIR", True),
        ("AWS_CA_BUNDLE", False),
        ("AWS_CA_BUNDLE", True),
        ("REQUESTS_CA_BUNDLE", False),
        ("REQUESTS_CA_BUNDLE", True),
    ],
)
def test_an_authority_of_ones_own_is_trusted_by_all(
    make: Make,
    tls_stage: Scripted,
    private_ca: PrivateCA,
    directory: Path,
    variable: str,
    as_directory: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(variable, str(directory if as_directory else private_ca.authority))
    tls_stage.play({**ALL, "HEAD /k": HEAD, "GET /k": BYTE})
    ask_all(make(endpoint_url=tls_stage.url, anonymous=True))
    ask_web(f"{tls_stage.url}/k")


def test_the_authority_of_a_profile_is_trusted_by_names_and_bytes(
    make: Make, tls_stage: Scripted, private_ca: PrivateCA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "config").write_text(f"[profile lab]\nca_bundle = {private_ca.authority}\n")
    (tmp_path / "credentials").write_text("[lab]\naws_access_key_id = a\naws_secret_access_key = s\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    tls_stage.play(ALL)
    ask_all(make(endpoint_url=tls_stage.url, profile="lab"))
    assert scopes(tls_stage.log()) == {"a/us-east-1"}


def test_a_bundle_that_holds_another_authority_is_refused_by_names_and_bytes(
    make: Make, tls_stage: Scripted, private_ca: PrivateCA, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It takes the place of what else is trusted, as with every AWS program."""
    monkeypatch.setenv("AWS_CA_BUNDLE", str(private_ca.certificate))
    monkeypatch.setenv("SSL_CERT_FILE", str(private_ca.authority))
    tls_stage.play(ALL)
    store = make(endpoint_url=tls_stage.url, anonymous=True)
    for ask in (lambda: first_name(store), lambda: read(store, ObjectId(store.source, "k", ETAG), 0, 1)):
        with pytest.raises(Unreachable):
            ask()
    assert tls_stage.log() == []
    store.close()


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


@pytest.mark.parametrize("variable", VARIABLES)
def test_certificates_that_are_missing_are_an_error_that_names_the_variable(
    tls_stage: Scripted, variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, "/no/such/bundle.pem")
    store = S3Store("bkt", endpoint_url=tls_stage.url, region="us-east-1", anonymous=True)
    for request in (
        lambda: first_name(store),
        lambda: read(store, ObjectId(store.source, "k", ETAG), 0, 1),
        lambda: first_name(http_store(f"{tls_stage.url}/k")),
    ):
        with pytest.raises(StoreError, match=f"{variable}, /no/such/bundle.pem: No such") as caught:
            request()
        assert not caught.value.transient
    store.close()


@pytest.mark.parametrize("variable", VARIABLES)
def test_plain_http_needs_no_certificates(
    make: Make, stage: Scripted, variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, "/no/such/bundle.pem")
    ask_all(make(anonymous=True))
    stage.play({"HEAD /k": HEAD, "GET /k": BYTE})
    ask_web(f"{stage.url}/k")
