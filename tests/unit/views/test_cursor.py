"""A cursor whose compressed bytes come in small pieces, and whose readers leave at any moment."""

from __future__ import annotations

import _ctypes
from collections.abc import Callable
from contextlib import nullcontext
from types import SimpleNamespace

import pytest

from mountnd.errors import Cancelled, UsageError
from mountnd.views import zlib_binding
from mountnd.views.cursor import Cursor
from mountnd.views.points import SPACING, START, Points
from mountnd.views.unfit import Unfit
from tests.support.nifti_files import gzipped, voxels

LIBRARIES = {"zlib": zlib_binding.zlib, "zlib-ng": zlib_binding.zlib_ng}
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


@pytest.fixture(params=LIBRARIES)
def inflates(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """One of the libraries inflates, until another one is called for by name."""

    def use(name: str) -> None:
        library = LIBRARIES[name]()
        if library is None:
            pytest.skip(f"{name} is not installed")
        monkeypatch.setattr(zlib_binding, "library", lambda: library)

    use(request.param)
    return use


@pytest.mark.usefixtures("inflates")
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


@pytest.mark.usefixtures("inflates")
def test_zeros_are_behind_the_last_member_only() -> None:
    stored = gzipped(PLAIN, 1) + bytes(5) + gzipped(PLAIN[:9], 1)
    cursor = Cursor(START, Pieces(stored, 0, lambda at: 7 if at > 4_000_000 else 100_000), Points(), nullcontext())
    with pytest.raises(Unfit) as caught:
        inflated(cursor, len(PLAIN))
    assert caught.value.name == "trailing"


def test_points_of_one_library_are_of_use_to_the_other(inflates: Callable[[str], None]) -> None:
    stored = gzipped(PLAIN, 6)
    points = Points()
    assert inflated(Cursor(START, Pieces(stored, 0, lambda at: 100_000), points, nullcontext()), len(PLAIN)) == PLAIN
    for name in LIBRARIES:
        inflates(name)
        for out in (SPACING + 1_000_000, 2 * SPACING + 500_000):
            point = points.before(out)
            assert point.bits or point.stored
            cursor = Cursor(point, Pieces(stored, point.stored, lambda at: 100_000), points, nullcontext())
            assert inflated(cursor, len(PLAIN)) == PLAIN[point.out :]


def test_where_the_package_is_missing_or_hides_its_library_the_systems_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    library = zlib_binding.library.__wrapped__
    systems = zlib_binding.zlib()
    monkeypatch.setattr(zlib_binding, "zlib", lambda: systems)
    monkeypatch.setattr(zlib_binding, "find_spec", lambda name: None)
    assert library() is systems
    hiding = SimpleNamespace(origin=_ctypes.__file__)  # an extension module without these functions
    monkeypatch.setattr(zlib_binding, "find_spec", lambda name: hiding)
    assert library() is systems


def test_where_there_is_no_library_at_all_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> None:
        raise OSError("libz.so.1: cannot open shared object file")

    monkeypatch.setattr(zlib_binding, "find_spec", lambda name: None)
    monkeypatch.setattr(zlib_binding, "zlib", missing)
    with pytest.raises(UsageError, match="apt-get install zlib1g"):
        zlib_binding.library.__wrapped__()
