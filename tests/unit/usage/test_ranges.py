"""Ranges of bytes: compared with sets of single bytes."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from mountnd.usage import ranges
from mountnd.usage.ranges import MOST, Ranges, coarser, covered, joined, pairs, runs_of

RUNS = st.lists(st.tuples(st.integers(0, 60), st.integers(1, 20)).map(lambda run: (run[0], run[0] + run[1])))


def held(bounds: Sequence[int]) -> set[int]:
    return {byte for start, stop in pairs(bounds) for byte in range(start, stop)}


@given(RUNS, RUNS)
def test_a_union_holds_every_byte_once(first: list[tuple[int, int]], second: list[tuple[int, int]]) -> None:
    bounds = joined(joined([], first), second)
    wanted = {byte for start, stop in [*first, *second] for byte in range(start, stop)}
    assert held(bounds) == wanted
    assert covered(bounds) == len(wanted)
    assert bounds == sorted(set(bounds)), "neither overlapping nor touching"


@given(RUNS, st.integers(1, 5))
def test_fewer_ranges_hold_more_and_lose_nothing(runs: list[tuple[int, int]], most: int) -> None:
    bounds = joined([], runs)
    fewer = coarser(bounds, most)
    assert len(fewer) <= 2 * most
    assert held(fewer) >= held(bounds)
    if len(bounds) <= 2 * most:
        assert fewer == bounds


def test_the_smallest_gaps_are_closed() -> None:
    assert coarser([0, 10, 11, 20, 50, 60, 62, 70, 100, 110], 3) == [0, 20, 50, 70, 100, 110]


def test_reads_that_follow_each_other_are_one_run() -> None:
    assert runs_of([(0, 4), (4, 4), (8, 2), (0, 4), (100, 1)]) == [(0, 10, 3), (0, 4, 1), (100, 101, 1)]
    assert runs_of([]) == []


def test_more_than_are_kept_are_no_longer_exact() -> None:
    few, many = Ranges(), Ranges()
    for i in range(MOST):
        few.add(i * 10, i * 10 + 1)
    assert len(few.bounds) == 2 * MOST and few.exact
    for i in range(10 * MOST):
        many.add(i * 10, i * 10 + 1)
    assert len(many.bounds) == 2 * MOST and not many.exact
    assert (many.bounds[0], many.bounds[-1]) == (0, (10 * MOST - 1) * 10 + 1)


def test_what_is_pending_is_bounded() -> None:
    one = Ranges()
    for i in range(1000):
        one.add(i, i + 1)
        assert len(one._pending) < ranges.PENDING
    assert list(one.bounds) == [0, 1000]
