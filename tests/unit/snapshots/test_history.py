"""What a bucket held at a moment."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from mountnd.errors import StoreError, UsageError
from mountnd.snapshots.history import as_of, moment_of
from mountnd.stores.object_versions import Marker, Version

NOW = datetime(2024, 6, 1, 12, tzinfo=UTC)
START = datetime(2024, 1, 1, tzinfo=UTC)


def at(day: int, seconds: float = 0) -> int:
    return int((START + timedelta(days=day, seconds=seconds)).timestamp() * 1000) * 10**6


def row(path: str, version: str, day: int, *, deleted: bool = False, latest: bool = False, **more: float) -> Version:
    size = 0 if deleted else 3
    etag = "" if deleted else f'"{version}"'
    return Version(f"lab/{path}", version, size, etag, at(day, **more), latest=latest, deleted=deleted)


def paged(rows: Sequence[Version], *cuts: int) -> Iterator[tuple[list[Version], Marker | None]]:
    edges = [0, *cuts, len(rows)]
    for start, stop in pairwise(edges):
        following = Marker(rows[stop].key, rows[stop].version) if stop < len(rows) else None
        yield list(rows[start:stop]), following


def held(rows: Sequence[Version], day: int, *cuts: int, seconds: float = 0) -> dict[str, str]:
    moment = START + timedelta(days=day, seconds=seconds)
    found = as_of(paged(rows, *cuts), moment, "lab/", "s3://bucket/lab")
    return {one.path: one.version for one in found}


# of one key the newest first, as listings have them
REPLACED = [row("a", "a3", 30, latest=True), row("a", "a2", 20), row("a", "a1", 10)]
DELETED = [row("b", "b2", 20, deleted=True, latest=True), row("b", "b1", 10)]
RESTORED = [row("c", "c3", 30, latest=True), row("c", "c2", 20, deleted=True), row("c", "c1", 10)]
ALL = [*REPLACED, *DELETED, *RESTORED]


@pytest.mark.parametrize(
    ("day", "there"),
    [
        (10, {"a": "a1", "b": "b1", "c": "c1"}),
        (19, {"a": "a1", "b": "b1", "c": "c1"}),
        (20, {"a": "a2"}),
        (29, {"a": "a2"}),
        (30, {"a": "a3", "c": "c3"}),
        (99, {"a": "a3", "c": "c3"}),
    ],
)
def test_each_key_is_what_it_was(day: int, there: dict[str, str]) -> None:
    assert held(ALL, day) == there


@pytest.mark.parametrize("cut", range(1, len(ALL)))
def test_a_key_may_go_on_on_the_next_page(cut: int) -> None:
    assert held(ALL, 20, cut) == held(ALL, 20)
    assert held(ALL, 19, cut) == held(ALL, 19)


def test_servers_that_list_delete_markers_behind_all_versions_of_a_page() -> None:
    mixed = [one for one in ALL if not one.deleted] + [one for one in ALL if one.deleted]
    assert held(mixed, 20) == {"a": "a2"}
    assert held(mixed, 30) == {"a": "a3", "c": "c3"}


def test_in_one_second_the_listing_tells_what_came_last() -> None:
    rows = [row("a", "a2", 10), row("a", "a1", 10)]
    assert held(rows, 10) == {"a": "a2"}
    marked = [row("a", "a1", 10), row("a", "a2", 10, deleted=True, latest=True)]
    with pytest.raises(StoreError):
        held(marked, 10)


def test_parts_of_a_second_count() -> None:
    rows = [row("a", "a2", 10, seconds=0.7), row("a", "a1", 10)]
    assert held(rows, 10, seconds=0.5) == {"a": "a1"}
    assert held(rows, 10, seconds=0.7) == {"a": "a2"}


def test_empty_objects_that_stand_for_directories_are_objects_as_in_any_lockfile() -> None:
    assert held([row("a", "a1", 10), row("d/", "d1", 10)], 11) == {"a": "a1", "d/": "d1"}


def test_a_bucket_that_keeps_no_versions_is_refused() -> None:
    with pytest.raises(StoreError, match="s3://bucket/lab: the bucket keeps no versions"):
        held([row("a", "null", 10, latest=True), row("b", "null", 10, latest=True)], 99)


def test_what_was_stored_before_versions_were_kept_counts() -> None:
    assert held([row("a", "a2", 20), row("a", "null", 10)], 15) == {"a": "null"}


def test_nothing_there_yet() -> None:
    with pytest.raises(StoreError, match=r"nothing was there at .*; the first object came at 2024-01-11T00:00:00Z"):
        held(ALL, 5)
    with pytest.raises(StoreError, match=r"nothing lies below this prefix, nor ever did.*name the directory"):
        held([], 5)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("2024-05-01", "2024-05-01T23:59:59+00:00"),
        ("20240501", "2024-05-01T23:59:59+00:00"),
        ("2024-05-01T12:30", "2024-05-01T12:30:00+00:00"),
        ("2024-05-01 12:30:15", "2024-05-01T12:30:15+00:00"),
        ("2024-05-01T12:30:15Z", "2024-05-01T12:30:15+00:00"),
        ("2024-05-01T12:30:15+02:00", "2024-05-01T10:30:15+00:00"),
        (" 2024-05-01T12:30:15.250-05:00 ", "2024-05-01T17:30:15.250000+00:00"),
        ("2024-06-01", "2024-06-01T12:00:00+00:00"),  # today, what there is of it
    ],
)
def test_dates(text: str, meant: str) -> None:
    assert moment_of(text, NOW).isoformat() == meant


@pytest.mark.parametrize("text", ["", "yesterday", "2024-13-01", "01.05.2024", "2024-05-01T25:00", "1714521600x"])
def test_what_is_no_date(text: str) -> None:
    with pytest.raises(UsageError, match="is not a date; write 2024-05-01"):
        moment_of(text, NOW)


@pytest.mark.parametrize("text", ["2024-06-02", "2024-06-01T12:00:01", "9999-12-31"])
def test_what_has_not_come_yet(text: str) -> None:
    with pytest.raises(UsageError, match="has not come yet"):
        moment_of(text, NOW)
