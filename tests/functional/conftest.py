"""A server, a filled bucket, and doors to them."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests import tree
from tests.doors import Door, KernelDoor, opened
from tests.mounted import watchdog
from tests.proxy import Proxy, proxied
from tests.servers import moto_server

HANG_S = 90.0  # far above what any one test needs
KINDS = ["vfs", pytest.param("kernel", marks=pytest.mark.kernel)]
Fresh = Callable[..., Door]
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
    with opened("kernel", tmp_path_factory.mktemp("kernel"), dataset.url, f"s3://{dataset.name}") as door:
        assert isinstance(door, KernelDoor)
        yield door


@pytest.fixture(scope="package", params=KINDS)
def door(
    request: pytest.FixtureRequest, dataset: tree.Bucket, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Door]:
    """`dataset` through either door."""
    if request.param == "kernel":
        yield request.getfixturevalue("kernel")
        return
    with opened("vfs", tmp_path_factory.mktemp("vfs"), dataset.url, f"s3://{dataset.name}") as door:
        yield door


@pytest.fixture
def bucket(server: str) -> tree.Bucket:
    """An empty bucket of the test's own."""
    return tree.Bucket(server, f"own-{next(_numbers)}")


@pytest.fixture
def proxy(server: str) -> Iterator[Proxy]:
    with proxied(server) as proxy:
        yield proxy


@contextlib.contextmanager
def opener(kind: str, where: Path) -> Iterator[Fresh]:
    with contextlib.ExitStack() as stack:

        def fresh(url: str, *sources: str, direct: bool = False, **options: object) -> Door:
            place = where / f"mount-{next(_numbers)}"
            place.mkdir()
            return stack.enter_context(opened(kind, place, url, *sources, direct=direct, **options))

        yield fresh


@pytest.fixture(params=KINDS)
def fresh(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Fresh]:
    """Opens doors of the test's own, of either kind: `fresh(url, "s3://bucket", ttl=1)`."""
    with opener(request.param, tmp_path) as fresh:
        yield fresh


@pytest.fixture
def fresh_kernel(tmp_path: Path) -> Iterator[Fresh]:
    """As `fresh`, through the kernel only."""
    with opener("kernel", tmp_path) as fresh:
        yield fresh
