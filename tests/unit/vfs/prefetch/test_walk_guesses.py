"""Walks that are guessed at their first open: the first file of its kind in a directory that was listed just now."""

from __future__ import annotations

import pytest

from mountnd.vfs.prefetch.walks import GUESSED_FILES, GUESSES, NAMES_BEFORE

from .replays import Replay
from .trees import Tree, parts

RUNS = [f"nwb/sub-{n:02d}/sub-{n:02d}_ecephys.nwb" for n in range(12)]


def after_listing(paths: list[str], *listed: str) -> Replay:
    at = Replay(Tree(paths))
    for place in listed:
        at.tree.list(parts(place) if place else ())
    return at


def test_the_first_file_of_a_directory_that_was_listed_brings_the_next_ones() -> None:
    at = after_listing([f"a/f{n:02d}.json" for n in range(20)], "", "a")
    assert at.open(parts("a/f00.json")) == [parts(f"a/f{n:02d}.json") for n in range(1, 1 + GUESSED_FILES)]
    assert at.open(parts("a/f01.json"))  # it goes on from there
    assert not at.dropped


def test_who_listed_all_directories_first_reads_those_of_the_others_too() -> None:
    at = after_listing(RUNS, "nwb", *(path.rpartition("/")[0] for path in RUNS))
    for path in RUNS:
        at.open(parts(path))
    assert (at.hits, at.misses) == (len(RUNS) - 1, 1)


def test_inside_one_directory_it_is_not_known_which_one_comes_next() -> None:
    at = after_listing([*RUNS, "nwb/sub-00/sub-00_z.nwb"], "nwb", "nwb/sub-00")
    assert at.open(parts(RUNS[0])) == [parts("nwb/sub-00/sub-00_z.nwb")]


NONE_OF_THEM: dict[str, tuple[list[str], str]] = {
    "nobody listed it": ([], "a/f00.json"),
    "another one was listed": (["b"], "a/f00.json"),
    "it is not the first": (["a"], "a/f01.json"),
    "many names come before it": (["c"], "c/z.json"),
}


@pytest.mark.parametrize(("listed", "opened"), NONE_OF_THEM.values(), ids=NONE_OF_THEM)
def test_nothing_is_guessed_where(listed: list[str], opened: str) -> None:
    paths = [f"{d}/f{n:02d}.json" for d in "ab" for n in range(20)]
    paths += [f"c/a{n:03d}.txt" for n in range(NAMES_BEFORE + 1)] + ["c/z.json", "c/zz.json"]
    assert after_listing(paths, *listed).open(parts(opened)) == []


def test_files_of_other_kinds_before_it_do_not_matter() -> None:
    at = after_listing(["a/CHANGES", "a/README", "a/x_bold.nii", "a/y_bold.nii"], "a")
    assert at.open(parts("a/x_bold.nii")) == [parts("a/y_bold.nii")]


def test_a_listing_before_the_last_open_is_no_reason() -> None:
    at = after_listing([f"{d}/f{n:02d}.json" for d in "ab" for n in range(20)], "a", "b")
    at.open(parts("b/f10.json"))
    assert at.open(parts("a/f00.json")) == []


def test_a_person_who_looks_here_and_there_is_soon_left_alone() -> None:
    """As long as no guess comes true, only so many are made."""
    places = [400, 0, 700, 200, 800, 100, 600, 300, 500]
    at = after_listing([f"d{d:03d}/f{n:02d}.json" for d in range(900) for n in range(6)])
    for d in places:
        at.tree.list((f"d{d:03d}",))
        at.open((f"d{d:03d}", "f00.json"))
    assert len(at.predicted) == GUESSES * GUESSED_FILES


def test_guesses_that_come_true_allow_more() -> None:
    places = [400, 0, 700, 200, 800, 100, 600, 300, 500]
    at = after_listing([f"d{d:03d}/f{n:02d}.json" for d in range(900) for n in range(2)])
    for d in places:
        at.tree.list((f"d{d:03d}",))
        at.open((f"d{d:03d}", "f00.json"))
        at.open((f"d{d:03d}", "f01.json"))
    assert at.hits == len(places)
