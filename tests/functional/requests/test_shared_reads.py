"""First reads of a server that is far: several connections bring a part each, and nobody sees that."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mountnd.blocks.fetch import link
from mountnd.blocks.geometry import BLOCK
from mountnd.stats import GETS, GETS_FAILED
from mountnd.stores.http.connection import Connection
from tests.support import tree
from tests.support.doors import VfsDoor, door_opener, read
from tests.support.proxy import Proxy
from tests.support.tree import BIG, BIG_SIZE

WINDOW = 14_000  # bytes that connections bring in a round trip, so that a block takes five


@pytest.fixture
def far(proxy: Proxy, dataset: tree.Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[VfsDoor]:
    """A mount that takes its server for one that is far, over connections that are new."""
    monkeypatch.setattr(link, "NEAR_S", 0.0)
    monkeypatch.setattr(Connection, "window", property(lambda self: WINDOW))
    with door_opener("vfs", tmp_path) as fresh:
        door = fresh(proxy.url, f"s3://{dataset.name}")
        assert isinstance(door, VfsDoor)
        door.listdir("big")
        yield door


def content(offset: int, size: int) -> bytes:
    return tree.content(BIG, BIG_SIZE)[offset : offset + size]


def shared_read(door: VfsDoor, proxy: Proxy, dataset: tree.Bucket) -> list[tuple[int, int]]:
    """Read here and there until connections were open and shared one; the ranges `[start, stop)` of its GETs, in
    order."""
    for offset in range(5 * BLOCK, BIG_SIZE, 7 * BLOCK):
        before = len(proxy.gets(dataset.path(BIG)))
        assert read(door, BIG, offset, 1000) == content(offset, 1000)
        gets = [get.range.removeprefix("bytes=").split("-") for get in proxy.gets(dataset.path(BIG))[before:]]
        if len(gets) > 1:
            return sorted((int(first), int(last) + 1) for first, last in gets)
    pytest.fail("no read was shared out")


def test_parts_are_all_of_it_and_each_counts(far: VfsDoor, proxy: Proxy, dataset: tree.Bucket) -> None:
    ranges = shared_read(far, proxy, dataset)
    assert len(ranges) == 5
    assert [stop for _, stop in ranges[:-1]] == [start for start, _ in ranges[1:]]
    assert (ranges[-1][1] - ranges[0][0], ranges[0][0] % BLOCK) == (BLOCK, 0)
    assert far.mount.stats.snapshot()[GETS] == len(proxy.gets(dataset.path(BIG)))


@pytest.mark.parametrize("action", ["status", "reset", "reset-body", "short", "truncate", "shift", "mislabel", "whole"])
def test_a_part_that_fails_is_not_seen(far: VfsDoor, proxy: Proxy, dataset: tree.Bucket, action: str) -> None:
    shared_read(far, proxy, dataset)
    proxy.clear()
    proxy.rule(action, path=dataset.path(BIG), method="GET", times=1)
    assert read(far, BIG, 2 * BLOCK + 5, 5000) == content(2 * BLOCK + 5, 5000)
    assert sum(get.rule == action for get in proxy.gets()) == 1
    assert not far.mount.stats.snapshot().get(GETS_FAILED)
