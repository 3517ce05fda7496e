"""Which ranges are read as one, and in which pieces."""

from __future__ import annotations

import pytest

from mountnd.api.reading import MOST_JOINED, NEAR, PIECE, Range, _Span, new_bytes
from mountnd.errors import Forbidden


def spans(*ranges: tuple[int, int]) -> list[tuple[int, int]]:
    found: list[_Span] = []
    for i, (start, stop) in enumerate(ranges):
        r = Range(i, 1, start, stop)
        if not (found and found[-1].add(r)):
            found.append(_Span(r))
    return [(span.start, span.stop) for span in found]


def test_near_ones_are_one() -> None:
    assert spans((0, 10), (5, 20), (20, 30), (30 + NEAR, 50 + NEAR)) == [(0, 50 + NEAR)]
    assert spans((0, 10), (11 + NEAR, 20 + NEAR)) == [(0, 10), (11 + NEAR, 20 + NEAR)]


def test_what_is_joined_stays_short() -> None:
    step = 1 << 20
    joined = spans(*((at, at + step) for at in range(0, 4 * MOST_JOINED, step)))
    assert len(joined) == 4 and all(stop - start == MOST_JOINED for start, stop in joined)
    assert spans((0, 3 * MOST_JOINED), (5, 10), (20, MOST_JOINED)) == [(0, 3 * MOST_JOINED)]


@pytest.mark.parametrize(("start", "stop"), [(0, 10), (5, PIECE + 5), (PIECE - 1, PIECE + 1), (3, 4 * PIECE)])
def test_pieces_cover_a_span(start: int, stop: int) -> None:
    span = _Span(Range(0, 1, start, stop))
    pieces = span.pieces()
    assert span.left == len(pieces) and len(span.data) == stop - start
    assert [at for at, _ in pieces] == [start, *range(start // PIECE * PIECE + PIECE, stop, PIECE)]
    assert sum(size for _, size in pieces) == stop - start and all(0 < size <= PIECE for _, size in pieces)


def test_each_range_gets_its_bytes_or_the_error() -> None:
    span = _Span(Range(7, 1, 10, 14))
    assert span.add(Range(3, 1, 12, 20)) and span.add(Range(5, 1, 10, 20))
    span.data = bytes(range(10))
    assert dict(span.results()) == {7: b"\0\1\2\3", 3: bytes(range(2, 10)), 5: bytes(range(10))}
    span.error = Forbidden("no")
    assert dict(span.results()) == dict.fromkeys((7, 3, 5), span.error)


@pytest.mark.parametrize("size", [0, 1, 2, 100, 1 << 20])
def test_new_bytes_are_nobody_elses(size: int) -> None:
    import ctypes

    made, address = new_bytes(size)
    ctypes.memset(address, 0x41, size)
    assert made == b"A" * size
    assert bytes(1) == b"\0" and bytes(0) == b""  # those that Python shares are as they were
