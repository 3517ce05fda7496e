"""Reads at equal distances, number by number: which visits are fetched ahead, how many, and how they are joined."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence

import pytest

from mountnd.blocks.geometry import Extent
from mountnd.blocks.readahead import strides
from mountnd.blocks.readahead.strides import DENSE_BYTES, DENSE_FIRST, MERGE_GAP, PIECE, VISIT_TRIP, VISITS, VISITS_MAX
from mountnd.blocks.readahead.strides import StrideDetector as Strides

KIB, MIB = 1 << 10, 1 << 20
SIZE = 1 << 30
ALL = 1 << 40  # a share that limits nothing
LENGTH = 64 * KIB
PAGE = 4 * KIB


def visited(offsets: Iterable[int], length: int = LENGTH, size: int = SIZE) -> Strides:
    strides = Strides(size)
    for offset in offsets:
        strides.visit(offset, length, length)
    return strides


def at(places: Iterable[int], length: int = LENGTH) -> list[Extent]:
    return [Extent(place, place + length) for place in places]


def test_the_numbers() -> None:
    """They were measured; a change of one must be meant."""
    assert (VISITS, VISITS_MAX) == (48, 96)
    assert (strides.VISITS_NEAR, VISIT_TRIP) == (32, 28 * KIB)
    assert (MERGE_GAP, PIECE) == (128 * KIB, 512 * KIB)
    assert (DENSE_FIRST, DENSE_BYTES) == (8, 8 * MIB)
    assert strides.KERNEL_PAGE == PAGE


@pytest.mark.parametrize(
    "offsets", [[], [0], [5 * MIB], [0, MIB], [MIB, 2 * MIB], [0, MIB, 3 * MIB], [0, MIB, 2 * MIB + 4 * PAGE]]
)
def test_nothing_before_two_equal_distances(offsets: Sequence[int]) -> None:
    strides = visited(offsets)
    assert (strides.hits, strides.length) == (0, 0)
    assert list(strides.next_extents(ALL)) == []


@pytest.mark.parametrize("start", [0, PAGE, 10 * MIB])
@pytest.mark.parametrize("way", [MIB, -MIB])
def test_so_many_visits_after_the_first_hit_and_more_after_the_second(start: int, way: int) -> None:
    start += SIZE // 2
    strides = visited(start + n * way for n in range(3))
    assert (strides.hits, strides.length) == (1, LENGTH)
    assert strides.next_extents(ALL) == at(start + n * way for n in range(3, 3 + VISITS))
    assert list(strides.next_extents(ALL)) == [], "each is returned once"
    strides.visit(start + 3 * way, LENGTH, LENGTH)
    assert strides.hits == 2
    assert strides.next_extents(ALL) == at(start + n * way for n in range(3 + VISITS, 4 + VISITS_MAX))
    strides.visit(start + 4 * way, LENGTH, LENGTH)
    assert strides.next_extents(ALL) == at([start + (4 + VISITS_MAX) * way])


@pytest.mark.parametrize(
    ("trip", "visits"), [(1, 32), (512 * KIB, 32), (VISIT_TRIP * 64, 64), (VISIT_TRIP * 96, 96), (14 * MIB, VISITS_MAX)]
)
def test_fewer_visits_near_a_server(trip: int, visits: int) -> None:
    strides = visited(n * MIB for n in range(3))
    assert len(strides.next_extents(ALL, trip)) == min(VISITS, visits)
    strides.visit(3 * MIB, LENGTH, LENGTH)
    strides.next_extents(ALL, trip)
    assert strides.next_extents(ALL, trip) == ()
    strides.visit(4 * MIB, LENGTH, LENGTH)
    assert strides.next_extents(ALL, trip) == at([(4 + visits) * MIB])


def test_visits_that_were_passed_are_not_fetched() -> None:
    strides = visited(n * MIB for n in range(10))
    assert strides.hits == 8
    assert strides.next_extents(ALL) == at(n * MIB for n in range(10, 10 + VISITS_MAX))


@pytest.mark.parametrize(
    ("share", "visits"), [(0, 0), (LENGTH - 1, 0), (LENGTH, 1), (5 * LENGTH - 1, 4), (5 * LENGTH, 5)]
)
def test_no_more_bytes_than_the_share(share: int, visits: int) -> None:
    assert list(visited([0, MIB, 2 * MIB]).next_extents(share)) == at((3 + n) * MIB for n in range(visits))


def test_what_was_cancelled_is_returned_again() -> None:
    strides = visited([0, MIB, 2 * MIB])
    first = strides.next_extents(ALL)
    strides.on_cancel()
    assert strides.next_extents(ALL) == first
    strides.visit(3 * MIB, LENGTH, LENGTH)
    strides.on_cancel()
    assert strides.next_extents(ALL)[0].start == 4 * MIB


@pytest.mark.parametrize("beyond", [0, 1, LENGTH - 1, LENGTH])
def test_extents_end_with_the_object(beyond: int) -> None:
    size = 5 * MIB + beyond
    expect = at([3 * MIB, 4 * MIB]) + ([Extent(5 * MIB, size)] if beyond else [])
    strides = visited([0, MIB, 2 * MIB], size=size)
    assert strides.next_extents(ALL) == expect
    assert list(strides.next_extents(ALL)) == []


def test_extents_of_a_backward_walk_end_with_the_start() -> None:
    strides = visited(5 * MIB + 16 * KIB - n * MIB for n in range(3))
    assert strides.next_extents(ALL) == at(n * MIB + 16 * KIB for n in (2, 1, 0))
    strides = visited(5 * MIB - 16 * KIB - n * MIB for n in range(3))
    assert strides.next_extents(ALL) == [*at(n * MIB - 16 * KIB for n in (2, 1)), Extent(0, 48 * KIB)]


def test_another_distance_begins_anew() -> None:
    strides = visited([0, MIB, 2 * MIB, 3 * MIB])
    strides.next_extents(ALL)
    strides.visit(50 * MIB, LENGTH, LENGTH)
    assert (strides.hits, strides.length) == (0, 0)
    assert list(strides.next_extents(ALL)) == []
    strides.visit(97 * MIB, LENGTH, LENGTH)  # 47 MiB on, as before
    assert strides.hits == 1
    assert strides.next_extents(10 * LENGTH) == at((97 + 47 * n) * MIB for n in range(1, 11))


def test_a_visit_is_as_long_as_the_longest_one() -> None:
    strides = Strides(SIZE)
    strides.visit(0, 4 * KIB, 0)
    strides.visit(MIB, 4 * KIB, 12 * KIB)
    strides.visit(2 * MIB, 4 * KIB, 8 * KIB)
    assert strides.length == 12 * KIB
    strides.visit(3 * MIB, 4 * KIB, 20 * KIB)
    assert strides.length == 20 * KIB
    strides.visit(4 * MIB, 24 * KIB, 8 * KIB)
    assert strides.length == 24 * KIB
    assert strides.next_extents(ALL)[0] == Extent(5 * MIB, 5 * MIB + 24 * KIB)
    strides.visit(100 * MIB, 4 * KIB, 8 * KIB)
    strides.visit(196 * MIB, 4 * KIB, 4 * KIB)
    assert strides.length == 8 * KIB, "what was before another distance does not count"
    strides = Strides(SIZE)
    strides.visit(0, 16 * KIB, 0)
    strides.visit(MIB, 4 * KIB, 4 * KIB)
    strides.visit(2 * MIB, 4 * KIB, 4 * KIB)
    assert strides.length == 4 * KIB


@pytest.mark.parametrize(("gap", "visits"), [(MERGE_GAP, DENSE_FIRST), (MERGE_GAP + PAGE, VISITS)])
def test_visits_close_to_each_other_are_dense(gap: int, visits: int) -> None:
    stride = LENGTH + gap
    extents = visited([0, stride, 2 * stride]).next_extents(ALL)
    assert extents[0].start == 3 * stride
    assert extents[-1].stop == (2 + visits) * stride + LENGTH


def test_dense_visits_are_joined_to_pieces() -> None:
    stride = 128 * KIB
    strides = visited([0, stride, 2 * stride])
    pieces = [Extent(first * stride, (first + 3) * stride + LENGTH) for first in (3, 7)]
    assert strides.next_extents(ALL) == pieces
    ahead, late, got = 10, [], 0
    for n in range(3, 400):
        strides.visit(n * stride, LENGTH, LENGTH)
        extents = strides.next_extents(ALL)
        assert all(e.size <= PIECE for e in extents)
        if extents:
            assert extents[0].start == (ahead + 1) * stride
            last = (extents[-1].stop - LENGTH) // stride
            assert last - ahead >= 4, "whole pieces only"
            ahead = last
            got += len(extents)
        late.append(ahead - n)
    assert late[0] == 16 and late[1] == 32 and max(late) == DENSE_BYTES // stride
    assert min(late[10:]) == DENSE_BYTES // stride - 3
    assert got <= 397 // 4 + DENSE_BYTES // PIECE


def test_joined_visits_waste_no_more_than_a_gap() -> None:
    """So one that is longer than PIECE, or too far away, stays alone."""
    stride = LENGTH + MERGE_GAP
    assert visited([0, stride, 2 * stride]).next_extents(ALL)[0].size == 2 * stride + LENGTH
    long = 300 * KIB
    stride = long + 4 * KIB
    extents = visited([0, stride, 2 * stride], long).next_extents(ALL)
    assert extents == at([n * stride for n in range(3, 3 + DENSE_FIRST)], long)


@pytest.mark.parametrize("way", [16 * KIB, -16 * KIB])
def test_visits_that_overlap_are_fetched_once(way: int) -> None:
    start = SIZE // 2
    extents = visited([start, start + way, start + 2 * way]).next_extents(ALL)
    long = 400 * KIB
    both = extents, visited([start, start + way, start + 2 * way], long).next_extents(ALL)
    for found, length in zip(both, (LENGTH, long), strict=True):
        ordered = sorted(found)
        assert all(a.stop == b.start for a, b in itertools.pairwise(ordered))
        ends = [start + n * way for n in (3, 2 + DENSE_FIRST)]
        assert (ordered[0].start, ordered[-1].stop) == (min(ends), max(ends) + length)


def test_visits_that_overlap_at_the_end_of_the_object_bring_nothing_empty() -> None:
    size, long, way = 100 * MIB, 400 * KIB, 16 * KIB
    start = size - long - 5 * way
    extents = visited([start, start + way, start + 2 * way], long, size).next_extents(ALL)
    assert extents[-1].stop == size
    assert all(e.size > 0 for e in extents)
    assert sum(e.size for e in extents) == size - extents[0].start


@pytest.mark.parametrize(("sign", "more"), [(1, 2 * KIB), (1, 2 * KIB + 512), (1, 3 * KIB), (-1, KIB), (-1, 2 * KIB)])
def test_distances_that_the_kernel_rounds_to_pages(sign: int, more: int) -> None:
    """What comes lies in what was fetched, at little more bytes; no further ahead than the distance is known for."""
    places = [(SIZE // 2 + sign * n * (MIB + more)) // PAGE * PAGE for n in range(200)]
    strides, fetched, returned = Strides(SIZE), [], []
    for n, place in enumerate(places):
        if n > 2:
            covering = [e for e in fetched if e.start <= place and place + LENGTH <= e.stop]
            assert covering, n
            assert min(e.size for e in covering) <= LENGTH + 8 * PAGE
        strides.visit(place, LENGTH, LENGTH)
        extents = strides.next_extents(ALL)
        fetched += extents
        returned.append(len(extents))
        assert strides.hits == max(0, n - 1)
    assert returned[:4] == [0, 0, 6, 3]
    assert sum(e.size for e in fetched) <= 1.2 * len(fetched) * LENGTH
    assert len(fetched) == 197 + VISITS, "no more than that many ahead, as no distance is certain to the byte"


@pytest.mark.parametrize("sign", [1, -1])
def test_which_distances_are_the_same(sign: int) -> None:
    """Three places, each of which may be up to a page (less one byte) off."""
    most = 3 * (PAGE - 1)
    assert visited([0, MIB, 2 * MIB + sign * most]).hits == 1
    assert visited([0, MIB, 2 * MIB + sign * (most + 1)]).hits == 0
