"""A mount behind a proxy that misbehaves as told."""

from __future__ import annotations

import importlib
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.support import tree
from tests.support.doors import KINDS, Door, Fresh, KernelDoor, door_opener, open_door, open_kernel_door
from tests.support.mounts import watchdog
from tests.support.proxy import Proxy, proxied
from tests.support.servers import moto_server

HANG_S = 180.0
# What every mount here grants one operation on the network; read(2) may take 5 s more.
TIMEOUT_S = 2.0
BOUND_S = TIMEOUT_S + 5.0
# What a reader and a busy machine may add to a promise that is kept.
SLACK_S = 2.0
# Failures are remembered for a few seconds, here and in the kernel.
RECOVERY_S = 15.0
_numbers = itertools.count(1)


@pytest.fixture(scope="session", autouse=True)
def _loaded() -> None:
    """The S3 libraries take a second to import where the machine is busy: not out of the first test's two seconds."""
    importlib.import_module("s3fs")


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
    bucket = tree.Bucket(server, "dataset")
    bucket.put_all(tree.objects())
    return bucket


@pytest.fixture
def bucket(server: str) -> tree.Bucket:
    return tree.Bucket(server, f"faulty-{next(_numbers)}")


@pytest.fixture
def proxy(server: str) -> Iterator[Proxy]:
    with proxied(server) as proxy:
        yield proxy


@pytest.fixture(params=KINDS)
def fresh(request: pytest.FixtureRequest, tmp_path: Path, proxy: Proxy) -> Iterator[Fresh]:
    """Opens doors of either kind with a time-out of `TIMEOUT_S`; the proxy outlives them."""
    with door_opener(request.param, tmp_path, timeout=TIMEOUT_S) as fresh:
        yield fresh


@pytest.fixture
def fresh_kernel(tmp_path: Path, proxy: Proxy) -> Iterator[Fresh]:
    with door_opener("kernel", tmp_path, timeout=TIMEOUT_S) as fresh:
        yield fresh


def _warm(door: Door, path: str) -> None:
    """List `path` before the fault: on a busy machine the first answer may take longer than these mounts wait."""
    for turn in range(5):
        try:
            door.listdir(path)
            return
        except OSError:
            if turn == 4:
                raise


@pytest.fixture
def door(fresh: Fresh, proxy: Proxy, dataset: tree.Bucket) -> Door:
    """The data set through the proxy; what is needed to open `big` and `sub-01/anat` is known already."""
    door = fresh(proxy.url, f"s3://{dataset.name}")
    _warm(door, "sub-01/anat")
    _warm(door, "big")
    proxy.clear()
    return door


@pytest.fixture
def bare(fresh: Fresh, proxy: Proxy, dataset: tree.Bucket) -> Door:
    """The same, nothing of it known but its top. In so small a bucket one answer may tell all names: spoil it first."""
    door = fresh(proxy.url, f"s3://{dataset.name}")
    proxy.clear()
    return door


class Victim(NamedTuple):
    """An object that nobody has read yet, on a mount that other tests share, and the proxy before its server."""

    door: Door
    proxy: Proxy
    key: str
    path: str  # as the proxy sees it
    content: bytes


# More than comes with a first read.
VICTIM_SIZE = 1100 * tree.KIB + 17
# Each of a kind of its own, and with another beside it that nobody opens: what is opened one after the other would be
# fetched before it is opened.
VICTIMS = [f"object.{a}{b}" for a in "abcdefghij" for b in "abcdefghij"]
PASSED_BY = [f"{key}-" for key in VICTIMS]


@pytest.fixture(scope="package")
def objects(server: str) -> tree.Bucket:
    bucket = tree.Bucket(server, "objects")
    bucket.put_all((key, tree.content(key, VICTIM_SIZE)) for key in VICTIMS)
    bucket.put_all((key, b"x") for key in PASSED_BY)
    return bucket


@pytest.fixture(scope="package")
def shared_proxy(server: str) -> Iterator[Proxy]:
    with proxied(server) as proxy:
        yield proxy


@pytest.fixture(scope="package")
def shared_kernel(
    shared_proxy: Proxy, objects: tree.Bucket, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[KernelDoor]:
    where = tmp_path_factory.mktemp("shared")
    with open_kernel_door(where, shared_proxy.url, f"s3://{objects.name}", timeout=TIMEOUT_S) as door:
        _warm(door, "")
        yield door


@pytest.fixture(scope="package", params=KINDS)
def shared(
    request: pytest.FixtureRequest,
    shared_proxy: Proxy,
    objects: tree.Bucket,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Door]:
    if request.param == "kernel":
        yield request.getfixturevalue("shared_kernel")
        return
    where = tmp_path_factory.mktemp("shared")
    with open_door("vfs", where, shared_proxy.url, f"s3://{objects.name}", timeout=TIMEOUT_S) as door:
        _warm(door, "")
        yield door


def _victim(door: Door, proxy: Proxy, objects: tree.Bucket) -> Iterator[Victim]:
    key = next(_victims)
    proxy.clear()
    yield Victim(door, proxy, key, objects.path(key), tree.content(key, VICTIM_SIZE))
    proxy.behave()


_victims = iter(VICTIMS)


@pytest.fixture
def victim(shared: Door, shared_proxy: Proxy, objects: tree.Bucket) -> Iterator[Victim]:
    """Through either door. Its rules are withdrawn after the test."""
    yield from _victim(shared, shared_proxy, objects)


@pytest.fixture
def kernel_victim(shared_kernel: KernelDoor, shared_proxy: Proxy, objects: tree.Bucket) -> Iterator[Victim]:
    yield from _victim(shared_kernel, shared_proxy, objects)
