"""How a handle's reads are told in a word: by replaying reads that programs make."""

from __future__ import annotations

import random

from mountnd.blocks.fetch.budget import MAX_GETS, Share
from mountnd.blocks.readahead.base import Pattern
from mountnd.blocks.readahead.window import WindowPolicy

KIB, MIB = 1 << 10, 1 << 20
SHARE = Share(256 * MIB, MAX_GETS)


def pattern(*reads: tuple[int, int], size: int = 256 * MIB) -> Pattern:
    policy = WindowPolicy(size)
    for offset, n in reads:
        policy.on_read(offset, n, SHARE)
    return policy.pattern()


def test_before_the_first_read() -> None:
    assert pattern() == Pattern("unread")


def test_a_header() -> None:
    assert pattern((0, 16 * KIB)) == Pattern("start", 16 * KIB)
    assert pattern((0, 16 * KIB), (16 * KIB, 32 * KIB)).kind == "start"
    assert pattern((0, 128 * KIB)).kind == "start"


def test_from_end_to_end() -> None:
    told = pattern(*((at, 128 * KIB) for at in range(0, 8 * MIB, 128 * KIB)))
    assert told == Pattern("in order", 8 * MIB)
    assert pattern((0, 100), size=100) == Pattern("in order", 100)


def test_on_from_the_middle() -> None:
    told = pattern(*((at, 128 * KIB) for at in range(50 * MIB, 58 * MIB, 128 * KIB)))
    assert told == Pattern("in order", 58 * MIB)


def test_in_two_places_at_once() -> None:
    reads = [(base + at, 128 * KIB) for at in range(0, 8 * MIB, 128 * KIB) for base in (0, 128 * MIB)]
    assert pattern(*reads) == Pattern("in order", 136 * MIB, places=2)


def test_every_nth_slice() -> None:
    told = pattern(*((n * 5 * MIB, 64 * KIB) for n in range(8)))
    assert told == Pattern("strides", 35 * MIB + 64 * KIB, 5 * MIB, 64 * KIB)


def test_slices_from_the_last_to_the_first() -> None:
    told = pattern(*((n * 5 * MIB, 64 * KIB) for n in range(40, 30, -1)))
    assert (told.kind, told.distance) == ("strides", -5 * MIB)


def test_here_and_there() -> None:
    dice = random.Random(3)
    told = pattern(*((dice.randrange(250 * MIB) // 4096 * 4096, 4 * KIB) for _ in range(30)))
    assert told.kind == "random"
    assert pattern((90 * MIB, 4 * KIB)).kind == "random"


def test_a_look_changes_nothing() -> None:
    quiet, asked = WindowPolicy(64 * MIB), WindowPolicy(64 * MIB)
    for at in range(0, 8 * MIB, 128 * KIB):
        planned = quiet.on_read(at, 128 * KIB, SHARE)
        asked.pattern()
        assert asked.on_read(at, 128 * KIB, SHARE) == planned
