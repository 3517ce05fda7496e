"""A server, a filled bucket, and doors to them."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import tree
from tests.support.doors import KINDS, Door, Fresh, KernelDoor, door_opener, open_door, open_kernel_door
from tests.support.mounts import watchdog
from tests.support.proxy import Proxy, proxied
from tests.support.servers import moto_server

HANG_S = 180.0  # far above what any one test needs, also on a busy machine
_numbers = itertools.count(1)


@pytest.fixture(autouse=True)
def _watched() -> Iterator[None]:
    with watchdog(HANG_S):
        yield


@pytest.fixture(scope="package")
def server() -> Iterator[str]:
    with moto_server() as url:
        yield url


@pytest.fixture(scope="package")
def dataset(server: str) -> tree.Bucket:
    """The bucket that holds `tree.objects()`; tests only read it."""
    bucket = tree.Bucket(server, "dataset")
    bucket.put_all(tree.objects())
    return bucket


@pytest.fixture(scope="package")
def kernel(dataset: tree.Bucket, tmp_path_factory: pytest.TempPathFactory) -> Iterator[KernelDoor]:
    """A mount of `dataset` that tests share."""
    with open_kernel_door(tmp_path_factory.mktemp("kernel"), dataset.url, f"s3://{dataset.name}") as door:
        yield door


@pytest.fixture(scope="package", params=KINDS)
def door(
    request: pytest.FixtureRequest, dataset: tree.Bucket, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Door]:
    """`dataset` through either door."""
    if request.param == "kernel":
        yield request.getfixturevalue("kernel")
        return
    with open_door("vfs", tmp_path_factory.mktemp("vfs"), dataset.url, f"s3://{dataset.name}") as door:
        yield door


@pytest.fixture
def bucket(server: str) -> tree.Bucket:
    """An empty bucket of the test's own."""
    return tree.Bucket(server, f"own-{next(_numbers)}")


@pytest.fixture
def proxy(server: str) -> Iterator[Proxy]:
    with proxied(server) as proxy:
        yield proxy


@pytest.fixture(params=KINDS)
def fresh(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Fresh]:
    """Opens doors of the test's own, of either kind: `fresh(url, "s3://bucket", ttl=1)`."""
    with door_opener(request.param, tmp_path) as fresh:
        yield fresh


@pytest.fixture
def fresh_kernel(tmp_path: Path) -> Iterator[Fresh]:
    """As `fresh`, through the kernel only."""
    with door_opener("kernel", tmp_path) as fresh:
        yield fresh
