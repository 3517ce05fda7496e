"""How reads are called: as they come from programs through the kernel, which rounds, splits and reorders them."""

from __future__ import annotations

import random

import pytest

from mountnd.usage.pattern import IN_ORDER, RANDOM, START, STRIDES, UNREAD, Pattern

KIB, MIB = 1 << 10, 1 << 20
SIZE = 512 * MIB


def name(reads: list[tuple[int, int]], size: int = SIZE) -> str:
    seen = Pattern(size)
    for offset, n in reads:
        seen.feed(offset, n)
    return seen.name


def test_nothing_was_read() -> None:
    assert name([]) == UNREAD


def test_a_whole_file() -> None:
    assert name([(at, 128 * KIB) for at in range(0, 64 * MIB, 128 * KIB)]) == IN_ORDER
    assert name([(0, 700)], size=700) == IN_ORDER


def test_the_kernels_threads_deliver_a_little_out_of_order() -> None:
    order = list(range(0, 64 * MIB, MIB))
    for i in range(0, len(order) - 1, 2):
        order[i], order[i + 1] = order[i + 1], order[i]
    assert name([(at, MIB) for at in order]) == IN_ORDER


def test_a_header() -> None:
    assert name([(0, 16 * KIB), (16 * KIB, 112 * KIB)]) == START


def test_two_places_in_turns_are_in_order() -> None:
    reads = [(base + at, 128 * KIB) for at in range(0, 8 * MIB, 128 * KIB) for base in (0, 256 * MIB)]
    assert name(reads) == IN_ORDER


@pytest.mark.parametrize("distance", [300 * KIB, 5 * MIB, -5 * MIB])
def test_one_slice_of_each_volume(distance: int) -> None:
    first = 0 if distance > 0 else SIZE - MIB
    reads = [((first + i * distance) // 4096 * 4096, 32 * KIB) for i in range(40)]
    assert name(reads) == STRIDES


def test_long_jumps_between_long_runs_are_in_order() -> None:
    starts = [0, 100 * MIB, 37 * MIB]
    assert name([(s + at, MIB) for s in starts for at in range(0, 16 * MIB, MIB)]) == IN_ORDER


def test_scattered_reads() -> None:
    chance = random.Random(1)
    assert name([(chance.randrange(SIZE), 16 * KIB) for _ in range(200)]) == RANDOM


def test_runs_count_each_of_their_reads() -> None:
    seen = Pattern(SIZE)
    seen.feed(0, 8 * MIB, reads=64)
    seen.feed(9 * MIB, 128 * KIB)  # too far for reads of 128 KiB
    assert seen.name == IN_ORDER and seen.position == 9 * MIB + 128 * KIB


def test_a_read_that_comes_late_does_not_move_the_place_back() -> None:
    pattern = Pattern(4 << 20)
    for offset in (0, 1 << 20, 3 << 20, 2 << 20):
        pattern.feed(offset, 1 << 20)
    assert (pattern.name, pattern.position) == (IN_ORDER, 4 << 20)
    pattern.feed(0, 4096)
    assert pattern.position == 4096
