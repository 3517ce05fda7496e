"""A cursor whose compressed bytes come in small pieces, and whose readers leave at any moment."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext

import pytest

from mountnd.errors import Cancelled
from mountnd.views.cursor import Cursor
from mountnd.views.points import SPACING, START, Points
from mountnd.views.unfit import Unfit
from tests.support.nifti_files import gzipped, voxels

PLAIN = voxels(2 * SPACING + 700_000, seed=3)


class Pieces:
    """Compressed bytes in pieces, from `start` on; each is given at the second attempt only."""

    def __init__(self, stored: bytes, start: int, length: Callable[[int], int]) -> None:
        self._stored, self._at, self._length, self._again = stored, start, length, False

    def next(self) -> bytearray:
        self._again = not self._again
        if self._again:
            raise Cancelled("not wanted any more")
        piece = self._stored[self._at : self._at + self._length(self._at)]
        self._at += len(piece)
        return bytearray(piece)


def inflated(cursor: Cursor, stop: int) -> bytes:
    """Up to `stop`, and that nothing comes behind it; whoever is disturbed comes back."""
    data, attempts = bytearray(stop - cursor.out), 0
    first = cursor.out
    while not cursor.ended and attempts < 1_000_000:
        attempts += 1
        try:
            left = memoryview(data)[cursor.out - first :]
            assert cursor.fill(left or memoryview(bytearray(1)), lambda: None) == len(left)
        except Cancelled:
            continue
    return bytes(data)


@pytest.mark.parametrize("tail", [b"", bytes(3), bytes(3000)], ids=["", "zeros", "many zeros"])
@pytest.mark.parametrize("members", [1, 2])
def test_who_leaves_at_any_moment_leaves_it_where_it_is(members: int, tail: bytes) -> None:
    cut = len(PLAIN) if members == 1 else 6_000_000
    stored = b"".join(gzipped(part, 1) for part in (PLAIN[:cut], PLAIN[cut:]) if part) + tail
    points = Points()
    whole = Cursor(START, Pieces(stored, 0, lambda at: 100_000), points, nullcontext())
    assert inflated(whole, len(PLAIN)) == PLAIN
    assert len(points) >= 3
    for out in (SPACING + 1_000_000, 2 * SPACING + 500_000):
        point = points.before(out)
        assert not point.begins_member
        ends = {len(stored) - len(tail), *([len(gzipped(PLAIN[:cut], 1))] if members == 2 else [])}

        def small(at: int, ends: set[int] = ends) -> int:
            """One byte where a member ends."""
            return 1 if any(end - 12 <= at < end + 12 for end in ends) else 100_000

        for length in (small, lambda at: 65_536 - at % 65_536):
            cursor = Cursor(point, Pieces(stored, point.stored, length), points, nullcontext())
            assert inflated(cursor, len(PLAIN)) == PLAIN[point.out :]


def test_zeros_are_behind_the_last_member_only() -> None:
    stored = gzipped(PLAIN, 1) + bytes(5) + gzipped(PLAIN[:9], 1)
    cursor = Cursor(START, Pieces(stored, 0, lambda at: 7 if at > 4_000_000 else 100_000), Points(), nullcontext())
    with pytest.raises(Unfit) as caught:
        inflated(cursor, len(PLAIN))
    assert caught.value.name == "trailing"
