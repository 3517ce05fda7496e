"""Which orders may lead from one file to another, and what lies between."""

from __future__ import annotations

import random
from collections.abc import Sequence
from itertools import pairwise

import pytest

from mountnd.vfs.prefetch.between import (
    NEAR_DIRECTORIES,
    NEAR_FILES,
    SMALL_DIRECTORY,
    files_between,
    orders_between,
    way,
)
from mountnd.vfs.prefetch.orders import ORDERS, File, Order, after

from .trees import Tree, parts, study

LISTED, FILES_FIRST, AS_LISTED, LAST_FIRST, NUMBER, NATURAL = ORDERS


def flat(files: int, name: str = "d/{:05d}") -> list[str]:
    return [name.format(n) for n in range(files)]


def between(tree: Tree, a: str, b: str, order: Order) -> list[str] | None:
    found = files_between(tree, parts(a), parts(b), order)
    return None if found is None else ["/".join(path) for path in found]


def test_the_numbers() -> None:
    assert (NEAR_FILES, NEAR_DIRECTORIES, SMALL_DIRECTORY) == (64, 64, 256)


@pytest.mark.parametrize("order", ORDERS, ids=str)
def test_it_is_what_comes_after_the_one_up_to_the_other(order: Order) -> None:
    """Of every two files of a study, whether they are in order is told by their names and agrees with the way."""
    files = ["x/" + file for file in study(2)]
    tree = Tree(files)
    tree.listings = list(dict.fromkeys(path[:-1] for path in tree.sizes))
    for a in files:
        all_after = [f.path for f in after(tree, parts(a), order) if isinstance(f, File)]
        for b in files:
            expect = all_after[: all_after.index(parts(b))] if parts(b) in all_after else None
            assert files_between(tree, parts(a), parts(b), order) == expect


@pytest.mark.parametrize("order", [LISTED, FILES_FIRST, AS_LISTED, LAST_FIRST, NATURAL], ids=str)
@pytest.mark.parametrize(("far", "near"), [(1, True), (NEAR_FILES + 1, True), (NEAR_FILES + 2, False)])
def test_so_many_files_lie_between_at_most(order: Order, far: int, near: bool) -> None:
    tree = Tree(flat(500))
    found = between(tree, "d/00100", f"d/{100 + far:05d}", order)
    assert found == (flat(500)[101 : 100 + far] if near else None)
    assert between(tree, f"d/{100 + far:05d}", "d/00100", order) is None, "it comes before"


@pytest.mark.parametrize("order", [LISTED, FILES_FIRST, NATURAL], ids=str)
@pytest.mark.parametrize(("directories", "near"), [(NEAR_DIRECTORIES, True), (NEAR_DIRECTORIES + 1, False)])
def test_so_many_directories_lie_between_at_most(order: Order, directories: int, near: bool) -> None:
    """Known or not, with files or without."""
    tree = Tree(["000/x", *(f"{n:03d}/y" for n in range(1, directories)), f"{directories:03d}/x"])
    tree.unknown = {(f"{n:03d}",) for n in range(1, directories)}
    found = between(tree, "000/x", f"{directories:03d}/x", order)
    assert found == ([] if near else None)


@pytest.mark.parametrize("order", ORDERS, ids=str)
@pytest.mark.parametrize("pair", [("a", "a"), ("a", "a/b"), ("a/b", "a"), ("u/x", "u/y")])
def test_nothing_leads_there(order: Order, pair: tuple[str, str]) -> None:
    """From a file to itself, to one below it, in a directory that is not known."""
    tree = Tree(["a/b", "c", "u/x", "u/y"])
    tree.unknown = {("u",)}
    assert between(tree, *pair, order) is None
    assert orders_between(tree, parts(pair[0]), parts(pair[1])) == ()


@pytest.mark.parametrize("order", [NUMBER, NATURAL], ids=str)
def test_a_name_that_is_not_there(order: Order) -> None:
    tree = Tree(flat(10))
    assert between(tree, "d/00003", "d/99999", order) is None
    assert between(tree, "d/99999", "d/00003", order) is None


@pytest.mark.parametrize(
    ("files", "a", "b", "expect"),
    [
        (SMALL_DIRECTORY, 0, SMALL_DIRECTORY - 1, ORDERS),
        (SMALL_DIRECTORY + 1, 100, 100 + NEAR_FILES, ORDERS),
        (SMALL_DIRECTORY + 1, 100 + NEAR_FILES, 100, ORDERS),
        (SMALL_DIRECTORY + 1, 100, 101 + NEAR_FILES, ()),
    ],
)
def test_names_few_or_close(files: int, a: int, b: int, expect: Sequence[Order]) -> None:
    tree = Tree(flat(files, "d/{:05d}/x"))
    found = orders_between(tree, ("d", f"{a:05d}", "x"), ("d", f"{b:05d}", "x"))
    assert set(found) - {NUMBER} == set(expect) - {NUMBER}
    assert tree.asked == 1


@pytest.mark.parametrize("order", [NUMBER, NATURAL], ids=str)
def test_neighbours_in_another_order_than_the_listing(order: Order) -> None:
    tree = Tree(flat(3000, "d/{}"))
    found = [f.path for f in after(tree, ("d", "0"), order) if isinstance(f, File)]
    steps = [(a, b) for a, b in pairwise(found) if LISTED not in orders_between(tree, a, b)]
    assert len(steps) > 5, "the listing does not have them close to each other"
    assert all(order in orders_between(tree, a, b) for a, b in steps)
    rng = random.Random(1)
    far = [orders_between(tree, rng.choice(found), rng.choice(found)) for _ in range(200)]
    assert sum(bool(orders) for orders in far) < 40


def test_the_way_there_or_back_but_for_what_was_opened_lately() -> None:
    tree, (a, *between, b) = Tree(flat(6)), [parts(text) for text in flat(6)]
    assert way(tree, a, b, LISTED, ()) == (True, between)
    assert way(tree, a, b, LISTED, {between[1]}) == (True, [between[0], *between[2:]])
    assert way(tree, b, a, LISTED, ()) == (False, [])
    assert way(tree, a, ("elsewhere", "x"), LISTED, ()) is None
