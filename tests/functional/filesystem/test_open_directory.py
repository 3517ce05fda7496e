"""A directory that changes while a program reads it."""

from __future__ import annotations

import os

import pytest

from tests.support.doors import Fresh, KernelDoor
from tests.support.quirky import Quirky
from tests.support.waiting import holds_within

pytestmark = pytest.mark.kernel

SLACK_S = 20
PAGE = 1_000


def keys(count: int, kind: str) -> list[str]:
    """Long names, of which getdents64(2) takes a few hundred at once."""
    return [f"d/{n:05}-{'x' * 100}-{kind}" for n in range(count)]


def read_while(fresh: Fresh, quirky: Quirky, before: list[str], after: list[str]) -> list[str]:
    """What a program sees that began to read a directory `before` it became the one `after`."""
    quirky.hold(dict.fromkeys(before, b"x"))
    door = fresh(quirky.url, "s3://bkt", ttl=0.5)
    assert isinstance(door, KernelDoor)
    where = os.fsdecode(door.path("d"))
    with os.scandir(where) as entries:
        seen = [next(entries).name for _ in range(10)]
        quirky.hold(dict.fromkeys(after, b"x"))
        expected = sorted(key.removeprefix("d/") for key in after)
        assert holds_within(lambda: sorted(os.listdir(where)) == expected, SLACK_S), "another reader sees the next"
        seen += [entry.name for entry in entries]
    return [f"d/{name}" for name in seen]


def test_a_page_that_is_being_read_stays_as_it_was(fresh_kernel: Fresh, quirky: Quirky) -> None:
    before = keys(PAGE - 1, "old")
    assert sorted(read_while(fresh_kernel, quirky, before, keys(PAGE - 1, "new"))) == before


def test_in_a_long_listing_what_stays_is_seen_once(fresh_kernel: Fresh, quirky: Quirky) -> None:
    """Every third name is replaced. Later pages may show either; no name comes twice, none that stays is missing."""
    stay, old, new = (keys(5 * PAGE, kind)[at::3] for at, kind in enumerate(("stay", "old", "new")))
    seen = read_while(fresh_kernel, quirky, stay + old, stay + new)
    assert len(seen) == len(set(seen))
    assert set(stay) <= set(seen) <= {*stay, *old, *new}
