"""Readahead across files, replayed from traces of what walks open."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from mountnd.vfs.pattern import Moving, Name, kind, learn, successors
from mountnd.vfs.sweep import EARNED, MOST, SMALL, WHOLE_BUDGET, Sweep

Path = tuple[str, ...]


class Tree:
    """`children` over a set of paths; counts look-ups."""

    def __init__(self, paths: Sequence[str]) -> None:
        self.dirs: dict[Path, dict[str, bool]] = {(): {}}
        for text in paths:
            parts = tuple(text.split("/"))
            for i in range(len(parts)):
                self.dirs.setdefault(parts[:i], {})[parts[i]] = i < len(parts) - 1
        self.unknown: set[Path] = set()

    def __call__(self, path: Path) -> list[Name] | None:
        if path in self.unknown or path not in self.dirs:
            return None
        return sorted((Name(n, d) for n, d in self.dirs[path].items()), key=Name.order)


def bids(subjects: int, sessions: int = 3, runs: int = 2) -> list[str]:
    return [
        f"sub-{s:03d}/ses-{e}/func/sub-{s:03d}_ses-{e}_task-rest_run-{r}_bold.{x}"
        for s in range(subjects)
        for e in range(sessions)
        for r in range(runs)
        for x in ("json", "nii.gz")
    ]


def parts(text: str) -> Path:
    return tuple(text.split("/"))


def test_a_kind_is_depth_and_ending() -> None:
    assert kind(parts("a/sub-01_T1w.nii.gz")) == kind(parts("b/sub-02_ses-9_T1w.nii.gz"))
    assert kind(parts("a/sub-01_T1w.nii.gz")) != kind(parts("a/sub-01_T2w.nii.gz"))
    assert kind(parts("a/sub-01_bold.json")) != kind(parts("a/sub-01_bold.nii"))
    assert kind(parts("img_00.nii")) == kind(parts("img_99.nii"))
    assert kind(parts("alpha.mgz")) == kind(parts("beta.mgz"))
    assert kind(parts("x/alpha.mgz")) != kind(parts("beta.mgz"))


def test_a_subjects_name_in_the_files_name_moves_with_the_directory() -> None:
    a, b = parts("sub-01/anat/sub-01_T1w.nii"), parts("sub-02/anat/sub-02_T1w.nii")
    assert learn([a, b]) == Moving(frozenset({0}), frozenset())


def test_successors_keep_what_does_not_move() -> None:
    tree = Tree(bids(4))
    at = parts("sub-001/ses-1/func/sub-001_ses-1_task-rest_run-0_bold.json")
    subjects = list(successors(tree, at, Moving(frozenset({0}), frozenset())))
    assert [p[0] for p in subjects] == ["sub-002", "sub-003"]
    assert {p[1] for p in subjects} == {"ses-1"}
    both = list(successors(tree, at, Moving(frozenset({0, 1}), frozenset())))
    assert [p[:2] for p in both] == [
        ("sub-001", "ses-2"),
        *[(f"sub-00{s}", f"ses-{e}") for s in (2, 3) for e in range(3)],
    ]
    runs = list(successors(tree, at, Moving(frozenset(), frozenset({3}))))
    assert [p[-1] for p in runs] == ["sub-001_ses-1_task-rest_run-1_bold.json"]


def walk(sweep: Sweep, opens: Sequence[str], size: int = 4000, whole: bool = True) -> tuple[int, set[Path]]:
    """Replay; returns (opens that had been fetched ahead, everything fetched)."""
    fetched: set[Path] = set()
    hits = 0
    for text in opens:
        path = parts(text)
        hits += path in fetched
        fetched |= {w.path for w in sweep.opened(path, size)}
        sweep.closed(path, size, size if whole else 1000)
    return hits, fetched


def test_a_walk_over_subjects_is_fetched_ahead_and_nothing_else() -> None:
    """The header of each subject's first session, run 0: other sessions and runs are not fetched."""
    all_files = bids(200)
    opens = [f for f in all_files if "ses-0" in f and "run-0" in f and f.endswith(".json")]
    hits, fetched = walk(Sweep(Tree(all_files)), opens)
    assert hits == len(opens) - EARNED
    assert fetched <= {parts(f) for f in opens}


def test_a_walk_over_everything_of_a_kind_is_fetched_ahead() -> None:
    all_files = bids(40)
    opens = [f for f in all_files if f.endswith(".json")]
    hits, fetched = walk(Sweep(Tree(all_files)), opens)
    assert hits >= len(opens) - 4 * EARNED  # each new moving part is learned when it first moves
    assert fetched <= {parts(f) for f in opens}


def test_eight_threads_a_little_out_of_order() -> None:
    all_files = bids(60, runs=1)
    opens = [f for f in all_files if f.endswith(".json")]
    mixed = [opens[i + j] for i in range(0, len(opens) - 8, 8) for j in (3, 0, 5, 1, 2, 7, 4, 6)]
    hits, _ = walk(Sweep(Tree(all_files)), mixed)
    assert hits > 0.8 * len(mixed)


def test_random_opens_earn_almost_nothing() -> None:
    import random

    all_files = [f for f in bids(100) if f.endswith(".json")]
    rng = random.Random(7)
    opens = rng.sample(all_files, 100)
    _, fetched = walk(Sweep(Tree(all_files)), opens)
    assert len(fetched) < 100


def test_a_broken_pattern_stops_the_sweep() -> None:
    tree = Tree([f"a/f_{i:04d}.nii" for i in range(2000)])
    sweep = Sweep(tree)
    walk(sweep, [f"a/f_{i:04d}.nii" for i in range(20)])
    far = [f"a/f_{i:04d}.nii" for i in range(1990, 300, -130)]
    _, fetched = walk(sweep, far)
    assert len(fetched) <= 2 * MOST


@pytest.mark.parametrize(
    ("size", "whole", "expect"), [(SMALL, False, True), (SMALL + 1, False, False), (10 << 20, True, True)]
)
def test_starts_or_wholes(size: int, whole: bool, expect: bool) -> None:
    sweep = Sweep(Tree([f"f_{i:04d}.nii.gz" for i in range(100)]))
    for i in range(10):
        wanted = sweep.opened((f"f_{i:04d}.nii.gz",), size)
        sweep.closed((f"f_{i:04d}.nii.gz",), size, size if whole else 16384)
        if i >= EARNED:
            assert all(w.whole == expect for w in wanted)


def test_wholes_stay_in_their_budget() -> None:
    size = 10 << 20
    sweep = Sweep(Tree([f"f_{i:04d}.nii.gz" for i in range(100)]))
    outstanding = 0
    for i in range(50):
        outstanding += size * len(sweep.opened((f"f_{i:04d}.nii.gz",), size))
        sweep.closed((f"f_{i:04d}.nii.gz",), size, size)
        outstanding = max(0, outstanding - size)
        assert outstanding <= WHOLE_BUDGET + size


def test_directories_not_known_are_not_asked_for() -> None:
    tree = Tree(bids(10))
    tree.unknown = {("sub-005", "ses-0", "func"), ("sub-007", "ses-0", "func")}
    opens = [f for f in bids(5) if "ses-0" in f and "run-0" in f and f.endswith(".json")]
    _, fetched = walk(Sweep(tree), opens)
    assert {p[0] for p in fetched} == {"sub-003", "sub-004", "sub-006", "sub-008", "sub-009"}


def test_opening_a_file_again_guesses_nothing_new() -> None:
    sweep = Sweep(Tree([f"f_{i:04d}.nii" for i in range(100)]))
    for i in range(4):
        sweep.opened((f"f_{i:04d}.nii",), 100)
    assert sweep.opened(("f_0003.nii",), 100) == []
