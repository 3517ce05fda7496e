"""The readahead policy's plans, read by read, as they were recorded in `plans.txt`, and its thresholds to the byte."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import pytest

from mountnd.blocks import geometry
from mountnd.blocks.fetch.budget import MAX_GETS, MIN_GETS, Share
from mountnd.blocks.geometry import BLOCK, Extent
from mountnd.blocks.readahead.window import Limits, WindowPolicy

KIB, MIB = 1 << 10, 1 << 20
SIZE = 256 * MIB
SHARE = Share(SIZE, MAX_GETS)

_INTRODUCTION, *_SCENES = (Path(__file__).parent / "plans.txt").read_text().split("# ")
PLANS = {name: lines for name, *lines in (scene.strip().splitlines() for scene in _SCENES)}


def written(extents: Sequence[Extent]) -> Iterator[str]:
    """Extents as they stand in the file."""
    i = 0
    while i < len(extents):
        j = i
        while j + 1 < len(extents) and (extents[j + 1].start, extents[j + 1].size) == (
            extents[j].stop,
            extents[i].size,
        ):
            j += 1
        assert extents[i].start % KIB == extents[j].stop % KIB == 0
        yield f"{extents[i].start // KIB}-{extents[j].stop // KIB}" + (f"/{j - i + 1}" if j > i else "")
        i = j + 1


@pytest.mark.parametrize("name", PLANS)
def test_what_was_recorded_is_planned_again(name: str) -> None:
    head, *lines = PLANS[name]
    size, ahead, gets = map(int, head.removeprefix("= ").split())
    size *= KIB
    policy, held = WindowPolicy(size), set[int]()
    for line in lines:
        if line == "cancel":
            policy.on_cancel()
            continue
        if line == "forget":
            held.clear()
            continue
        offset, n = (int(number) * KIB for number in line.split()[0].split("+"))
        found = f"{offset // KIB}+{n // KIB} "
        if not held.issuperset(range(*geometry.covering(offset, offset + n, size))):
            missing = policy.on_miss(offset, n)
            held.update(range(*geometry.covering(*missing, size)))
            found += f"! {' '.join(written([missing]))} "
        extents = policy.on_read(offset, n, Share(ahead * KIB, gets))
        for extent in extents:
            held.update(range(*geometry.covering(*extent, size)))
        assert f"{found}> {' '.join(written(extents))}".rstrip() == line


def test_the_numbers() -> None:
    """They were measured; a change of one must be meant."""
    assert Limits() == Limits(
        gets=28,
        grow=3,
        piece=512 * KIB,
        piece_first=128 * KIB,
        pieces_first=8,
        piece_max=4 * MIB,
        window_trips=6,
        window_least=2 * MIB,
        tail=128 * KIB,
        streaming=128 * KIB,
        whole=128 * KIB,
        whole_sequential=4 * MIB,
        max_gap=64 * KIB,
        max_back=8 * MIB,
        readers=8,
        usual=8 * MIB,
    )
    assert (MAX_GETS, MIN_GETS) == (28, 4)


def goes_on(*reads: tuple[int, int], size: int = SIZE) -> bool:
    """Whether something is planned at the last of these reads."""
    policy = WindowPolicy(size)
    for offset, n in reads:
        planned = policy.on_read(offset, n, SHARE)
    return bool(planned)


def test_thresholds_to_the_byte() -> None:
    limits = Limits()
    assert goes_on((0, limits.streaming)) and not goes_on((0, limits.streaming - 1))
    assert not goes_on((1, limits.streaming)), "only at the start of an object"
    assert not goes_on((0, MIB), size=MIB) and goes_on((0, MIB), size=MIB + 1)
    start, n = 20 * MIB, 4 * KIB
    stop = start + n
    assert goes_on((start, n), (stop + limits.max_gap, n)) and not goes_on((start, n), (stop + limits.max_gap + 1, n))
    assert goes_on((start, n), (start, n + 1)) and not goes_on((start, n), (start, n)), (
        "reading again is not reading on"
    )
    assert not goes_on((start, n), (start - 1, n + 2)), "before its start it is another reader"
    assert WindowPolicy(limits.whole).on_miss(5, 1) == Extent(0, limits.whole)
    assert WindowPolicy(limits.whole + 1).on_miss(5, 1) == Extent(5, 6)


@pytest.mark.parametrize("late", [0, 1])
def test_how_late_a_read_may_come(late: int) -> None:
    """A reader that is far ahead: what is read 8 MiB behind it is late, what is read before that begins a new one."""
    policy = WindowPolicy(SIZE)
    for at in range(0, 20 * MIB, MIB):
        policy.on_read(at, MIB, SHARE)
    back = 12 * MIB - late
    assert not policy.on_read(back, KIB, SHARE)
    assert bool(policy.on_read(back + KIB, KIB, SHARE)) == bool(late)


@pytest.mark.parametrize(("length", "learned"), [(8 * MIB, True), (8 * MIB + 4 * KIB, False)])
def test_how_long_reads_may_be_for_their_length_to_be_learned(length: int, learned: bool) -> None:
    """Three of them in no order; a fourth is fetched to just that length."""
    policy = WindowPolicy(SIZE)
    for start in (100 * MIB, 30 * MIB, 170 * MIB):
        policy.on_read(start, length - 4 * KIB, SHARE)
        policy.on_read(start + length - 4 * KIB, 4 * KIB, SHARE)
    policy.on_read(60 * MIB, 64 * KIB, SHARE)
    planned = policy.on_read(60 * MIB + 64 * KIB, 64 * KIB, SHARE)
    assert planned[0].start == 60 * MIB + 128 * KIB
    assert planned[-1].stop == 60 * MIB + (length if learned else 640 * KIB)
    assert all(a.stop == b.start for a, b in pairwise(planned))


def test_learned_lengths_end_with_the_share_and_the_object() -> None:
    for share, stop in ((MIB, 250 * MIB + 128 * KIB + MIB), (SIZE, SIZE - MIB)):
        policy = WindowPolicy(SIZE - MIB)
        for start in (100 * MIB, 30 * MIB, 170 * MIB):
            policy.on_read(start, 8 * MIB, Share(share, MAX_GETS))
        policy.on_read(250 * MIB, 64 * KIB, Share(share, MAX_GETS))
        assert policy.on_read(250 * MIB + 64 * KIB, 64 * KIB, Share(share, MAX_GETS))[-1].stop == stop


@pytest.mark.parametrize("share", [BLOCK - 1, BLOCK])
def test_no_piece_is_shorter_than_a_block(share: int) -> None:
    assert bool(WindowPolicy(SIZE).on_read(0, MIB, Share(share, 1))) == (share == BLOCK)


@pytest.mark.parametrize("others", [7, 8])
def test_how_many_readers_are_told_apart(others: int) -> None:
    policy = WindowPolicy(SIZE)
    for i in range(others + 1):
        policy.on_read((1 + i * i) * MIB, 4 * KIB, SHARE)
    assert bool(policy.on_read(MIB + 4 * KIB, 4 * KIB, SHARE)) == (others < 8)


def test_the_reader_read_least_lately_is_forgotten() -> None:
    policy = WindowPolicy(SIZE)
    for i in range(6):
        for start in (200 * MIB, 230 * MIB):
            policy.on_read(start + i * 4 * KIB, 4 * KIB, SHARE)
    for i in range(7):
        policy.on_read((1 + i * i) * MIB, 4 * KIB, SHARE)
    policy.on_cancel()
    assert policy.on_read(230 * MIB + 24 * KIB, MIB, SHARE)
    assert not policy.on_read(200 * MIB + 24 * KIB, MIB, SHARE)


@pytest.mark.parametrize("short", [0, 1])
def test_a_window_doubles_once_a_third_of_it_was_read(short: int) -> None:
    policy = WindowPolicy(SIZE)
    policy.on_read(0, 128 * KIB, SHARE)
    read = 14 * MIB // 3 - short
    planned = policy.on_read(128 * KIB, read, SHARE)
    assert (planned[-1].stop > 25 * MIB) == (not short)


def test_a_reader_that_goes_on_between_jumps_keeps_its_window() -> None:
    policy = WindowPolicy(SIZE)
    for at in range(0, 16 * MIB, MIB):
        policy.on_read(at, MIB, SHARE)
    for i, jump in enumerate((100, 203, 131, 220, 160, 90)):
        policy.on_read(jump * MIB, 4 * KIB, SHARE)
        policy.on_read((16 + i) * MIB, MIB, SHARE)
    policy.on_cancel()
    assert policy.on_read(22 * MIB, MIB, SHARE)[-1].stop >= (23 + 50) * MIB
