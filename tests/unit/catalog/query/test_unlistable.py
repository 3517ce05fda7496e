"""What a name is taken to be where its directory may not be listed."""

from __future__ import annotations

import pytest

from mountnd.catalog.model.entry import Entry
from mountnd.catalog.model.permissions import FORBIDDEN_S
from mountnd.catalog.query.point import Name
from mountnd.catalog.query.unlistable import judge
from mountnd.errors import Forbidden, NotFound
from mountnd.stores.base import ObjectId, ObjectStat, Page

NAME = Name("d/", b"x", "x")
STAT = ObjectStat(ObjectId("s", "d/x", '"e"'), 1, 2)
BELOW, NOTHING = Page([STAT], []), Page([], [])
FILE, DIRECTORY = Entry(b"x", "d/x", False, STAT), Entry(b"x", "d/x/", True, None)
REFUSED = Forbidden("no", code="403")
ALWAYS = float("inf")


def test_an_object_that_is_there_is_a_file() -> None:
    assert judge(NAME, STAT, None, None, known_below=False, listed_above=False) == (FILE, ALWAYS)


@pytest.mark.parametrize("refused", [None, REFUSED])
def test_a_name_below_which_something_is_listed_is_a_directory(refused: Forbidden | None) -> None:
    assert judge(NAME, None, refused, BELOW, known_below=False, listed_above=True) == (DIRECTORY, ALWAYS)


@pytest.mark.parametrize("refused", [None, REFUSED])
@pytest.mark.parametrize("below", [None, NOTHING])
def test_a_name_below_which_something_is_known_is_a_directory(refused: Forbidden | None, below: Page | None) -> None:
    assert judge(NAME, None, refused, below, known_below=True, listed_above=True) == (DIRECTORY, FORBIDDEN_S)


@pytest.mark.parametrize("below", [None, NOTHING])
@pytest.mark.parametrize("listed_above", [False, True])
def test_a_404_holds_for_one_call(below: Page | None, listed_above: bool) -> None:
    answer, lasts = judge(NAME, None, None, below, known_below=False, listed_above=listed_above)
    assert isinstance(answer, NotFound)
    assert answer.passing
    assert lasts == 0


@pytest.mark.parametrize(("below", "listed_above"), [(None, True), (NOTHING, True), (NOTHING, False)])
def test_a_403_is_a_refusal(below: Page | None, listed_above: bool) -> None:
    assert judge(NAME, None, REFUSED, below, known_below=False, listed_above=listed_above) == (REFUSED, FORBIDDEN_S)


def test_where_all_is_refused_and_nothing_above_was_listed_it_is_a_directory() -> None:
    assert judge(NAME, None, REFUSED, None, known_below=False, listed_above=False) == (DIRECTORY, FORBIDDEN_S)
