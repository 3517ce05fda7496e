"""How much of a file programs read, by what they read of others that end alike."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from mountnd.vfs.prefetch.habits import ENDINGS, FILES, HEAD_BYTES, PART_BYTES, Habits

from .trees import parts

SMALL = 256 << 10
LARGE = 10 << 20
ASKED = parts("sub-09/sub-09_bold.nii.gz")


def habits(*readings: tuple[int, int, int], name: str = "a_bold.nii.gz") -> Habits:
    """After files were closed: size, up to which byte, how many bytes."""
    learnt = Habits(lambda: SMALL)
    for size, stop, read in readings:
        learnt.closed((name,), size, stop, read)
    return learnt


def test_the_numbers() -> None:
    assert (HEAD_BYTES, PART_BYTES, FILES, ENDINGS) == (64 << 10, 1 << 20, 2, 256)


@pytest.mark.parametrize("closed", range(FILES))
@pytest.mark.parametrize(
    ("size", "expect"), [(0, 0), (1, 1), (SMALL, SMALL), (SMALL + 1, HEAD_BYTES), (LARGE, HEAD_BYTES)]
)
def test_before_enough_were_closed_small_files_are_whole(closed: int, size: int, expect: int) -> None:
    assert habits(*[(LARGE, LARGE, LARGE)] * closed).wanted(ASKED, size) == expect


def test_what_is_small_is_asked_each_time() -> None:
    small = SMALL
    learnt = Habits(lambda: small)
    assert learnt.wanted(ASKED, SMALL) == SMALL
    small = SMALL - 1
    assert learnt.wanted(ASKED, SMALL) == HEAD_BYTES


@pytest.mark.parametrize("size", [1600, LARGE, LARGE + 15])
def test_a_file_read_but_for_a_sixteenth_was_read_whole(size: int) -> None:
    def whole(*reads: int) -> bool:
        return habits(*[(size, size, read) for read in reads]).wanted(ASKED, LARGE) == LARGE

    enough, short = size - (size >> 4), size - (size >> 4) - 1
    assert not whole() and not whole(enough)
    assert whole(enough, enough) and whole(size, enough, size, size)
    assert not whole(short, short) and not whole(enough, enough, short) and not whole(short, enough)
    assert whole(enough, short, enough, enough), "the last two count"


@pytest.mark.parametrize(
    ("readings", "size", "expect"),
    [
        ([(LARGE, 16384, 16384)] * 2, LARGE, HEAD_BYTES),
        ([(LARGE, 16384, 16384)] * 2, 1000, 1000),
        ([(LARGE, 16384, 16384)] * 2, SMALL, HEAD_BYTES),
        ([(LARGE, 300_000, 300_000)] * 2, LARGE, 300_000),
        ([(LARGE, 300_000, 300_000), (LARGE, 200_000, 200_000)], LARGE, 200_000),
        ([(LARGE, 300_000, 300_000), (LARGE, LARGE, LARGE)], LARGE, 300_000),
        ([(LARGE, LARGE // 2, LARGE // 2)] * 2, LARGE, PART_BYTES),
        ([(LARGE, LARGE, 80_000)] * 2, LARGE, 80_000),
        ([(LARGE, LARGE, 80_000)] * 2, SMALL, SMALL),
        ([(LARGE, HEAD_BYTES, HEAD_BYTES)] * 2, SMALL, HEAD_BYTES),
        ([(LARGE, HEAD_BYTES + 1, 10), (LARGE, 10, 10)], SMALL, SMALL),
        ([(LARGE, 50_000, 90_000_000)] * 2, LARGE, HEAD_BYTES),  # the same bytes again and again
    ],
    ids=str,
)
def test_as_much_as_the_last_two_had(readings: Sequence[tuple[int, int, int]], size: int, expect: int) -> None:
    assert habits(*readings).wanted(ASKED, size) == expect


def test_files_that_end_alike_come_before_those_with_the_extension() -> None:
    learnt = habits(*[(LARGE, LARGE, LARGE)] * 2)
    for _ in range(2):
        learnt.closed(("b_T1w.nii.gz",), LARGE, 1000, 1000)
    assert learnt.wanted(("c_bold.nii.gz",), LARGE) == LARGE
    assert learnt.wanted(("c_T1w.nii.gz",), LARGE) == HEAD_BYTES
    assert learnt.wanted(("c_dwi.nii.gz",), LARGE) == HEAD_BYTES, "as the last two with this extension"
    assert learnt.wanted(("c_bold.nii",), LARGE) == HEAD_BYTES, "nothing is known of these"


@pytest.mark.parametrize(("others", "known"), [(ENDINGS - 2, True), (ENDINGS - 1, False)])
def test_only_so_many_endings_are_remembered(others: int, known: bool) -> None:
    """The ending goes first, the extension last."""
    learnt = habits(*[(LARGE, LARGE, LARGE)] * 2)
    for n in range(others):
        learnt.closed((f"a_{'x' * (n + 1)}.txt",), 10, 10, 10)  # one ending more each, and one extension for all
    assert learnt.wanted(("b_bold.nii.gz",), LARGE) == (LARGE if known else HEAD_BYTES)


def test_what_was_closed_last_is_remembered_longest() -> None:
    learnt = habits(*[(LARGE, LARGE, LARGE)] * 2)
    for n in range(2 * ENDINGS):
        learnt.closed((f"a_{'x' * (n + 1)}.txt",), 10, 10, 10)
        learnt.closed(("a_bold.nii.gz",), LARGE, LARGE, LARGE)
    assert learnt.wanted(("b_bold.nii.gz",), LARGE) == LARGE


@pytest.mark.parametrize(("closed", "worth"), [(0, 256 << 10), (1, 256 << 10), (2, 64 << 10)])
def test_a_first_read_of_what_is_compressed_brings_what_costs_little_until_headers_prove_to_be_all(
    closed: int, worth: int
) -> None:
    habits = Habits(lambda: 256 << 10)
    for n in range(closed):
        habits.closed((f"{n}_bold.nii.gz",), 10 << 20, 16384, 16384)
    assert habits.worth(("9_bold.nii.gz",), 10 << 20) == worth
    assert habits.worth(("9_bold.nii.gz",), 1000) == 1000


def test_a_first_read_of_anything_else_brings_a_header() -> None:
    habits = Habits(lambda: 256 << 10)
    assert habits.worth(("9_bold.nii",), 10 << 20) == HEAD_BYTES
    assert habits.worth(("9_bold.nii",), 100_000) == 100_000
