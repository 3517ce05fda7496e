"""Walks in the orders of programs, over everything or over some of it; walks side by side."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache

import pytest

from mountnd.vfs.inodes import inode_number
from mountnd.vfs.prefetch.between import NEAR_FILES
from mountnd.vfs.prefetch.orders import ORDERS, SORTED_MAX, File, Order, Sorting, after
from mountnd.vfs.prefetch.walk import FILE_BYTES
from mountnd.vfs.prefetch.walks import CREDIT, OPENS_NEEDED

from .replays import MAX_AHEAD, Replay, replay
from .trees import Tree, bids, parts, study

SALT = b"a source"


def dicoms(files: int = 150) -> dict[str, int]:
    """One file a directory, and names of no order."""
    rng = random.Random(1)

    def name(directories: int) -> str:
        return "/".join(rng.randbytes(4).hex() for _ in range(directories))

    return {f"{name(2)}/1.2.840.{rng.randrange(10**9)}.dcm": 500_000 for _ in range(files)}


def numbered(directories: int = 20, files: int = 150) -> dict[str, int]:
    """Numbers that are not padded."""
    return {f"b/series{d}/img{n}.dcm": 100_000 for d in range(directories) for n in range(files)}


TREES = {"study": study(60), "sessions": study(30, sessions=2), "dicoms": dicoms(), "numbered": numbered()}
FILTERS = {"all": "", "extension": ".json", "suffix": "_bold.nii.gz"}


@cache
def in_order(name: str, order: Order) -> list[str]:
    """Everything: what comes after a file that is the first in each of the orders."""
    tree = Tree({"!first": 1, **{f"!rest/{path}": size for path, size in TREES[name].items()}}, salt=SALT)
    if order.sorting is Sorting.NUMBER:
        return list(by_number(TREES[name]))
    return ["/".join(f.path[1:]) for f in after(tree, ("!first",), order) if isinstance(f, File)]


def by_number(files: Iterable[str], place: str = "") -> Iterator[str]:
    children = {f[len(place) :].partition("/") for f in files if f.startswith(place)}
    names = {name + slash for name, slash, _ in children}
    for name in sorted(names, key=lambda name: inode_number(SALT, place + name)):
        yield from by_number(files, place + name) if name.endswith("/") else [place + name]


@pytest.mark.parametrize("order", [o for o in ORDERS if not o.as_listed], ids=str)
@pytest.mark.parametrize(
    ("name", "what"),
    [
        (name, what)
        for name, tree in TREES.items()
        for what, end in FILTERS.items()
        if any(f.endswith(end) for f in tree)
    ],
)
def test_a_walk_in_any_order_over_all_or_some(name: str, order: Order, what: str) -> None:
    everything = in_order(name, order)
    assert len(everything) == len(TREES[name])
    opens = [file for file in everything if file.endswith(FILTERS[what])]
    at = replay(Tree(TREES[name], salt=SALT), opens, stop=16384)
    assert at.misses <= max(12, len(opens) // 50)
    if (name, order.sorting) != ("dicoms", Sorting.NATURAL):  # whose start looks as if they were listed so
        assert at.wasted() < 0.05
    assert len(at.dropped) <= CREDIT // FILE_BYTES + len(opens) // 5
    vain = set(at.predicted) - {parts(f) for f in opens}
    assert len(vain) <= 8


@pytest.mark.parametrize("ending", ["", ".json", "T1w.nii"])
def test_a_tree_that_was_listed_in_another_order_before(ending: str) -> None:
    """As whoever makes a list first and opens afterwards, of directories in whatever order."""
    rng = random.Random(4)
    files = study(100)
    listings = sorted({parts(file)[:-1] for file in files})
    rng.shuffle(listings)
    tree = Tree(files)
    tree.listings = listings
    opens = [f for place in listings for f in sorted(files) if parts(f)[:-1] == place and f.endswith(ending)]
    at = replay(tree, opens, stop=16384)
    assert at.hits >= 0.9 * len(opens)
    assert at.wasted() < 0.1
    unlisted = replay(files, opens, stop=16384)
    assert unlisted.hits < 0.7 * at.hits, "it is the listing that tells"


@pytest.mark.parametrize("sorting", [Sorting.NUMBER, Sorting.NATURAL])
@pytest.mark.parametrize("files", [257, SORTED_MAX])
def test_one_directory_in_another_order_than_listed(sorting: Sorting, files: int) -> None:
    """Names next to each other in it are not in the listing."""
    tree = Tree({f"d/img{n}": 1000 for n in range(files)}, salt=SALT)
    directory = tree.directory(("d",))
    assert directory is not None
    at = Replay(tree)
    for i in directory.sorted_by(sorting):
        at.open(("d", directory.child(i).name))
    assert at.hits >= files - 40
    assert at.wasted() < 0.05


# -- where it goes on


@pytest.mark.parametrize("names", [("a", "b", "c"), ("1", "2", "3")])
def test_the_next_directory_is_a_guess_until_one_was_crossed(names: Sequence[str]) -> None:
    a, b, c = names
    tree = Tree([f"{d}/{n}.txt" for d in names for n in range(5)])
    at = replay(tree, [f"{a}/{n}.txt" for n in range(5)])
    assert {path[0] for path in at.predicted} == {a}
    at.all([f"{b}/0.txt"])
    assert {path[0] for path in at.coming} == {b, c}
    assert at.misses == OPENS_NEEDED + 1


def test_the_last_program_in_a_directory_is_not_followed_into_the_next_one() -> None:
    """Whoever reads one series has nothing fetched of others."""
    tree = Tree(numbered())
    for d in (3, 9, 1, 17):
        at = replay(tree, [f"b/series{d}/img{n}.dcm" for n in range(150)])
        assert at.wasted() == 0 and at.misses == OPENS_NEEDED


def test_another_order_from_some_file_on() -> None:
    """The rest of a directory by inode number, the files of others first."""
    everything, files = in_order("numbered", ORDERS[-1]), in_order("numbered", ORDERS[-2])
    at = replay(Tree(TREES["numbered"], salt=SALT), everything[:600])
    at.misses = 0
    opened = set(everything[:600])
    at.all(later := [file for file in files if file not in opened])
    assert at.misses <= len(later) // 10
    assert at.wasted() < 0.2


def test_an_order_that_was_wrong_is_left() -> None:
    """Sorted names and numbers agree up to the ninth file."""
    files = {f"img{n}.dcm": 1000 for n in range(1, 100)}
    at = replay(files, files)
    assert at.misses <= 8
    assert len(set(at.dropped) - set(at.predicted[-1:])) <= 2 * MAX_AHEAD


@pytest.mark.parametrize("gap", [1, 5, NEAR_FILES - 1])
def test_a_jump_within_the_walk(gap: int) -> None:
    files = [f"{d:02d}/{n:03d}.nii" for d in range(20) for n in range(50)]
    at = replay(files, files[:300])
    at.misses = 0
    at.all(files[300 + gap : 700])
    assert at.misses <= 3


# -- what is left out


def test_a_walk_that_leaves_out_one_session() -> None:
    files = bids(100)
    opens = [f for f in files if f.endswith(".json") and "ses-1" not in f]
    at = replay(files, opens)
    assert at.misses <= 8
    assert sum(path[1] == "ses-1" for path in at.predicted) <= MAX_AHEAD


@pytest.mark.parametrize("ending", ["bold.json", "T1w.nii", "task-rest_bold.nii.gz", "events.tsv", "dwi.bvec"])
def test_one_kind_of_file(ending: str) -> None:
    files = study(100, sessions=2)
    opens = [f for f in sorted(files) if f.endswith(ending)]
    at = replay(files, opens, stop=16384)
    assert at.misses <= 8
    assert len(set(at.predicted) - {parts(f) for f in opens}) <= 8


def test_the_first_of_each_directory() -> None:
    files = numbered(directories=100, files=30)
    at = replay(files, [f for f in sorted(files) if f.endswith("img0.dcm")])
    assert at.hits >= 90
    assert at.wasted() < 0.2


# -- side by side


def side_by_side(*programs: Sequence[str]) -> Iterator[str]:
    """One open each in turn."""
    for turn in range(max(map(len, programs))):
        yield from (opens[turn] for opens in programs if turn < len(opens))


def several(files: Mapping[str, int], *programs: Sequence[str]) -> Replay:
    return replay(Tree(files, salt=SALT), side_by_side(*programs), stop=16384)


@pytest.mark.parametrize("other", [o for o in ORDERS if not o.as_listed], ids=str)
def test_two_programs_each_in_its_own_tree_order_and_filter(other: Order) -> None:
    files = {f"a/{f}": n for f, n in study(100).items()} | TREES["numbered"]
    one = [f for f in sorted(files) if f.startswith("a/") and f.endswith(".json")]
    two = in_order("numbered", other)[: 2 * len(one)]
    at = several(files, one, two)
    assert at.misses <= 30
    assert at.vain < 0.1 * at.read


@pytest.mark.parametrize("programs", [2, 4, 8])
def test_programs_in_one_directory(programs: int) -> None:
    """Each in its own part of it."""
    files = {f"d/{n:05d}": 1000 for n in range(programs * 1000)}
    parts_of_it = [sorted(files)[n * 1000 : n * 1000 + 300] for n in range(programs)]
    at = several(files, *parts_of_it)
    assert at.misses <= 8 * programs
    assert len(at.coming) <= 2 * 2 * MAX_AHEAD


def test_a_walk_beside_opens_at_random() -> None:
    files = {f"a/{f}": n for f, n in study(100).items()} | {f"b/{n:05d}": 1000 for n in range(5000)}
    one = [f for f in sorted(files) if f.startswith("a/") and f.endswith(".json")]
    strangers = random.Random(3).sample([f for f in files if f.startswith("b/")], len(one))
    at = several(files, one, strangers)
    assert at.hits >= len(one) - 12
    assert at.wasted() < 0.1


def test_three_programs_one_after_another() -> None:
    """What one leaves behind does not keep the next one from being followed."""
    files = study(200)
    at = Replay(Tree(files))
    for ending in ("T1w.json", "bold.json", "events.tsv", "dwi.bval"):
        opens = [f for f in sorted(files) if f.endswith(ending)][:60]
        before = at.hits
        at.all(opens)
        assert at.hits - before >= 60 - 12


def test_sessions_that_were_passed_by_before_their_names_were_known_are_left_alone() -> None:
    """A program that lists nothing: of the first subjects only the directories on its way are known, of others all."""
    files = bids(60, runs=1)
    opens = [f for f in files if f.endswith(".json") and "ses-0" in f]
    tree = Tree(files)
    tree.unknown = {(f"sub-{s:03d}", f"ses-{e}") for s in range(2) for e in (1, 2)}
    at = replay(tree, opens)
    assert at.misses == OPENS_NEEDED
    assert {path[1] for path in at.predicted} == {"ses-0"}
