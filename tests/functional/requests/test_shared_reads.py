"""First reads of a server that is far: several connections bring a part each, and nobody sees that."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mountnd.blocks.fetch import link
from mountnd.blocks.geometry import BLOCK
from mountnd.stats import GETS, GETS_FAILED
from mountnd.stores.base import ObjectId
from mountnd.stores.http.connection import Connection
from tests.support import tree
from tests.support.doors import VfsDoor, door_opener, read
from tests.support.proxy import Proxy
from tests.support.tree import BIG, BIG_SIZE
from tests.support.waiting import wait_until

# Bytes that a connection brings in a round trip, and how many bring a block.
WINDOW, CONNECTIONS = 14_000, 5


@pytest.fixture
def far(proxy: Proxy, dataset: tree.Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[VfsDoor]:
    """A mount that takes its server for one that is far, over connections that are new."""
    monkeypatch.setattr(link, "NEAR_S", 0.0)
    monkeypatch.setattr(Connection, "window", property(lambda self: WINDOW))
    with door_opener("vfs", tmp_path) as fresh:
        door = fresh(proxy.url, f"s3://{dataset.name}")
        assert isinstance(door, VfsDoor)
        door.listdir("big")
        (store,) = door.mount.stores.values()
        anything = ObjectId(store.source, "key", '"etag"')
        wait_until(lambda: store.connections_for(anything, BLOCK, 1) == CONNECTIONS, "connections are open")
        proxy.clear()
        yield door


def content(offset: int, size: int) -> bytes:
    return tree.content(BIG, BIG_SIZE)[offset : offset + size]


def ranges(proxy: Proxy, dataset: tree.Bucket) -> list[tuple[int, int]]:
    """What was asked for of the file, `[start, stop)`, in order."""
    gets = [get.range.removeprefix("bytes=").split("-") for get in proxy.gets(dataset.path(BIG))]
    return sorted((int(first), int(last) + 1) for first, last in gets)


def test_parts_are_all_of_it_and_each_counts(far: VfsDoor, proxy: Proxy, dataset: tree.Bucket) -> None:
    before = far.mount.stats.snapshot().get(GETS, 0)
    assert read(far, BIG, 2 * BLOCK + 5, 5000) == content(2 * BLOCK + 5, 5000)
    parts = ranges(proxy, dataset)
    assert len(parts) == CONNECTIONS and (parts[0][0], parts[-1][1]) == (2 * BLOCK, 3 * BLOCK)
    assert [stop for _, stop in parts[:-1]] == [start for start, _ in parts[1:]]
    assert far.mount.stats.snapshot()[GETS] - before == CONNECTIONS


@pytest.mark.parametrize("action", ["status", "reset", "reset-body", "short", "truncate", "shift", "mislabel", "whole"])
def test_a_part_that_fails_is_not_seen(far: VfsDoor, proxy: Proxy, dataset: tree.Bucket, action: str) -> None:
    proxy.rule(action, path=dataset.path(BIG), method="GET", times=1)
    assert read(far, BIG, 2 * BLOCK + 5, 5000) == content(2 * BLOCK + 5, 5000)
    assert sum(get.rule == action for get in proxy.gets()) == 1
    assert len(ranges(proxy, dataset)) > CONNECTIONS, "and what it was to bring was asked for again"
    assert not far.mount.stats.snapshot().get(GETS_FAILED)
