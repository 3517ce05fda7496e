"""File systems of fsspec's over the test server, each with a cache of its own."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mountnd.api.filesystem import MountndFileSystem
from tests.support.tree import Bucket

Made = Callable[..., MountndFileSystem]


def options(url: str, cache: Path, **more: object) -> dict[str, Any]:
    """What reads the test server: options by name."""
    return {"endpoint_url": url, "anonymous": True, "region": "us-east-1", "cache_dir": str(cache), **more}


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Made]:
    """`made(url, "s3://bucket", ttl=1)`: a file system of that source, or of any where none is named."""
    numbers = itertools.count(1)

    def make(url: str, source: str = "", **more: object) -> MountndFileSystem:
        of = {"source": source} if source else {}
        given = options(url, tmp_path / f"cache-{next(numbers)}") | of | more
        return MountndFileSystem(**given)

    yield make
    MountndFileSystem.clear_instance_cache()


@pytest.fixture
def fs(made: Made, dataset: Bucket) -> MountndFileSystem:
    """Of `tests.support.tree`'s data set."""
    return made(dataset.url, f"s3://{dataset.name}")
