"""Sharing out a range among connections: by what each brings in a round trip."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mountnd.errors import BadAnswer
from mountnd.stores.http.side_by_side import WINDOW_MAX, Parts, fewest, round_trips, shares, window

ETHERNET, LOOPBACK = 1448, 65_483  # bytes in a segment
KIB = 1 << 10
windows = st.lists(st.integers(1, 1 << 20), min_size=1, max_size=20)


def test_a_window_grows_by_what_has_arrived() -> None:
    assert 13_000 < window(ETHERNET, 0) < 14_480
    assert window(ETHERNET, 100_000) - window(ETHERNET, 0) == 100_000
    assert window(LOOPBACK, 0) > 600_000
    assert window(1, 0) > 0
    assert window(ETHERNET, 1 << 40) == WINDOW_MAX


@pytest.mark.parametrize(
    ("length", "room", "count"), [(1, 1, 1), (100, 100, 1), (101, 100, 2), (300, 100, 2), (301, 100, 3), (701, 100, 4)]
)
def test_each_round_trip_brings_twice_as_much(length: int, room: int, count: int) -> None:
    assert round_trips(length, room) == count


@pytest.mark.parametrize(
    ("length", "idle", "count"),
    [
        (64 * KIB, [window(ETHERNET, 0)] * 16, 5),  # a block, in one
        (64 * KIB, [window(ETHERNET, 0)] * 4, 2),  # in two, as over all four
        (64 * KIB, [100 * KIB] + [window(ETHERNET, 0)] * 8, 1),
        (256 * KIB, [window(ETHERNET, 0)] * 16, 7),
        (64 * KIB, [window(LOOPBACK, 0)] * 8, 1),
    ],
)
def test_no_more_connections_than_bring_it_sooner(length: int, idle: list[int], count: int) -> None:
    assert fewest(length, idle) == count


@given(st.integers(1, 1 << 20), windows)
def test_the_fewest_take_no_longer_than_all(length: int, idle: list[int]) -> None:
    least = round_trips(length, sum(idle))
    count = fewest(length, idle)
    assert round_trips(length, sum(idle[:count])) == least
    assert count == 1 or round_trips(length, sum(idle[: count - 1])) > least


@given(st.integers(1, 1 << 20), st.integers(1, 16), st.lists(st.integers(0, 1 << 30), min_size=16, max_size=16))
def test_whoever_is_asked_has_something_to_bring(length: int, count: int, received: list[int]) -> None:
    idle = sorted((window(ETHERNET, n) for n in received[:count]), reverse=True)
    assert all(shares(length, idle[: fewest(length, idle)]))


@given(st.integers(20, 1 << 20), windows)
def test_shares_are_all_of_it_in_proportion(length: int, idle: list[int]) -> None:
    out = shares(length, idle)
    assert sum(out) == length and len(out) == len(idle)
    assert all(abs(share - length * one / sum(idle)) <= 1 for share, one in zip(out, idle, strict=True))


class Told:
    """What `Parts` calls. `calls`: in order."""

    def __init__(self, count: int, check: Callable[[], object] = lambda: None) -> None:
        self.calls: list[object] = []

        def checked() -> None:
            self.calls.append("check")
            check()

        self.parts = Parts(count, checked, lambda: self.calls.append("cancel"), lambda *told: self.calls.append(told))


def test_parts_are_good_once_all_are() -> None:
    told = Told(3)
    for n in (1, 2, 3):
        told.parts.came()
        assert told.calls == ["check"] * (n == 3)
    for _ in range(2):
        told.parts.ended(True)
    assert told.calls == ["check"]
    told.parts.ended(True)
    assert told.calls == ["check", (True, False)]


@pytest.mark.parametrize("unusual", [True, False])
def test_a_part_that_fails_ends_the_others_and_is_told_once_they_have_ended(unusual: bool) -> None:
    told = Told(3)
    told.parts.came()
    told.parts.ended(True)
    told.parts.ended(False, unusual)
    assert told.calls == ["cancel"]
    told.parts.ended(False, not unusual)
    assert told.calls == ["cancel", (False, unusual)], "what the others end with is our doing"


def test_bytes_that_are_not_to_be_believed_are_not_good() -> None:
    def doubts() -> None:
        raise BadAnswer("of another version")

    told = Told(1, doubts)
    with pytest.raises(BadAnswer):
        told.parts.came()
    told.parts.ended(False)
    assert told.calls == ["check", (False, False)]
