"""What comes next in each order: against other ways to say the same; and how little is looked at."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path as OsPath

import pytest

from mountnd.vfs.inodes import inode_number
from mountnd.vfs.prefetch.names import Path
from mountnd.vfs.prefetch.orders import ORDERS, SORTED_MAX, Child, File, Order, Sorting, Step, after, natural

from .trees import Tree, parts, study

LISTED, FILES_FIRST, AS_LISTED, LAST_FIRST, NUMBER, NATURAL = ORDERS
SALT = b"a source"
# Names of no order, files between directories, a directory whose name is the start of another's, numbers not padded.
MIXED = [
    "README",
    "a/x.txt",
    "a/z/1.txt",
    "a/z/deep/2.txt",
    "a-b/y.txt",
    "a.txt",
    "b10/img10.dcm",
    "b10/img9.dcm",
    "b10/img101.dcm",
    "b9/only.txt",
    "c/d/e/f/far.txt",
    "z.txt",
    "ä/ö.txt",
]
TREES = {"mixed": MIXED, "study": list(study(4, sessions=2)), "one directory": [f"{n}" for n in range(30)]}


def listed(files: Sequence[str]) -> list[str]:
    """As `find` over a listing: keys by their bytes."""
    return sorted(files, key=str.encode)


def os_walk(root: OsPath, last_first: bool) -> Iterator[str]:
    """As os.walk: a directory's files before its sub-directories; or as with a stack of directories to go to."""
    if not last_first:
        for top, directories, names in os.walk(root):
            directories.sort(key=lambda name: f"{name}/".encode())
            yield from (os.path.relpath(f"{top}/{name}", root) for name in sorted(names, key=str.encode))
        return
    stack = [""]
    while stack:
        place = stack.pop()
        entries = sorted(os.scandir(root / place), key=lambda e: f"{e.name}{'/' * e.is_dir()}".encode())
        yield from (place + e.name for e in entries if not e.is_dir())
        stack += [f"{place}{e.name}/" for e in entries if e.is_dir()]


def sorted_by(files: Sequence[str], key: Callable[[str], object], place: str = "") -> Iterator[str]:
    """Each directory sorted by a function of its children's keys, a directory's with a "/" behind."""
    children = {m[0] for f in files if f.startswith(place) and (m := re.match("[^/]+/?", f[len(place) :]))}
    for child in sorted(children, key=lambda name: key(place + name)):  # type: ignore[arg-type, return-value]
        if child.endswith("/"):
            yield from sorted_by(files, key, place + child)
        else:
            yield place + child


def padded(key: str) -> str:
    return re.sub(r"\d+", lambda m: m[0].zfill(9), key.rstrip("/").rpartition("/")[2])


def expected(files: Sequence[str], order: Order, root: OsPath) -> list[str]:
    if order.files_first:
        for file in files:
            (root / file).parent.mkdir(parents=True, exist_ok=True)
            (root / file).touch()
        return list(os_walk(root, order.last_first))
    if order.sorting is Sorting.LISTED:
        return listed(files)
    if order.sorting is Sorting.NUMBER:
        return list(sorted_by(files, lambda key: inode_number(SALT, key)))
    return list(sorted_by(files, padded))


def files_after(tree: Tree, path: str, order: Order) -> list[str]:
    return ["/".join(found.path) for found in after(tree, parts(path), order) if isinstance(found, File)]


def test_the_orders() -> None:
    """In the order in which they are preferred; more of them cost more at each open that was not predicted."""
    assert Order() == LISTED and Order(Sorting.NATURAL) == NATURAL and Order(Sorting.NUMBER) == NUMBER
    assert Order(files_first=True) == FILES_FIRST and Order(files_first=True, last_first=True) == LAST_FIRST
    assert Order(files_first=True, as_listed=True) == AS_LISTED
    assert SORTED_MAX == 4096


@pytest.mark.parametrize("name", TREES)
@pytest.mark.parametrize("order", [o for o in ORDERS if not o.as_listed], ids=str)
def test_what_comes_after_each_file(name: str, order: Order, tmp_path: OsPath) -> None:
    files = TREES[name]
    tree = Tree(files, salt=SALT)
    all_of_it = expected(files, order, tmp_path)
    assert sorted(all_of_it) == sorted(files)
    for n, file in enumerate(all_of_it):
        assert files_after(tree, file, order) == all_of_it[n + 1 :]


def test_the_orders_do_differ(tmp_path: OsPath) -> None:
    orders = [o for o in ORDERS if not o.as_listed]
    assert len({tuple(expected(MIXED, o, tmp_path)) for o in orders}) == len(orders)


def test_in_the_order_of_listing(tmp_path: OsPath) -> None:
    tree = Tree(MIXED)
    tree.listings = [parts(p) if p else () for p in ("c/d/e/f", "a/z", "", "b10", "nowhere", "a", "b9")]
    all_of_it = [
        ["c/d/e/f/far.txt"],
        ["a/z/1.txt"],
        ["README", "a.txt", "z.txt"],
        ["b10/img10.dcm", "b10/img101.dcm", "b10/img9.dcm"],
        ["a/x.txt"],
        ["b9/only.txt"],
    ]
    flat = [file for directory in all_of_it for file in directory]
    for n, file in enumerate(flat):
        assert files_after(tree, file, AS_LISTED) == flat[n + 1 :]
    assert files_after(tree, "ä/ö.txt", AS_LISTED) == [], "it was not listed"
    assert Step.UNKNOWN in after(tree, parts("b10/img9.dcm"), AS_LISTED), "what was listed is not there any more"


@pytest.mark.parametrize("order", [LISTED, FILES_FIRST, LAST_FIRST], ids=str)
@pytest.mark.parametrize("gone", ["a/y.txt", "b/x.txt", "b10/img11.dcm"])
def test_a_file_that_is_not_there_any_more(gone: str, order: Order, tmp_path: OsPath) -> None:
    """What would come after it does."""
    everything = expected([*MIXED, gone], order, tmp_path)
    after_it = everything[everything.index(gone) + 1 :]
    if gone.startswith("b/") and order.last_first:
        after_it = [file for file in after_it if file in MIXED]
    assert files_after(Tree(MIXED), gone, order) == after_it


@pytest.mark.parametrize("order", [NUMBER, NATURAL], ids=str)
def test_nothing_follows_a_name_that_is_not_there_in_an_order_of_sorted_names(order: Order) -> None:
    assert files_after(Tree(["d/1", "d/2", "d/4"]), "d/3", order) == []
    assert files_after(Tree(["d/1", "d/2", "d/4"]), "d/9", order) == []


@pytest.mark.parametrize("order", [NUMBER, NATURAL], ids=str)
def test_a_directory_of_many_names_is_taken_as_it_is_listed(order: Order) -> None:
    few = [f"d/{n}" for n in range(SORTED_MAX)]
    many = [*few, f"d/{SORTED_MAX}"]
    assert files_after(Tree(many), listed(many)[0], order) == listed(many)[1:]
    assert files_after(Tree(few), listed(few)[0], order) != listed(few)[1:]


@pytest.mark.parametrize("order", [o for o in ORDERS if not o.as_listed], ids=str)
def test_directories_not_known_are_told_and_stepped_over(order: Order) -> None:
    files = [f"{d}/{n}.txt" for d in "abcde" for n in range(2)]
    tree = Tree(files, salt=SALT)
    whole = files_after(tree, "c/0.txt", order)
    tree.unknown = {(d,) for d in "ae"}
    way = list(after(tree, parts("c/0.txt"), order))
    assert ["/".join(f.path) for f in way if isinstance(f, File)] == [f for f in whole if f[0] not in "ae"]
    assert way.count(Step.UNKNOWN) == len({f[0] for f in whole} & set("ae"))
    tree.unknown = {()}
    assert next(after(tree, parts("c/0.txt"), order)) is Step.UNKNOWN
    assert {f[0] for f in files_after(tree, "c/0.txt", order)} <= {"c"}, "where it is, it can go on"


@pytest.mark.parametrize("order", ORDERS, ids=str)
def test_directories_are_asked_for_when_they_are_needed(order: Order) -> None:
    """Three for the file that it comes after, then one at a time."""
    files = [f"s{d:03d}/anat/{n}.txt" for d in range(100) for n in range(2)]
    tree = Tree(files, salt=SALT)
    tree.listings = [(f"s{d:03d}", "anat") for d in range(100)]
    way = after(tree, parts("s000/anat/0.txt"), order)
    assert tree.asked == 0
    found = next(f for f in way if isinstance(f, File))
    assert tree.asked <= (3 if found.path[0] == "s000" else 5)
    before = tree.asked
    seen = {f.path[:1] for f in islice((f for f in way if isinstance(f, File)), 10)}
    assert tree.asked - before <= 2 * len(seen)


def test_the_children_of_a_large_directory_are_looked_at_as_they_are_needed() -> None:
    class Counted(Tree):
        looked = 0

        def directory(self, path: Path):  # type: ignore[no-untyped-def]
            found = super().directory(path)
            assert found is not None

            def children(start: int = 0) -> Iterator[Child]:
                for child in type(found).children(found, start):
                    self.looked += 1
                    yield child

            found.children = children  # type: ignore[method-assign]
            return found

    tree = Counted([f"{n:05d}" for n in range(10_000)])
    for order in ORDERS:
        tree.looked = 0
        found = list(islice(after(tree, ("04000",), order), 5))
        assert [f.path[0] for f in found if isinstance(f, File)] == [f"{n:05d}" for n in range(4001, 4006)]
        assert tree.looked <= 7


@pytest.mark.parametrize(
    "ascending",
    [
        ["img1.dcm", "img2.dcm", "img10.dcm", "img10a.dcm"],
        ["1", "2", "10", "a"],
        ["a1b2", "a1b10", "a2b1"],
        ["run-1_x", "run-2_x", "run-11_x"],
        ["x", "x1", "xa"],
        ["", "0", "00x"],
    ],
)
def test_natural_order(ascending: list[str]) -> None:
    assert sorted({*ascending}, key=natural) == ascending


def test_natural_order_of_odd_digits() -> None:
    """Digits of other scripts are letters; numbers of many digits compare by their first eighteen."""
    assert natural("²") != natural("2") and natural("٣")
    assert natural("9" * 30) == natural("9" * 18)
