"""What opens without an order cost: bytes in vain, and work."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence

import pytest

from mountnd.vfs.prefetch.walk import FILE_BYTES
from mountnd.vfs.prefetch.walks import CREDIT, CREDIT_MAX, FRUITLESS_MAX, FRUITLESS_REGAINED

from .replays import MAX_AHEAD, Replay, replay
from .trees import Tree, bids, parts, study

SIZE = 20_000
FLAT = [f"d/{n:05d}.bin" for n in range(10_000)]
Opens = Callable[[random.Random], Sequence[str]]


def tree_of(directories: int, files: int) -> list[str]:
    return [f"d{d:03d}/{n:05d}.bin" for d in range(directories) for n in range(files)]


def shuffled(rng: random.Random, files: Sequence[str]) -> list[str]:
    return rng.sample(files, len(files))


def runs(rng: random.Random, length: int, opens: int = 6000) -> Iterator[str]:
    """So many in order, at a random place each."""
    for _ in range(opens // length):
        start = rng.randrange(len(FLAT) - length)
        yield from FLAT[start : start + length]


# Name -> the files there are, and what is opened of them, some thousand times.
ABUSE: dict[str, tuple[Sequence[str], Opens]] = {
    "flat": (FLAT, lambda rng: shuffled(rng, FLAT)),
    "500 directories": (tree_of(500, 20), lambda rng: shuffled(rng, tree_of(500, 20))),
    "30 directories": (tree_of(30, 30), lambda rng: [f for _ in range(4) for f in shuffled(rng, tree_of(30, 30))]),
    "10 directories": (tree_of(10, 30), lambda rng: [f for _ in range(6) for f in shuffled(rng, tree_of(10, 30))]),
    "one of 150": (tree_of(1, 150), lambda rng: [f for _ in range(20) for f in shuffled(rng, tree_of(1, 150))]),
    "one a directory": (tree_of(2000, 1), lambda rng: shuffled(rng, tree_of(2000, 1))),
    "study": (list(study(200)), lambda rng: shuffled(rng, list(study(200)))),
    "runs of 4": (FLAT, lambda rng: list(runs(rng, 4))),
    "runs of 16": (FLAT, lambda rng: list(runs(rng, 16))),
    "runs of 40": (FLAT, lambda rng: list(runs(rng, 40))),
    "runs of 100": (FLAT, lambda rng: list(runs(rng, 100))),
    "half of them": (FLAT, lambda rng: [f for f in FLAT if rng.random() < 0.5]),
    "most of them": (FLAT, lambda rng: [f for f in FLAT if rng.random() < 0.8]),
    "every fifth": (FLAT, lambda rng: FLAT[::5]),
    "backwards": (FLAT, lambda rng: FLAT[:3000][::-1]),
    "shuffled by fifties": (FLAT, lambda rng: [f for n in range(0, 3000, 50) for f in shuffled(rng, FLAT[n : n + 50])]),
    "to and fro": (FLAT, lambda rng: [FLAT[5000 + n // 3 + rng.randrange(-40, 40)] for n in range(3000)]),
    "a random session each": (
        bids(900),
        lambda rng: [f for s in range(900) for e in [rng.randrange(3)] for f in bids_of(s, e)],
    ),
}


def bids_of(subject: int, session: int) -> list[str]:
    stem = f"sub-{subject:03d}/ses-{session}/func/sub-{subject:03d}_ses-{session}_task-rest_run-"
    return [f"{stem}{run}_bold.{x}" for run in range(2) for x in ("json", "nii.gz")]


@pytest.fixture(scope="module", params=ABUSE)
def abused(request: pytest.FixtureRequest) -> Replay:
    files, opens = ABUSE[request.param]
    return replay(dict.fromkeys(files, SIZE), opens(random.Random(1)))


def test_at_most_a_fifth_of_what_is_read_is_fetched_in_vain(abused: Replay) -> None:
    """And what is allowed at first, in files as long as those that are read."""
    opens = abused.hits + abused.misses
    assert opens >= 1500
    assert abused.vain / SIZE + len(abused.coming) <= 0.2 * opens + CREDIT // FILE_BYTES
    if opens >= 5000:
        assert abused.wasted() < 0.22


def test_an_open_asks_for_few_directories(abused: Replay) -> None:
    """The one worst, and all of them: most opens look for no order at all once none is found."""
    opens = abused.hits + abused.misses
    assert abused.worst <= 1000
    assert abused.tree.asked <= 45 * opens + 20_000


@pytest.mark.parametrize("files", [FLAT, tree_of(500, 20)], ids=["flat", "500 directories"])
def test_random_opens_of_ten_thousand_files_predict_nearly_nothing(files: Sequence[str]) -> None:
    at = replay(dict.fromkeys(files, SIZE), shuffled(random.Random(7), files))
    assert at.wasted() <= 0.02
    looks = FRUITLESS_MAX + FRUITLESS_REGAINED * len(files)
    assert at.tree.asked <= 100 * looks
    assert at.worst <= 400


def test_random_opens_earn_almost_nothing() -> None:
    files = [f for f in bids(100) if f.endswith(".json")]
    at = replay(files, random.Random(7).sample(files, 100))
    assert len(at.predicted) <= CREDIT // FILE_BYTES + 5


def test_a_walk_is_found_after_opens_at_random() -> None:
    at = replay(FLAT, shuffled(random.Random(7), FLAT)[:2000])
    before = at.hits
    walk = [f"d/{n:05d}.bin" for n in range(10_000, 10_600)]
    at.tree.hold([*FLAT, *walk])
    at.all(walk)
    assert at.hits - before >= 300


def test_large_files_in_vain_count_as_such() -> None:
    """Runs of eight files that are read whole."""
    files = {f"d/{n:04d}.nii.gz": 20 << 20 for n in range(3000)}
    rng = random.Random(2)
    opens = [f"d/{s + n:04d}.nii.gz" for s in rng.sample(range(2900), 300) for n in range(8)]
    at = replay(files, opens)
    assert at.wasted() < 0.05


def test_credit_is_never_more_than_it_may_be_and_what_is_coming_was_paid() -> None:
    rng = random.Random(9)
    at = Replay(Tree({f"{d}/{n:03d}": rng.choice([10, 10**6, 60 << 20]) for d in range(9) for n in range(300)}))
    lowest = highest = CREDIT
    for _ in range(200):
        d, start = rng.randrange(9), rng.randrange(300)
        for n in range(start, min(300, start + rng.choice([2, 10, 100]))):
            at.open((f"{d}", f"{n:03d}"))
            paid = sum(counted for _, counted in at.policy._coming.values())
            highest = max(highest, at.policy._credit + paid)
            lowest = min(lowest, at.policy._credit)
    assert CREDIT < highest <= CREDIT_MAX
    assert lowest > -(60 << 20), "the last prediction may be a large file"


def test_after_much_in_vain_credit_grows_with_what_is_right() -> None:
    at = replay(FLAT, ABUSE["shuffled by fifties"][1](random.Random(1)))
    spent = at.policy._credit
    walk = [f"e/{n:05d}.bin" for n in range(2000)]
    at.tree.hold([*FLAT, *walk])
    at.all(walk)
    assert spent < CREDIT / 4
    assert at.policy._credit > CREDIT and len(at.coming) < 2 * MAX_AHEAD
    assert at.hits > 1700


def test_one_open_looks_past_few_directories_in_a_tree_of_empty_ones() -> None:
    files = [f"s{s:04d}/{a}/{b}/x.{'json' if s < 4 else 'bin'}" for s in range(400) for a in "ab" for b in "cd"]
    at = replay(files, [f for f in files if f.endswith("json")][:6])
    for path in [parts(f) for f in files if f.endswith("json")][6:]:
        at.open(path)
    assert at.worst <= 350


@pytest.mark.parametrize("seed", range(3))
def test_what_is_given_up_and_opened_after_all_is_half_forgiven(seed: int) -> None:
    """Each subject's files in random order: what is passed by comes a little later."""
    rng = random.Random(seed)
    files = bids(200)
    at = replay(files, [f for n in range(0, len(files), 12) for f in shuffled(rng, files[n : n + 12])])
    assert at.hits > 0.9 * len(files)
    assert at.wasted() < 0.1
