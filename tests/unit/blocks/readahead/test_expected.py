"""Windows of a file of which something is known before its first read: what is read of such files, and the link."""

from __future__ import annotations

import pytest

from mountnd.blocks.fetch.budget import MAX_GETS, Share
from mountnd.blocks.geometry import BLOCK, Extent
from mountnd.blocks.readahead.window import DEFAULT, WindowPolicy

KIB, MIB = 1 << 10, 1 << 20
SIZE = 64 * MIB
TRIP = 2_700_000
SHARE = Share(256 * MIB, MAX_GETS)


def opened(size: int, expected: int, trip: int = TRIP) -> WindowPolicy:
    policy = WindowPolicy(size)
    policy.on_open(expected, trip)
    return policy


def reach(extents: object) -> int:
    """Where the farthest of these ends, 0 without any."""
    return max((e.stop for e in extents), default=0)  # type: ignore[attr-defined]


@pytest.mark.parametrize("size", [200 * KIB, 700 * KIB, MIB])
@pytest.mark.parametrize("offset", [0, 100 * KIB])
def test_a_file_that_is_read_whole_comes_with_its_first_read(size: int, offset: int) -> None:
    """By one GET: HDF5 and NWB hop about in it, each hop a round trip."""
    policy = opened(size, size)
    assert policy.on_miss(offset, 4096) == Extent(0, size)
    policy.on_read(offset, 4096, SHARE)
    for hop in (150 * KIB, 4096, size - 4096):
        assert reach(policy.on_read(hop, 4096, SHARE)) <= size


def test_a_part_that_is_read_of_such_files_comes_beside_the_first_read() -> None:
    """Which does not wait for it: the header may be all that this one wants."""
    policy = opened(SIZE, 300 * KIB)
    assert policy.on_miss(0, 16 * KIB) == Extent(0, 16 * KIB)
    pieces = policy.on_read(0, 16 * KIB, SHARE)
    assert (pieces[0].start, pieces[-1].stop) == (16 * KIB, 300 * KIB)
    assert max(e.size for e in pieces) <= DEFAULT.piece_first
    assert not policy.on_read(16 * KIB, 32 * KIB, SHARE)


def test_of_whom_headers_are_expected_gets_a_block() -> None:
    policy = opened(700 * KIB, 64 * KIB)
    assert policy.on_miss(0, 64 * KIB) == Extent(0, 64 * KIB)
    assert not policy.on_read(0, 64 * KIB, SHARE)


def test_a_large_file_that_is_read_whole_has_a_full_window_at_once() -> None:
    policy = opened(SIZE, SIZE)
    assert policy.on_miss(0, 16 * KIB) == Extent(0, 16 * KIB)
    assert reach(policy.on_read(0, 16 * KIB, SHARE)) >= DEFAULT.gets * DEFAULT.piece


@pytest.mark.parametrize("trip", [512 * KIB, TRIP, 9 * MIB])
def test_who_goes_on_past_a_header_gets_what_a_round_trip_brings(trip: int) -> None:
    policy = opened(SIZE, 64 * KIB, trip)
    assert not policy.on_read(0, 16 * KIB, SHARE)
    assert reach(policy.on_read(16 * KIB, 32 * KIB, SHARE)) <= DEFAULT.piece + 64 * KIB, "the kernel's own readahead"
    policy = opened(SIZE, 64 * KIB, trip)
    policy.on_read(0, 64 * KIB, SHARE)
    ahead = reach(policy.on_read(64 * KIB, 64 * KIB, SHARE))
    assert trip - DEFAULT.piece <= ahead <= max(trip, DEFAULT.piece) + 192 * KIB


def test_a_handle_that_begins_behind_the_header_goes_on() -> None:
    """The kernel has the header from the handle before: nibabel opens a file to look and then to read."""
    ahead = opened(SIZE, 64 * KIB).on_read(12 * KIB, 32 * KIB, SHARE)
    assert reach(ahead) >= TRIP - DEFAULT.piece
    assert not opened(SIZE, 64 * KIB).on_read(128 * KIB, 32 * KIB, SHARE), "that is anywhere"


def test_a_first_window_begins_with_small_pieces() -> None:
    """Each comes over a new connection, and what its reader waits for soonest."""
    pieces = opened(SIZE, 64 * KIB).on_read(12 * KIB, 52 * KIB, SHARE)
    sizes = [e.size for e in pieces]
    assert sizes[: DEFAULT.pieces_first] == [DEFAULT.piece_first] * DEFAULT.pieces_first
    assert max(sizes) == DEFAULT.piece
    assert [e.start for e in pieces[1:]] == [e.stop for e in pieces[:-1]]
    assert all(e.start % BLOCK == 0 for e in pieces)


@pytest.mark.parametrize(("expected", "reached"), [(900 * KIB, TRIP // BLOCK * BLOCK), (8 * MIB, 8 * MIB)])
def test_who_looks_at_the_end_of_a_compressed_file_goes_on_at_its_start(expected: int, reached: int) -> None:
    """indexed_gzip reads the length that it inflates to, then all from the start: meanwhile that is on its way."""
    policy = opened(SIZE, expected)
    pieces = policy.on_read(SIZE - 4 * KIB, 4 * KIB, SHARE)
    assert pieces[0] == Extent(0, DEFAULT.piece_first)
    assert reached <= pieces[-1].stop <= reached + BLOCK
    sizes = [piece.size for piece in pieces]
    assert sizes[: DEFAULT.pieces_first] == [DEFAULT.piece_first] * DEFAULT.pieces_first
    assert not policy.on_read(SIZE - 8 * KIB, 4 * KIB, SHARE)


@pytest.mark.parametrize(
    ("expected", "offset"), [(64 * KIB, SIZE - 4 * KIB), (900 * KIB, SIZE - DEFAULT.tail - 1), (900 * KIB, SIZE // 2)]
)
def test_nor_does_who_reads_elsewhere_or_of_whom_a_header_is_expected(expected: int, offset: int) -> None:
    assert not opened(SIZE, expected).on_read(offset, 4 * KIB, SHARE)


@pytest.mark.parametrize(
    ("trip", "window"),
    [
        (0, DEFAULT.gets * DEFAULT.piece),  # nothing is known
        (TRIP, DEFAULT.gets * DEFAULT.piece),  # 30 ms
        (1_500_000, DEFAULT.window_trips * 1_500_000),  # 16 ms
        (9_000_000, DEFAULT.gets * DEFAULT.piece),  # another continent
        (512 * KIB, DEFAULT.window_trips * 512 * KIB),  # the same region
        (100 * KIB, DEFAULT.window_least),
    ],
)
@pytest.mark.parametrize("first", [(0, 128 * KIB, 0), (0, 16 * KIB, SIZE)], ids=["by its length", "as expected"])
def test_a_first_window_is_no_longer_than_what_comes_in_a_few_round_trips(
    trip: int, window: int, first: tuple[int, int, int]
) -> None:
    """Where the server is near, what nobody reads takes the processor from what somebody waits for."""
    offset, size, expected = first
    policy = opened(SIZE, expected, trip)
    planned = reach(policy.on_read(offset, size, SHARE)) - size
    assert window - DEFAULT.piece < planned <= window
