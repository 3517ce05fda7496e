"""Readahead across files, replayed from traces of what walks open."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from mountnd.vfs.prefetch.pattern import Path
from mountnd.vfs.prefetch.sequence import (
    FIRST_AHEAD,
    KINDS,
    MAX_AHEAD,
    MISSES_TOLERATED,
    OPENS_NEEDED,
    PASSED_KEPT,
    PLACES_SEARCHED,
    SMALL,
    UNKNOWN_SEARCHED,
    WHOLE_BUDGET,
    SequencePolicy,
)

from .trees import Tree, bids, parts


def walk(policy: SequencePolicy, opens: Sequence[str], size: int = 4000, whole: bool = True) -> tuple[int, set[Path]]:
    """Replay; returns (opens that had been fetched ahead, everything fetched)."""
    fetched: set[Path] = set()
    hits = 0
    for text in opens:
        path = parts(text)
        hits += path in fetched
        fetched |= {w.path for w in policy.opened(path, size).predicted}
        policy.closed(path, size, size if whole else 1000)
    return hits, fetched


def test_a_walk_over_subjects_is_fetched_ahead_and_nothing_else() -> None:
    """The header of each subject's first session, run 0: other sessions and runs are not fetched."""
    all_files = bids(200)
    opens = [f for f in all_files if "ses-0" in f and "run-0" in f and f.endswith(".json")]
    hits, fetched = walk(SequencePolicy(Tree(all_files)), opens)
    assert hits == len(opens) - OPENS_NEEDED
    assert fetched <= {parts(f) for f in opens}


def test_a_walk_over_everything_of_a_kind_is_fetched_ahead() -> None:
    all_files = bids(40)
    opens = [f for f in all_files if f.endswith(".json")]
    hits, fetched = walk(SequencePolicy(Tree(all_files)), opens)
    assert hits >= len(opens) - 4 * OPENS_NEEDED  # each new moving part is learned when it first moves
    assert fetched <= {parts(f) for f in opens}


def test_eight_threads_a_little_out_of_order() -> None:
    all_files = bids(60, runs=1)
    opens = [f for f in all_files if f.endswith(".json")]
    mixed = [opens[i + j] for i in range(0, len(opens) - 8, 8) for j in (3, 0, 5, 1, 2, 7, 4, 6)]
    hits, _ = walk(SequencePolicy(Tree(all_files)), mixed)
    assert hits > 0.8 * len(mixed)


def test_random_opens_earn_almost_nothing() -> None:
    import random

    all_files = [f for f in bids(100) if f.endswith(".json")]
    rng = random.Random(7)
    opens = rng.sample(all_files, 100)
    _, fetched = walk(SequencePolicy(Tree(all_files)), opens)
    assert len(fetched) < 100


def test_a_broken_pattern_ends_the_predictions() -> None:
    tree = Tree([f"a/f_{i:04d}.nii" for i in range(2000)])
    policy = SequencePolicy(tree)
    walk(policy, [f"a/f_{i:04d}.nii" for i in range(20)])
    far = [f"a/f_{i:04d}.nii" for i in range(1990, 300, -130)]
    _, fetched = walk(policy, far)
    assert len(fetched) <= 2 * MAX_AHEAD


@pytest.mark.parametrize(
    ("size", "whole", "expect"), [(SMALL, False, True), (SMALL + 1, False, False), (10 << 20, True, True)]
)
def test_heads_or_whole_files_are_fetched(size: int, whole: bool, expect: bool) -> None:
    policy = SequencePolicy(Tree([f"f_{i:04d}.nii.gz" for i in range(100)]))
    for i in range(10):
        wanted = policy.opened((f"f_{i:04d}.nii.gz",), size).predicted
        policy.closed((f"f_{i:04d}.nii.gz",), size, size if whole else 16384)
        if i >= OPENS_NEEDED:
            assert all(w.whole == expect for w in wanted)


def test_whole_files_stay_in_their_budget() -> None:
    size = 10 << 20
    policy = SequencePolicy(Tree([f"f_{i:04d}.nii.gz" for i in range(100)]))
    outstanding = 0
    for i in range(50):
        outstanding += size * len(policy.opened((f"f_{i:04d}.nii.gz",), size).predicted)
        policy.closed((f"f_{i:04d}.nii.gz",), size, size)
        outstanding = max(0, outstanding - size)
        assert outstanding <= WHOLE_BUDGET + size


def test_directories_not_known_are_not_asked_for() -> None:
    tree = Tree(bids(10))
    tree.unknown = {("sub-005", "ses-0", "func"), ("sub-007", "ses-0", "func")}
    opens = [f for f in bids(5) if "ses-0" in f and "run-0" in f and f.endswith(".json")]
    _, fetched = walk(SequencePolicy(tree), opens)
    assert {p[0] for p in fetched} == {"sub-003", "sub-004", "sub-006", "sub-008", "sub-009"}


def test_opening_a_file_again_predicts_nothing_new() -> None:
    policy = SequencePolicy(Tree([f"f_{i:04d}.nii" for i in range(100)]))
    for i in range(4):
        policy.opened((f"f_{i:04d}.nii",), 100)
    assert not policy.opened(("f_0003.nii",), 100).predicted


def flat(numbers: Sequence[int]) -> list[Path]:
    return [("a", f"f_{i:04d}.nii") for i in numbers]


def replay(policy: SequencePolicy, paths: Sequence[Path]) -> tuple[list[Path], list[Path]]:
    """All that was wanted and all that was given up."""
    wanted, dropped = [], []
    for path in paths:
        decision = policy.opened(path, 100)
        wanted += [w.path for w in decision.predicted]
        dropped += decision.dropped
    return wanted, dropped


def walked(files: int = 2000) -> tuple[SequencePolicy, set[Path]]:
    """A policy that has come to the 20th file of a directory, and what it has predicted beyond."""
    policy = SequencePolicy(Tree(["/".join(p) for p in flat(range(files))]))
    wanted, dropped = replay(policy, flat(range(20)))
    assert not dropped
    return policy, set(wanted) - set(flat(range(20)))


def test_a_broken_pattern_drops_what_was_predicted_and_not_opened() -> None:
    policy, coming = walked()
    assert coming == set(flat(range(20, 20 + MAX_AHEAD)))
    _, dropped = replay(policy, flat(range(1000, 1000 + 100 * MISSES_TOLERATED, 100)))
    assert not dropped
    _, dropped = replay(policy, flat([1950]))
    assert set(dropped) == coming and len(dropped) == len(coming)


def test_what_the_walk_passes_by_is_dropped() -> None:
    policy, coming = walked()
    _, dropped = replay(policy, flat([20 + PASSED_KEPT]))
    assert not dropped
    _, dropped = replay(policy, flat([20 + PASSED_KEPT + 10]))
    assert dropped == flat(range(20, 29))
    assert set(dropped) < coming


def test_each_prediction_is_made_once_and_ends_once() -> None:
    """What owns a prefetch must neither leak nor be cancelled twice."""
    import random

    rng = random.Random(5)
    policy = SequencePolicy(Tree(["/".join(p) for p in flat(range(3000))]))
    at, believed = 0, set()
    for _ in range(4000):
        at = rng.randrange(3000) if rng.random() < 0.02 else (at + rng.choice([1, 1, 1, 1, 2, 5, 30])) % 3000
        (path,) = flat([at])
        decision = policy.opened(path, 100)
        believed.discard(path)
        assert believed.issuperset(decision.dropped) and len(set(decision.dropped)) == len(decision.dropped)
        believed -= set(decision.dropped)
        assert believed.isdisjoint(w.path for w in decision.predicted)
        believed |= {w.path for w in decision.predicted}
        assert len(believed) <= MAX_AHEAD


def test_a_kind_that_is_forgotten_drops_its_predictions() -> None:
    policy, coming = walked()
    dropped: list[Path] = []
    for i in range(KINDS):
        dropped += policy.opened((f"x_{'abcdefghijklmnopqrstuvwxyz'[i % 26] * (1 + i // 26)}.txt",), 10).dropped
    assert set(dropped) == coming


def test_predictions_that_fail_take_more_opens_each_time() -> None:
    import random

    paths = flat(range(2000))
    policy = SequencePolicy(Tree(["/".join(p) for p in paths]))
    order = random.Random(11).sample(paths, 1000)
    wanted, dropped = replay(policy, order)
    assert len(wanted) <= 10 * FIRST_AHEAD
    assert len(dropped) >= len(wanted) - FIRST_AHEAD
    again, _ = replay(policy, paths[:400])  # and a walk in order is found again
    assert len(again) > 100


def test_a_walk_that_takes_less_than_was_thought_leaves_the_rest_alone() -> None:
    """All runs of ten subjects, and from then on only the first of each: the second is not fetched for long."""
    files = [f for f in bids(200, sessions=1) if f.endswith(".json")]
    policy = SequencePolicy(Tree(files))
    replay(policy, [parts(f) for f in files[:20]])
    wanted, _ = replay(policy, [parts(f) for f in files[20::2]])
    assert sum("run-1" in p[-1] for p in wanted) <= MAX_AHEAD
    assert sum("run-0" in p[-1] for p in wanted) >= 180 - MAX_AHEAD


def test_the_way_to_the_next_file_is_not_looked_at_all_at_once() -> None:
    """The file that moves lies in three directories at the front only: one open must not look through thousands."""
    files = [f"sub-{s:04d}/perf/sub-{s:04d}_asl.json" for s in range(3)]
    files += [f"sub-{s:04d}/perf/sub-{s:04d}_m0.json" for s in range(5000)]
    tree = Tree(files)
    policy = SequencePolicy(tree)
    for text in files[:3]:
        before = tree.asked
        assert not policy.opened(parts(text), 100).predicted
        assert tree.asked - before <= PLACES_SEARCHED + 2


def test_directories_not_known_yet_are_looked_at_again_when_they_are() -> None:
    tree = Tree(bids(2000, sessions=1, runs=1))
    opens = [parts(f) for f in bids(40, sessions=1, runs=1) if f.endswith(".json")]
    tree.unknown = {(f"sub-{s:03d}", "ses-0", "func") for s in range(8, 2000)}
    policy = SequencePolicy(tree)
    wanted, _ = replay(policy, opens[:5])
    assert {p[0] for p in wanted} == {f"sub-{s:03d}" for s in range(3, 8)}
    assert tree.asked <= 2 * (UNKNOWN_SEARCHED + FIRST_AHEAD) + 8
    tree.unknown.clear()
    wanted, _ = replay(policy, opens[5:8])
    assert len(wanted) >= FIRST_AHEAD
