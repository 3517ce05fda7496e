"""Servers that live as long as the run of this suite."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mountnd.stores.s3 import S3Store

from ..servers import Scripted, moto_server, program, scripted_server, silent_server, weed_server
from .s3_stage import ALL, Make


@pytest.fixture(scope="session")
def moto() -> Iterator[str]:
    with moto_server() as url:
        yield url


@pytest.fixture(scope="session")
def weed() -> Iterator[str]:
    with weed_server() as url:
        yield url


@pytest.fixture(scope="session")
def stage() -> Iterator[Scripted]:
    """A scripted server; `play` what it is to say."""
    with scripted_server() as server:
        yield server


@pytest.fixture(scope="session")
def silence() -> Iterator[str]:
    with silent_server() as url:
        yield url


@pytest.fixture(scope="session")
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


@pytest.fixture(scope="session")
def tls_stage(private_ca: tuple[Path, Path, Path]) -> Iterator[Scripted]:
    with scripted_server(tls=private_ca[1:]) as server:
        yield server


@pytest.fixture
def signed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Credentials, as a person would have them in the environment."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")


@pytest.fixture(params=["wire", "obstore"])
def make(request: pytest.FixtureRequest, stage: Scripted) -> Make:
    """Makes a store on the stage, which answers everything."""
    stage.play(ALL)

    def make(**how: Any) -> S3Store:
        return S3Store("bkt", **{"endpoint_url": stage.url, "region": "us-east-1", "carrier": request.param, **how})

    return make
