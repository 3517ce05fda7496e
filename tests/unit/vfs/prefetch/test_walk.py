"""One walk: what it predicts, when, how far ahead, and how its predictions end."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest

from mountnd.stats import PREFETCHED_IN_SEQUENCE
from mountnd.vfs.prefetch import passed, walk, walks
from mountnd.vfs.prefetch.habits import HEAD_BYTES
from mountnd.vfs.prefetch.names import Path
from mountnd.vfs.prefetch.walk import (
    AHEAD_BYTES,
    DIRECTORIES,
    FILE_BYTES,
    FIRST_BYTES,
    PASSED_KEPT,
    STEPS,
    UNKNOWN_SEARCHED,
)
from mountnd.vfs.prefetch.walks import (
    MISSES_TOLERATED,
    OPENS_NEEDED,
    OPENS_NEEDED_MAX,
    WALKS,
    WalkPolicy,
)

from .replays import FIRST_AHEAD, MAX_AHEAD, Replay, replay
from .trees import Tree, bids, parts

SMALL = 256 << 10


def flat(numbers: Sequence[int]) -> list[Path]:
    return [("a", f"f_{i:04d}.nii") for i in numbers]


def directory(files: int = 2000, size: int = 100) -> Replay:
    return Replay(Tree({"/".join(path): size for path in flat(range(files))}))


def opened(at: Replay, *numbers: int) -> list[Path]:
    """What is predicted at the last of these opens."""
    predicted: list[Path] = []
    for path in flat(numbers):
        predicted = at.open(path)
    return predicted


def walked(files: int = 2000) -> tuple[Replay, set[Path]]:
    """A walk that has come to the 20th file of a directory, and what it has predicted beyond."""
    at = directory(files)
    opened(at, *range(20))
    assert not at.dropped
    return at, set(at.coming)


def test_the_numbers() -> None:
    """They were measured; a change of one must be meant."""
    assert (OPENS_NEEDED, OPENS_NEEDED_MAX, MISSES_TOLERATED) == (3, 192, 8)
    assert (FIRST_AHEAD, MAX_AHEAD) == (8, 64)
    assert (AHEAD_BYTES, FIRST_BYTES, FILE_BYTES) == (48 << 20, 6 << 20, 768 << 10)
    assert (PASSED_KEPT, STEPS, DIRECTORIES, UNKNOWN_SEARCHED) == (16, 512, 64, 16)
    assert (walk.FADING, walk.CHANCE, walk.MUCH, walk.PROVEN, walk.PATIENCE_MIN) == (0.7, 0.5, 2.0, 3.0, 1 / 16)
    assert (walk.STEPS_BACK, walk.BY_CHANCE) == (1, 0.1)
    assert (passed.COUNTED, passed.REMEMBERED, passed.LATE, passed.LATE_MAX) == (2, 256, 2, 8)
    assert (walks.TOGETHER, walks.TOGETHER_MAX, walks.TOGETHER_NEEDED) == (3, 16, 8)
    assert (WALKS, walks.BEGUN_TRIED, walks.OPENED_LATELY) == (8, 3, 128)
    assert (walks.FRUITLESS_MAX, walks.FRUITLESS_REGAINED, walks.LOOKS_IN_A_ROW) == (32, 1 / 32, 4)
    assert (walks.CREDIT, walks.CREDIT_MAX) == (72 << 20, 192 << 20)
    assert (walks.CREDIT_OF_RIGHT, walks.CREDIT_OF_OTHERS) == (1 / 5, 1 / 32)
    assert (walks.GIVEN_UP, walks.LATE) == (64, 1 / 2)


# -- what is fetched ahead


def test_a_walk_over_subjects_is_fetched_ahead_and_nothing_else() -> None:
    """The header of each subject's first session, run 0: other sessions and runs are not fetched."""
    files = bids(200)
    opens = [f for f in files if "ses-0" in f and "run-0" in f and f.endswith(".json")]
    at = replay(files, opens)
    assert at.misses == OPENS_NEEDED
    assert set(at.predicted) <= {parts(f) for f in opens}


def test_a_walk_over_everything_of_a_kind_is_fetched_ahead() -> None:
    files = bids(40)
    opens = [f for f in files if f.endswith(".json")]
    at = replay(files, opens)
    assert at.misses <= 2 * OPENS_NEEDED
    assert set(at.predicted) <= {parts(f) for f in opens}


def test_eight_threads_a_little_out_of_order() -> None:
    files = bids(60, runs=1)
    opens = [f for f in files if f.endswith(".json")]
    mixed = [opens[i + j] for i in range(0, len(opens) - 8, 8) for j in (3, 0, 5, 1, 2, 7, 4, 6)]
    at = replay(files, mixed)
    assert at.hits > 0.9 * len(mixed)
    assert set(at.predicted) <= {parts(f) for f in opens}


def test_a_walk_that_takes_less_than_was_thought_leaves_the_rest_alone() -> None:
    """All runs of ten subjects, and from then on only the first of each: the second is not fetched for long."""
    files = [f for f in bids(200, sessions=1) if f.endswith(".json")]
    at = replay(files, files[:20])
    before = len(at.predicted)
    at.all(files[20::2])
    later = at.predicted[before:]
    assert sum("run-1" in path[-1] for path in later) <= MAX_AHEAD
    assert sum("run-0" in path[-1] for path in later) >= 180 - MAX_AHEAD


def test_files_of_no_bytes_are_not_predicted() -> None:
    files = {f"d/{n:03d}": 0 if n % 2 else 10 for n in range(100)}
    at = replay(files, sorted(files))
    assert {int(path[-1]) % 2 for path in at.predicted} == {0}
    assert at.hits == 50 - 2


@pytest.mark.parametrize(
    ("size", "read", "stop"),
    [
        (SMALL, HEAD_BYTES, None),
        (SMALL, 0, None),
        (SMALL + 1, 16384, HEAD_BYTES),
        (10 << 20, 16384, HEAD_BYTES),
        (10 << 20, 0, HEAD_BYTES),
        (10 << 20, 10 << 20, None),
    ],
)
def test_as_much_of_each_as_programs_read(size: int, read: int, stop: int | None) -> None:
    at = directory(100, size)
    at.stop = read
    for n in range(20):
        opened(at, n)
        if n > 10:
            expect = size if stop is None else min(size, stop)
            if size <= SMALL and 0 < read <= HEAD_BYTES:
                expect = HEAD_BYTES
            assert set(at.coming.values()) == {expect}


# -- when, and how far ahead


def test_the_first_prediction_and_its_doubling() -> None:
    at = directory()
    assert [opened(at, n) for n in (0, 1)] == [[], []]
    assert opened(at, 2) == flat(range(3, 11))
    assert opened(at, 3) == flat(range(11, 20))
    assert opened(at, 4) == flat(range(20, 37))
    assert opened(at, 5) == flat(range(37, 70))
    assert opened(at, 6) == flat([70])
    assert opened(at, 7) == flat([71])


def test_a_walk_that_passes_some_by_looks_half_as_far_ahead() -> None:
    at, _ = walked()
    opened(at, *range(20, 30))
    opened(at, 30 + PASSED_KEPT + 1)
    assert at.dropped == flat([30])
    budgets = [at.policy._walks[-1]._budget]
    for n in range(48, 100):
        opened(at, n)
        assert len(at.coming) <= MAX_AHEAD + PASSED_KEPT
        budgets.append(at.policy._walks[-1]._budget)
    assert budgets[:2] == [AHEAD_BYTES // 2, AHEAD_BYTES]
    assert sum(path > ("a", "f_0099.nii") for path in at.coming) == MAX_AHEAD


def test_a_file_counts_once_however_often_it_is_opened() -> None:
    at = directory()
    assert not opened(at, 0, 0, 1, 0, 1)
    assert opened(at, 2) == flat(range(3, 11))
    assert not opened(at, 2, 1, 0)
    assert opened(at, 3) == flat(range(11, 20)), "nor was it a miss"


def test_opening_a_file_again_predicts_nothing_new() -> None:
    at = directory(100)
    opened(at, 0, 1, 2, 3)
    assert not opened(at, 3)
    assert not opened(at, 0)


@pytest.mark.parametrize(
    ("size", "files"), [(SMALL + 1, 64), (10 << 20, 4), (24 << 20, 2), (25 << 20, 1), (1 << 30, 1)]
)
def test_so_many_whole_files_of_a_size_are_ahead(size: int, files: int) -> None:
    at = directory(size=size)
    for n in range(40):
        opened(at, n)
        assert sum(at.coming.values()) <= max(AHEAD_BYTES, size)
    assert len(at.coming) == files


def test_a_large_file_waits_until_there_is_room_and_comes_in_its_turn() -> None:
    sizes = {f"d/{n:03d}": (40 << 20) if n % 10 == 5 else 1000 for n in range(200)}
    at = Replay(Tree(sizes))
    at.tree.habits.wanted = lambda path, size: size  # type: ignore[method-assign]
    for name in sorted(sizes):
        at.open(parts(name))
        assert sum(max(FILE_BYTES, size) for size in at.coming.values()) <= AHEAD_BYTES + FILE_BYTES
    assert at.misses == OPENS_NEEDED
    assert [path[-1] for path in at.predicted] == sorted(path[-1] for path in at.predicted)


def test_what_another_walk_predicted_is_not_predicted_again() -> None:
    """Two programs over the same files, one behind the other (the books of the replay would not add up)."""
    at = directory()
    for n in range(200):
        opened(at, n)
        opened(at, n + 130 if n < 100 else n + 700)
    assert at.hits > 350


# -- how predictions end


def test_a_broken_pattern_ends_the_predictions() -> None:
    at, _ = walked()
    before = len(at.predicted)
    opened(at, *range(1990, 300, -130))
    assert len(at.predicted) == before


def test_a_broken_pattern_drops_what_was_predicted_and_not_opened() -> None:
    at, coming = walked()
    assert coming == set(flat(range(20, 20 + MAX_AHEAD)))
    opened(at, *range(1000, 1000 + 100 * MISSES_TOLERATED, 100))
    assert not at.dropped
    opened(at, 1950)
    assert set(at.dropped) == coming and len(at.dropped) == len(coming)
    assert not at.coming


def test_a_hit_forgives_the_misses_before_it() -> None:
    at, _ = walked()
    far = range(600, 2000, 80)
    opened(at, *far[:MISSES_TOLERATED])
    assert not at.dropped
    assert ("a", "f_0020.nii") in at.coming
    opened(at, 20, *far[8 : 8 + MISSES_TOLERATED])
    assert not at.dropped
    opened(at, far[16])
    assert len(at.dropped) == MAX_AHEAD


def one_of_two_kinds() -> Replay:
    """A walk over the images of a directory, which passes by something else, and a hundred directories elsewhere."""
    files = [f"a/f_{n:04d}.{x}" for n in range(200) for x in ("nii", "txt")]
    elsewhere = [f"b/{d:04d}/{n:03d}.txt" for d in range(0, 3000, 10) for n in range(60)]
    return replay(files + elsewhere, files[:40:2])


def test_opens_that_a_walk_would_not_make_are_no_misses() -> None:
    """A program beside it that opens other kinds of files."""
    at = one_of_two_kinds()
    coming = set(at.coming)
    for d in random.Random(2).sample(range(100, 200), 60):
        at.open(("b", f"{10 * d:04d}", "000.txt"))
    assert coming <= at.coming.keys()
    assert opened(at, 20), "it goes on"


def test_what_the_walk_passes_by_is_dropped() -> None:
    at, coming = walked()
    opened(at, 20 + PASSED_KEPT)
    assert not at.dropped
    opened(at, 20 + PASSED_KEPT + 10)
    assert at.dropped == flat(range(20, 29))
    assert set(at.dropped) < coming


def test_a_jump_forward_goes_on_from_there() -> None:
    """Beyond what is predicted, as far as files may be from each other."""
    at = directory()
    opened(at, *range(4))
    coming = set(at.coming)
    assert max(coming) < ("a", "f_0050.nii")
    predicted = opened(at, 50)
    assert predicted[0] == ("a", "f_0051.nii")
    assert set(at.dropped) == set(sorted(coming)[:-PASSED_KEPT])
    at.hits = 0
    opened(at, *range(51, 100))
    assert at.hits == 49


def test_a_jump_far_away_is_another_walk() -> None:
    at, coming = walked()
    assert [bool(opened(at, n)) for n in (1000, 1001, 1002, 1003)] == [False, False, True, True]
    assert not at.dropped and coming <= at.coming.keys()


def test_a_walk_that_is_forgotten_drops_its_predictions() -> None:
    """Once there are so many others with predictions."""
    at = one_of_two_kinds()
    coming = set(at.coming)
    for d in range(WALKS):
        assert coming <= at.coming.keys()
        for other in at.policy._walks:
            other.misses = 0
        at.all(f"b/{200 * d + 200:04d}/{n:03d}.txt" for n in range(OPENS_NEEDED))
    assert not coming & at.coming.keys()
    assert len(at.policy._walks) == WALKS


def test_each_prediction_is_made_once_and_ends_once() -> None:
    """What owns a prefetch must neither leak nor be cancelled twice: `Replay` keeps the books."""
    rng = random.Random(5)
    at = directory(3000)
    n = 0
    for _ in range(4000):
        n = rng.randrange(3000) if rng.random() < 0.02 else (n + rng.choice([1, 1, 1, 1, 2, 5, 30])) % 3000
        opened(at, n)
        assert len(at.coming) <= 2 * MAX_AHEAD + PASSED_KEPT
    assert at.hits > 100 and len(at.dropped) > 50, "there was something to see"


@pytest.mark.parametrize("seed", range(6))
def test_whatever_is_opened_the_books_are_right(seed: int) -> None:
    """Walks in all orders, jumps, kinds, threads, directories that become known and unknown, files that are gone."""
    rng = random.Random(seed)
    files = [
        f"s{s}/e{e}/{k}/s{s}_{n}_{k}.{x}"
        for s in range(9)
        for e in range(2)
        for k in "ab"
        for n in range(6)
        for x in "xy"
    ]
    files += [f"flat/img{n}.dcm" for n in range(300)]
    tree = Tree({file: rng.choice([0, 10, 10_000, SMALL, 20 << 20]) for file in files})
    directories = sorted({path[:i] for path in tree.sizes for i in range(len(path))})
    at = Replay(tree)
    at.read = 1
    for _ in range(60):
        tree.unknown = set(rng.sample(directories, rng.choice([0, 0, 1, 10])))
        tree.listings = rng.sample(directories, 20)
        at.stop = rng.choice([None, 1000, 0])
        what = rng.choice("xyab.")
        start, length = rng.randrange(len(files)), rng.randrange(40)
        way = rng.choice([sorted, list, lambda f: rng.sample(f, len(f)), lambda f: f[::-1]])(files)
        for file in [f for f in way[start:] if what in f][: length * rng.choice([1, 3])]:
            at.open(parts(file if rng.random() > 0.05 else file + "gone"))
    assert at.hits > 20 and at.dropped


# -- failures


def fail(at: Replay, seed: int) -> None:
    """As many opens as end a walk, nowhere near each other, of files of no size."""
    for path in flat(random.Random(seed).sample(range(30_000, 1_000_000), MISSES_TOLERATED + 1)):
        at.open(path)
    at.policy._looks = walks.FRUITLESS_MAX  # of that elsewhere
    at.policy._credit = walks.CREDIT_MAX


def opens_until_predicted(at: Replay, first: int) -> int:
    return next(n for n in range(1, 1000) if opened(at, first + n))


def test_each_failure_doubles_what_is_needed_up_to_a_limit_and_each_hit_halves_it() -> None:
    at = directory(10_000)
    assert opens_until_predicted(at, -1) == 3
    needed = []
    for n in range(8):
        fail(at, n)
        needed.append(opens_until_predicted(at, 1000 * (n + 1)))
    assert needed == [6, 12, 24, 48, 96, 192, 192, 192]
    opened(at, *range(8000 + 193, 8000 + 196))  # three hits: 24 would do
    fail(at, 20)
    assert opens_until_predicted(at, 9000) == 48
    opened(at, *range(9000 + 49, 9000 + 61))
    fail(at, 21)
    assert opens_until_predicted(at, 9500) == 6


def test_predictions_that_fail_take_more_opens_each_time() -> None:
    at = directory()
    order = random.Random(11).sample(range(2000), 1000)
    opened(at, *order)
    assert len(at.predicted) <= 10 * FIRST_AHEAD
    opened(at, *range(400))  # and a walk in order is found again
    assert at.hits > 200


# -- how far one open searches


def test_the_way_to_the_next_file_is_not_looked_at_all_at_once() -> None:
    """The file that moves lies in three directories at the front only: one open must not look through thousands."""
    files = [f"sub-{s:04d}/perf/sub-{s:04d}_asl.json" for s in range(3)]
    files += [f"sub-{s:04d}/perf/sub-{s:04d}_m0.bin" for s in range(5000)]
    at = replay(files, files[:2])
    before = at.tree.asked
    at.open(parts(files[2]))
    last = at.tree.asked - before
    assert last <= DIRECTORIES + 40
    at.open(parts("sub-0000/perf/sub-0000_m0.bin"))


@pytest.mark.parametrize(("between", "found"), [(STEPS - 8, True), (STEPS + 1, False)])
def test_how_many_files_one_open_looks_past(between: int, found: bool) -> None:
    """What an open does not reach the next one does."""
    files = ["d/a_0.nii", "d/a_1.nii", "d/a_1.txt", "d/a_2.nii"] + [f"d/b_{n:04d}.txt" for n in range(between)]
    files += [f"d/c_{n}.nii" for n in range(5)]
    at = replay(files, ["d/a_0.nii", "d/a_1.nii"])
    expect = [("d", f"c_{n}.nii") for n in range(5)]
    assert at.open(("d", "a_2.nii")) == (expect if found else [])


@pytest.mark.parametrize(("between", "found"), [(DIRECTORIES - 2, True), (DIRECTORIES, False)])
def test_how_many_directories_in_a_row_one_open_looks_past(between: int, found: bool) -> None:
    files = [f"{n:03d}/{'y.txt' if 3 <= n < 3 + between else 'x.nii'}" for n in range(120)]
    at = replay([*files, "001/y.txt"], files[:2])
    predicted = at.open(("002", "x.nii"))
    expect = [(f"{3 + between + n:03d}", "x.nii") for n in range(FIRST_AHEAD)]
    assert predicted == (expect if found else [])


def test_fruitless_searches_get_shorter() -> None:
    """Every fifth file: none is predicted, and an open soon looks past a few only."""
    files = [f"d/{n:05d}.bin" for n in range(4000)]

    class Counted(Tree):
        looked = 0

        def wanted(self, path: Path, size: int) -> int:
            return super().wanted(path, size)

    at = Replay(Counted(files)).all(files[:200:5])
    walk_ = at.policy._walks[-1]
    assert walk_._patience == walk.PATIENCE_MIN
    assert not at.predicted
    at.all(files[196:260])
    assert walk_._patience == 1 and at.hits > 40


def test_at_the_end_it_looks_again_once_half_is_opened() -> None:
    at = directory(10)
    assert opened(at, 0, 1, 2) == flat(range(3, 10))
    at.tree.hold(["/".join(path) for path in flat(range(13))])
    asked = at.tree.asked
    assert [opened(at, n) for n in (3, 4, 5)] == [[], [], []]
    assert at.tree.asked == asked
    assert opened(at, 6) == flat([10, 11, 12])
    assert at.tree.asked > asked


# -- directories that are not known


def test_directories_not_known_are_not_asked_for() -> None:
    tree = Tree(bids(10))
    tree.unknown = {("sub-005", "ses-0", "func"), ("sub-007", "ses-0", "func")}
    opens = [f for f in bids(5) if "ses-0" in f and "run-0" in f and f.endswith(".json")]
    at = replay(tree, opens)
    assert {path[0] for path in at.predicted} == {"sub-003", "sub-004", "sub-006", "sub-008", "sub-009"}


@pytest.mark.parametrize(("unknown", "found"), [(UNKNOWN_SEARCHED, True), (UNKNOWN_SEARCHED + 1, False)])
def test_how_many_unknown_directories_it_looks_past(unknown: int, found: bool) -> None:
    tree = Tree([f"{n:03d}/x.nii" for n in range(60)])
    tree.unknown = {(f"{n:03d}",) for n in range(3, 3 + unknown)}
    at = replay(tree, ["000/x.nii", "001/x.nii"])
    expect = [(f"{n:03d}", "x.nii") for n in range(3 + unknown, 3 + unknown + FIRST_AHEAD)] if found else []
    assert at.open(("002", "x.nii")) == expect


def test_directories_not_known_yet_are_looked_at_again_when_they_are() -> None:
    tree = Tree(bids(2000, sessions=1, runs=1))
    opens = [parts(f) for f in bids(40, sessions=1, runs=1) if f.endswith(".json")]
    tree.unknown = {(f"sub-{s:03d}", "ses-0", "func") for s in range(8, 2000)}
    at = Replay(tree)
    for path in opens[:5]:
        at.open(path)
    assert {path[0] for path in at.predicted} == {f"sub-{s:03d}" for s in range(3, 8)}
    assert at.worst <= 250
    tree.unknown.clear()
    before = len(at.predicted)
    for path in opens[5:8]:
        at.open(path)
    assert len(at.predicted) - before >= FIRST_AHEAD


# -- the policy


def test_it_counts_what_it_predicts_and_learns_nothing_from_closes() -> None:
    policy = WalkPolicy(Tree([]))
    assert policy.counter == PREFETCHED_IN_SEQUENCE
    policy.closed(("a",), 10, 10)
    assert list(map(list, policy.opened(("a",), 10))) == [[], []]
