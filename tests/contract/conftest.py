"""Servers that live as long as the run of this suite."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mountnd.stores.s3 import S3Store

from ..support.servers import Scripted, moto_server, scripted_server, silent_server, weed_server
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
def tls_stage(private_ca: tuple[Path, Path, Path]) -> Iterator[Scripted]:
    with scripted_server(tls=private_ca[1:]) as server:
        yield server


@pytest.fixture
def signed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Credentials, as a person would have them in the environment."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")


@pytest.fixture
def make(stage: Scripted) -> Make:
    """Makes a store on the stage, which answers everything."""
    stage.play(ALL)

    def make(**how: Any) -> S3Store:
        return S3Store("bkt", **{"endpoint_url": stage.url, "region": "us-east-1", **how})

    return make
