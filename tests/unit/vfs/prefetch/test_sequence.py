"""Readahead across files, replayed from traces of what walks open."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest

from mountnd.vfs.prefetch.pattern import Path
from mountnd.vfs.prefetch.sequence import (
    FIRST_AHEAD,
    HEAD_BYTES,
    KINDS,
    MAX_AHEAD,
    MISSES_TOLERATED,
    OPENS_NEEDED,
    OPENS_NEEDED_MAX,
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


# -- number by number


def test_the_numbers() -> None:
    """They were measured; a change of one must be meant."""
    assert (OPENS_NEEDED, OPENS_NEEDED_MAX) == (3, 192)
    assert (FIRST_AHEAD, MAX_AHEAD) == (8, 64)
    assert (WHOLE_BUDGET, SMALL, HEAD_BYTES) == (48 << 20, 256 << 10, 64 << 10)
    assert (MISSES_TOLERATED, PASSED_KEPT, KINDS, PLACES_SEARCHED, UNKNOWN_SEARCHED) == (8, 16, 64, 64, 16)


def a_directory(files: int = 2000) -> SequencePolicy:
    return SequencePolicy(Tree(["/".join(p) for p in flat(range(files))]))


def opened(policy: SequencePolicy, *numbers: int, size: int = 100) -> list[Path]:
    """What is predicted at the last of these opens."""
    for path in flat(numbers):
        decision = policy.opened(path, size)
    return [p.path for p in decision.predicted]


def test_the_first_prediction_and_its_doubling() -> None:
    policy = a_directory()
    assert [opened(policy, n) for n in (0, 1)] == [[], []]
    assert opened(policy, 2) == flat(range(3, 11))
    assert opened(policy, 3) == flat(range(11, 20))
    assert opened(policy, 4) == flat(range(20, 37))
    assert opened(policy, 5) == flat(range(37, 70))
    assert opened(policy, 6) == flat([70])
    assert opened(policy, 7) == flat([71])


def test_a_file_counts_once_however_often_it_is_opened() -> None:
    policy = a_directory()
    assert not opened(policy, 0, 0, 1, 0, 1)
    assert opened(policy, 2) == flat(range(3, 11))
    assert not opened(policy, 2, 1, 0)
    assert opened(policy, 3) == flat(range(11, 20)), "nor was it a miss"
    again = a_directory()
    assert not opened(again, *range(0, 60, 10), 0), "after six others it is an open as any"


@pytest.mark.parametrize("size", [1600, 10 << 20, (10 << 20) + 15])
def test_a_file_read_but_for_a_sixteenth_was_read_whole(size: int) -> None:
    """Two of them in a row; one that was not begins anew."""
    large = 10 << 20

    def whole(*stops: int) -> bool:
        policy = a_directory()
        for n in range(3):
            decision = policy.opened(*flat([n]), large)
        for stop in stops:
            policy.closed(("a", "f_0000.nii"), size, stop)
        decision = policy.opened(("a", "f_0003.nii"), large)
        assert len({p.whole for p in decision.predicted}) <= 1
        policy.opened(("a", "f_0004.nii"), large)
        policy.opened(("a", "f_0005.nii"), large)
        for n in range(6, 40):
            decision = policy.opened(*flat([n]), large)
            if decision.predicted:
                assert {p.stop for p in decision.predicted} in ({None}, {HEAD_BYTES})
                return decision.predicted[0].whole
        raise AssertionError("nothing was predicted")

    enough, short = size - (size >> 4), size - (size >> 4) - 1
    assert not whole() and not whole(enough)
    assert whole(enough, enough) and whole(size, enough, size, size)
    assert not whole(short, short, short)
    assert not whole(enough, enough, short) and not whole(enough, enough, enough, enough, short, enough)
    assert whole(enough, short, enough, enough)


@pytest.mark.parametrize(
    ("size", "files"), [(SMALL + 1, 64), (10 << 20, 4), (24 << 20, 2), (25 << 20, 1), (1 << 30, 1)]
)
def test_so_many_whole_files_of_a_size_are_ahead(size: int, files: int) -> None:
    policy, coming = a_directory(), set()
    for n in range(40):
        (path,) = flat([n])
        coming.discard(path)
        decision = policy.opened(path, size)
        coming |= {p.path for p in decision.predicted if p.whole}
        policy.closed(path, size, size)
        if n == 30:
            assert len(coming) == files


def test_a_hit_forgives_the_misses_before_it() -> None:
    policy, coming = walked()
    far = range(1000, 2000, 20)
    _, dropped = replay(policy, flat(far[:MISSES_TOLERATED]))
    assert not dropped
    assert ("a", "f_0020.nii") in coming
    _, dropped = replay(policy, flat([20, *far[8 : 8 + MISSES_TOLERATED]]))
    assert not dropped
    _, dropped = replay(policy, flat([far[40]]))
    assert len(dropped) == MAX_AHEAD


def fail(policy: SequencePolicy, seed: int) -> None:
    """As many opens as end a sequence, nowhere near each other."""
    rng = random.Random(seed)
    for n in rng.sample(range(1000, 100_000), MISSES_TOLERATED + 1):
        opened(policy, n)


def opens_until_predicted(policy: SequencePolicy, first: int) -> int:
    return next(n for n in range(1, 1000) if opened(policy, first + n))


def test_each_failure_doubles_what_is_needed_up_to_a_limit_and_each_hit_halves_it() -> None:
    policy = SequencePolicy(Tree(["/".join(p) for p in flat(range(20_000))]))
    assert opens_until_predicted(policy, 0) == 3
    needed = []
    for n in range(8):
        fail(policy, n)  # the last of them counts already
        needed.append(1 + opens_until_predicted(policy, 1000 * (n + 1)))
    assert needed == [6, 12, 24, 48, 96, 192, 192, 192]
    assert opened(policy, *(8000 + 192 + n for n in range(3)))  # three hits: 24 would do
    fail(policy, 20)
    assert 1 + opens_until_predicted(policy, 9000) == 48
    opened(policy, *range(9000 + 48, 9000 + 60))
    fail(policy, 21)
    assert 1 + opens_until_predicted(policy, 10_000) == 6


def test_only_the_last_open_counts_after_a_failure() -> None:
    policy, _ = walked()
    opened(policy, *range(1000, 1000 + 100 * (MISSES_TOLERATED + 1), 100))
    assert [bool(opened(policy, 1800 + n)) for n in range(1, 6)] == [False] * 4 + [True]
    assert opened(policy, 1806), "eight, and then twice as many"


@pytest.mark.parametrize(("between", "found"), [(PLACES_SEARCHED - 1, True), (PLACES_SEARCHED, False)])
def test_how_far_one_open_searches(between: int, found: bool) -> None:
    others = [f"a/f_0004.{n:03d}" for n in range(between)]
    files = ["/".join(p) for p in flat([0, 1, 2, 3, 5, 6])]
    policy = SequencePolicy(Tree(files + others))
    predicted = opened(policy, 0, 1, 2)
    assert predicted == flat([3, 5, 6] if found else [3])
    assert opened(policy, 3) == ([] if found else flat([5, 6])), "the next one goes on from there"


def test_at_the_end_it_looks_again_once_half_is_opened() -> None:
    tree = Tree(["/".join(p) for p in flat(range(10))])
    policy = SequencePolicy(tree)
    assert opened(policy, 0, 1, 2) == flat(range(3, 10))
    tree.hold(["/".join(p) for p in flat(range(13))])
    asked = tree.asked
    assert [opened(policy, n) for n in (3, 4, 5)] == [[], [], []]
    assert tree.asked == asked
    assert opened(policy, 6) == flat([10, 11, 12])
    assert tree.asked > asked


@pytest.mark.parametrize(("unknown", "found"), [(UNKNOWN_SEARCHED, True), (UNKNOWN_SEARCHED + 1, False)])
def test_how_many_unknown_directories_it_looks_past(unknown: int, found: bool) -> None:
    tree = Tree([f"{n:03d}/x.nii" for n in range(60)])
    tree.unknown = {(f"{n:03d}",) for n in range(3, 3 + unknown)}
    policy = SequencePolicy(tree)
    for n in range(3):
        decision = policy.opened((f"{n:03d}", "x.nii"), 100)
    expect = [(f"{n:03d}", "x.nii") for n in range(3 + unknown, 3 + unknown + FIRST_AHEAD)] if found else []
    assert [p.path for p in decision.predicted] == expect


@pytest.mark.parametrize(("others", "kept"), [(KINDS - 1, True), (KINDS, False)])
def test_how_many_kinds_are_remembered(others: int, kept: bool) -> None:
    policy, coming = walked()
    dropped: list[Path] = []
    for n in range(others):
        dropped += policy.opened((*"x" * (n + 3), "y.txt"), 10).dropped
    assert set(dropped) == (set() if kept else coming)
    policy, coming = walked()
    for n in range(2 * others):
        assert not policy.opened((*"x" * (n + 3), "y.txt"), 10).dropped
        opened(policy, 20 + n)  # it was used last


def test_the_last_open_before_a_failure_stays_known() -> None:
    """Opened again it counts no second time, while the ones before it would."""
    policy, _ = walked()
    opened(policy, *range(1000, 1000 + 100 * (MISSES_TOLERATED + 1), 100))
    assert not opened(policy, 1800, 1800)
    assert [bool(opened(policy, 1800 + n)) for n in range(1, 6)] == [False] * 4 + [True]
    policy, _ = walked()
    opened(policy, *range(1000, 1000 + 100 * (MISSES_TOLERATED + 1), 100))
    assert [bool(opened(policy, n)) for n in (1700, 1801, 1802, 1803, 1804)] == [False] * 4 + [True]
