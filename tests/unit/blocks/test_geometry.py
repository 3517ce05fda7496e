"""Block arithmetic, against the definition: block i holds the bytes [i * BLOCK, (i + 1) * BLOCK)."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mountnd.blocks import geometry
from mountnd.blocks.geometry import BLOCK, BlockRange

# Every boundary -1/0/+1: of the object, of a block, of the fourth block.
EDGES = sorted({e + d for e in (0, BLOCK, 2 * BLOCK, 4 * BLOCK) for d in (-1, 0, 1) if e + d >= 0})


def holders(start: int, stop: int, size: int) -> set[int]:
    """By definition: the blocks with a byte in the range and in the object."""
    return {i for i in range(6) if max(i * BLOCK, start) < min((i + 1) * BLOCK, stop, size)}


@pytest.mark.parametrize("size", EDGES)
def test_count_and_length_add_up_to_the_object(size: int) -> None:
    n = geometry.block_count(size)
    assert [geometry.block_size(i, size) for i in range(n)] == [min(BLOCK, size - i * BLOCK) for i in range(n)]
    assert sum(geometry.block_size(i, size) for i in range(n)) == size
    assert geometry.block_size(n, size) == geometry.block_size(n + 1, size) == 0


@pytest.mark.parametrize("size", EDGES)
def test_covering_is_the_blocks_that_hold_a_byte(size: int) -> None:
    for start, stop in itertools.product(EDGES, EDGES):
        run = geometry.covering(start, stop, size)
        assert set(range(*run)) == holders(start, stop, size), (start, stop)
        if run.stop > run.first:
            extent = geometry.extent(run, size)
            assert extent.start <= start
            assert min(stop, size) <= extent.stop <= size
            assert extent.size == sum(geometry.block_size(i, size) for i in range(*run))


@given(st.sets(st.integers(0, 40)))
def test_block_ranges_are_maximal_and_complete(indexes: set[int]) -> None:
    runs = list(geometry.block_ranges(sorted(indexes)))
    assert [i for run in runs for i in range(*run)] == sorted(indexes)
    assert all(a.stop < b.first for a, b in itertools.pairwise(runs))


@given(st.sets(st.integers(0, 40)), st.integers(0, 20), st.integers(0, 20))
def test_missing_is_the_rest(held: set[int], first: int, n: int) -> None:
    run = BlockRange(first, first + n)
    got = geometry.missing(run, held.__contains__)
    assert [i for r in got for i in range(*r)] == [i for i in range(*run) if i not in held]


@given(st.integers(0, 50), st.integers(0, 100), st.integers(1, 20 * BLOCK))
def test_split_covers_the_run_in_order(first: int, n: int, piece: int) -> None:
    pieces = geometry.split(BlockRange(first, first + n), piece)
    assert [i for p in pieces for i in range(*p)] == list(range(first, first + n))
    most = max(1, piece // BLOCK)
    sizes = [p.stop - p.first for p in pieces]
    assert all(0 < s <= most for s in sizes)
    assert max(sizes, default=0) - min(sizes, default=0) <= 1


@given(st.sets(st.integers(0, 40)), st.integers(0, 5))
def test_coalesced_covers_and_leaves_only_wide_gaps(indexes: set[int], most: int) -> None:
    got = geometry.coalesced(geometry.block_ranges(sorted(indexes)), most)
    covered = {i for run in got for i in range(*run)}
    assert indexes <= covered
    assert all(b.first - a.stop > most for a, b in itertools.pairwise(got))
    assert all({run.first, run.stop - 1} <= indexes for run in got)
