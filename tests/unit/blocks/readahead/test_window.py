"""The readahead policy, by replaying reads that the kernel sent: what is missed, what is fetched, in how many GETs."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mountnd.blocks import geometry
from mountnd.blocks.fetch.budget import MAX_GETS, Share
from mountnd.blocks.geometry import BLOCK, Extent
from mountnd.blocks.readahead.window import DEFAULT, Limits, WindowPolicy

KIB, MIB = 1 << 10, 1 << 20
SIZE = 256 * MIB
SHARE = Share(256 * MIB, MAX_GETS)

Reads = list[tuple[int, int]]


def load() -> dict[str, Reads]:
    """`traces.txt` as name-read_ahead_kb -> [(offset, size), ...] in bytes."""
    traces: dict[str, Reads] = {}
    for chunk in (Path(__file__).parent / "traces.txt").read_text().split("\n\n")[1:]:
        head, *lines = chunk.strip().splitlines()
        at, reads = 0, []
        for token in " ".join(lines).split():
            if token.startswith("@"):
                at = int(token[1:]) * KIB
                continue
            n, _, times = token.partition("*")
            for _ in range(int(times or 1)):
                reads.append((at, int(n) * KIB))
                at += int(n) * KIB
        traces[head.replace(" ", "-")] = reads
    return traces


TRACES = load()


class Outcome(NamedTuple):
    """misses: reads that found a block neither held nor asked for. touched: bytes of the blocks read."""

    misses: int
    gets: int
    fetched: int
    touched: int


def replay(reads: Iterable[tuple[int, int]], *, size: int = SIZE, share: Share = SHARE) -> Outcome:
    """The policy over an endless cache in which everything asked for has arrived by the next read."""
    policy = WindowPolicy(size)
    held: set[int] = set()
    touched: set[int] = set()
    gets = misses = 0

    def fetch(extent: Extent) -> None:
        nonlocal gets
        assert 0 <= extent.start < extent.stop <= size
        for run in geometry.missing(geometry.covering(extent.start, extent.stop, size), held.__contains__):
            gets += 1
            held.update(range(*run))

    for offset, n in reads:
        n = min(n, size - offset)
        if n <= 0:
            continue
        need = set(range(*geometry.covering(offset, offset + n, size)))
        touched |= need
        if not need <= held:
            misses += 1
            fetch(policy.on_miss(offset, n))
        for extent in policy.on_read(offset, n, share):
            fetch(extent)
    return Outcome(
        misses,
        gets,
        sum(geometry.block_size(i, size) for i in held),
        sum(geometry.block_size(i, size) for i in touched),
    )


@pytest.mark.parametrize("name", ["cat-128", "cat-1024", "dd_1m-128", "dd_1m-1024", "python_read_8mib-1024"])
def test_streaming_misses_once(name: str) -> None:
    got = replay(TRACES[name])
    assert got.misses == 1
    assert got.fetched <= 4 * got.touched + 64 * MIB


def test_streaming_begins_with_many_small_pieces_and_grows() -> None:
    policy = WindowPolicy(SIZE)
    first = policy.on_read(0, 128 * KIB, SHARE)
    assert len(first) == DEFAULT.gets
    assert {e.size for e in first[1:]} == {DEFAULT.piece}
    assert [e.start for e in first[1:]] == [e.stop for e in first[:-1]]
    sizes = [e.size for at in range(128 * KIB, 100 * MIB, 128 * KIB) for e in policy.on_read(at, 128 * KIB, SHARE)]
    assert max(sizes) == DEFAULT.piece_max
    assert sizes.index(DEFAULT.piece_max) < 60


@pytest.mark.parametrize("name", ["header-128", "header-1024"])
def test_a_header_costs_one_block(name: str) -> None:
    assert replay(TRACES[name]) == (1, 1, BLOCK, BLOCK)


@pytest.mark.parametrize("name", ["header_then_4k-128", "header_then_4k-1024", "mmap_through-128", "mmap_through-1024"])
def test_who_goes_on_after_the_header_gets_a_window(name: str) -> None:
    assert replay(TRACES[name]).misses <= 2


@pytest.mark.parametrize("name", ["random_4k-128", "random_4k-1024", "random_64k-128", "random_64k-1024"])
def test_random_reads_fetch_their_blocks_and_no_more(name: str) -> None:
    got = replay(TRACES[name])
    assert got.fetched == got.touched
    assert got.gets <= len(TRACES[name])


def test_a_random_read_of_a_page_never_asks_for_more_than_256_kib() -> None:
    rng = random.Random(7)
    policy = WindowPolicy(SIZE)
    for _ in range(300):
        at = rng.randrange(SIZE - 4096)
        run = geometry.covering(*policy.on_miss(at, 4096), SIZE)
        assert geometry.extent(run, SIZE).size <= 256 * KIB
        policy.on_read(at, 4096, SHARE)


@pytest.mark.parametrize("name", ["random_3m-128", "random_3m-1024"])
def test_random_reads_of_megabytes_learn_their_length(name: str) -> None:
    got = replay(TRACES[name])
    assert got.misses <= 2 * 12  # 12 reads of the program, each of many by the kernel
    many = [
        (o + k * 128 * KIB, 128 * KIB) for o in random.Random(1).sample(range(0, SIZE, 4 * MIB), 50) for k in range(24)
    ]
    got = replay(many)
    assert got.misses <= 2 * 50
    assert got.fetched <= 1.4 * got.touched


@pytest.mark.parametrize("name", ["slice_64k_every_1m-128", "slice_64k_every_1m-1024"])
def test_a_slice_of_each_volume_is_fetched_exactly(name: str) -> None:
    got = replay(TRACES[name])
    assert got.misses == 3
    assert got.fetched == got.touched
    assert got.gets == 256


@pytest.mark.parametrize("name", ["slice_odd-128", "slice_odd-1024"])
def test_a_distance_that_is_no_multiple_of_a_page(name: str) -> None:
    reads = TRACES[name]
    got = replay(reads)
    assert got.misses == 3
    ahead = 48 * 2 * BLOCK  # what the program never came to, because it ended
    assert got.fetched - ahead <= 1.25 * got.touched


def test_slices_through_mmap_with_the_kernels_small_readahead() -> None:
    got = replay(TRACES["slice_mmap-128"])
    assert got.misses <= 6
    assert got.fetched <= 1.5 * got.touched


def test_a_slice_of_several_reads_in_any_order_is_one_visit() -> None:
    """What page faults make of 64 KiB in each MiB at read_ahead_kb 128, as the kernel's threads deliver it."""
    dice = random.Random(4)
    reads: Reads = []
    for volume in range(250):
        visit = [(volume * MIB + 236 * KIB + at * KIB, n * KIB) for at, n in ((0, 128), (128, 116), (244, 128))]
        late = dice.choice([visit[1:], visit[:0:-1]])
        reads += [visit[0], *late]
    got = replay(reads)
    assert got.misses <= 10
    assert got.fetched <= 1.3 * got.touched


def test_slices_through_mmap_with_raised_readahead_are_a_stream() -> None:
    got = replay(TRACES["slice_mmap-1024"])
    assert got.misses == 1


@pytest.mark.parametrize("name", ["backwards_64k-128", "backwards_1m-128", "backwards_1m-1024"])
def test_backwards(name: str) -> None:
    got = replay(TRACES[name])
    assert got.misses <= 6
    assert got.gets <= 90  # not one for each 64 KiB
    assert got.fetched <= 1.1 * got.touched


@pytest.mark.parametrize("name", ["two_readers-128", "two_readers-1024", "two_threads-128", "two_threads-1024"])
def test_two_readers_in_one_handle(name: str) -> None:
    assert replay(TRACES[name]).misses <= 4


@pytest.mark.parametrize("n", [2, 3, 5, 8])
def test_readers_in_turn_each_get_a_window(n: int) -> None:
    reads = [(r * 24 * MIB + k * 128 * KIB, 128 * KIB) for k in range(64) for r in range(n)]
    assert replay(reads).misses <= 3 * n


@pytest.mark.parametrize("name", ["random_then_through-128", "random_then_through-1024"])
def test_random_recovers_when_it_turns_sequential(name: str) -> None:
    assert replay(TRACES[name]).misses <= 20 + 3


@pytest.mark.parametrize("distance", [1, 2, 4, 8])
@pytest.mark.parametrize("name", ["cat-128", "cat-1024", "dd_1m-1024", "header_then_4k-1024"])
def test_reads_out_of_order_are_still_one_stream(name: str, distance: int) -> None:
    rng = random.Random(distance)
    reads = TRACES[name]
    mixed = [r for _, r in sorted((i + rng.uniform(0, distance + 0.5), r) for i, r in enumerate(reads))]
    if distance > 1:
        assert mixed != reads
    got = replay(mixed)
    assert got.misses <= 2 + distance
    assert got.fetched <= replay(reads).fetched + 32 * MIB


def test_a_seek_in_a_stream_starts_again_soon() -> None:
    reads = [(at, MIB) for part in (0, 100, 40, 180) for at in range(part * MIB, (part + 30) * MIB, MIB)]
    assert replay(reads).misses <= 2 * 4


@pytest.mark.parametrize("size", [1, BLOCK, DEFAULT.whole])
def test_a_small_object_is_wanted_whole(size: int) -> None:
    got = replay([(0, min(size, 4096))], size=size)
    assert got == (1, 1, size, min(size, BLOCK))


def test_a_smaller_one_is_fetched_whole_once_it_is_read_on() -> None:
    size = DEFAULT.whole_sequential
    got = replay([(0, 16 * KIB), (16 * KIB, 64 * KIB)], size=size)
    assert got.fetched == size


@pytest.mark.parametrize("share", [0, BLOCK - 1, BLOCK, 300 * KIB, MIB, 8 * MIB])
def test_never_further_ahead_than_the_share(share: int) -> None:
    for name, reads in TRACES.items():
        policy = WindowPolicy(SIZE)
        far = 0
        for offset, n in reads:
            far = max(far, offset + n)
            for e in policy.on_read(offset, n, Share(share, MAX_GETS)):
                if not name.startswith(("back", "slice")):
                    assert e.stop <= far + share, name
                assert e.size <= max(share, BLOCK), name


@pytest.mark.parametrize("n", [1, 2, 4, 8])
def test_several_streams_share_the_gets_by_larger_pieces(n: int) -> None:
    policy = WindowPolicy(SIZE)
    share = Share(128 * MIB // n, MAX_GETS // n)
    pieces = [e for at in range(0, 128 * MIB, MIB) for e in policy.on_read(at, MIB, share)]
    late = [e.size for e in pieces if e.start > 130 * MIB]
    assert min(late) == DEFAULT.piece_max


def test_a_window_that_is_left_halves() -> None:
    policy = WindowPolicy(SIZE)
    for at in range(0, 32 * MIB, MIB):
        policy.on_read(at, MIB, SHARE)
    window = policy._readers[-1].window
    rng = random.Random(1)
    for _ in range(3):
        policy.on_read(rng.randrange(150 * MIB, SIZE - MIB), 4096, SHARE)
    assert policy._readers[0].window <= window // 4


def test_reading_again_is_not_reading_on() -> None:
    policy = WindowPolicy(SIZE)
    policy.on_read(64 * KIB, 4 * KIB, SHARE)
    for offset, n in [(64 * KIB, 4 * KIB), (65 * KIB, 100), (64 * KIB, 4 * KIB)] * 5:
        assert not policy.on_read(offset, n, SHARE)
    for at in range(0, 12 * MIB, MIB):
        policy.on_read(at, MIB, SHARE)
    ahead = policy._readers[-1].ahead
    for _ in range(30):
        assert not policy.on_read(5 * MIB, MIB, SHARE)
    assert policy._readers[-1].ahead == ahead


@pytest.mark.parametrize("size", [2 * MIB, 6 * MIB, 40 * MIB])
@pytest.mark.parametrize("step", [128 * KIB, MIB])
def test_a_file_read_a_second_time_streams_again(size: int, step: int) -> None:
    policy = WindowPolicy(size)
    for _ in range(3):
        held: set[int] = set()  # nothing is left of the time before
        misses = 0
        for at in range(0, size, step):
            n = min(step, size - at)
            need = set(range(*geometry.covering(at, at + n, size)))
            if not need <= held:
                misses += 1
                held |= set(range(*geometry.covering(*policy.on_miss(at, n), size)))
            for e in policy.on_read(at, n, SHARE):
                held |= set(range(*geometry.covering(*e, size)))
        assert misses == 1


def test_what_was_cancelled_is_asked_for_again_with_the_same_window() -> None:
    policy = WindowPolicy(SIZE)
    for at in range(0, 8 * MIB, MIB):
        policy.on_read(at, MIB, SHARE)
    ahead = policy._readers[-1].ahead
    policy.on_cancel()
    again = policy.on_read(8 * MIB, MIB, SHARE)
    assert again[0].start == 9 * MIB
    assert again[-1].stop >= ahead
    policy = WindowPolicy(SIZE)
    for k in range(5):
        soon = policy.on_read(k * 2 * MIB, 64 * KIB, SHARE)
    assert soon[0].start > 10 * MIB
    policy.on_cancel()
    assert policy.on_read(10 * MIB, 64 * KIB, SHARE)[0].start == 12 * MIB


reads_of = st.lists(st.tuples(st.integers(0, 40 * MIB), st.integers(1, 2 * MIB)), max_size=60)


@settings(max_examples=150, deadline=None)
@given(reads_of, st.integers(1, 40 * MIB), st.integers(0, 64 * MIB), st.integers(1, 24))
def test_whatever_is_read_the_plan_lies_in_the_object_and_in_order(
    reads: Reads, size: int, share: int, gets: int
) -> None:
    policy = WindowPolicy(size, Limits())
    for offset, n in reads:
        offset %= size
        n = min(n, size - offset)
        wanted = policy.on_miss(offset, n)
        assert wanted.start <= offset
        assert offset + n <= wanted.stop <= size
        assert wanted.stop - wanted.start <= max(n, DEFAULT.whole)
        soon: Sequence[Extent] = policy.on_read(offset, n, Share(share, gets))
        assert all(0 <= e.start < e.stop <= size for e in soon)
        assert all(a.stop <= b.start or b.stop <= a.start for a, b in itertools.pairwise(soon))
        assert len(policy._readers) <= DEFAULT.readers
