"""What the catalogue's requests hide from those who ask: empty pages, refused page sizes, rows from elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from mountnd import errors
from mountnd.catalog import requests as module
from mountnd.catalog.requests import Requests
from mountnd.stats import LISTS, Stats
from mountnd.stores.base import ObjectId, ObjectStat, Page
from mountnd.stores.memory import MemoryStore
from mountnd.workers import Workers
from tests.support.waiting import Clock

TIMEOUT = 60.0


def stat(key: str) -> ObjectStat:
    return ObjectStat(ObjectId("s", key, '"e"'), 1, 0)


class Said(MemoryStore):
    """Answers listings by a function."""

    def __init__(self, say: Callable[..., Page]) -> None:
        super().__init__()
        self.say = say

    def list_page(self, prefix: str, **how: Any) -> Page:
        return self.say(prefix, **how)


@pytest.fixture
def workers() -> Iterator[Workers]:
    workers = Workers(1, "names")
    yield workers
    workers.close()


@pytest.fixture
def ask(workers: Workers) -> Callable[..., tuple[Requests, Stats, Clock]]:
    def ask(say: Callable[..., Page]) -> tuple[Requests, Stats, Clock]:
        stats, clock = Stats(), Clock()
        return Requests(Said(say), workers, stats, timeout=TIMEOUT, clock=clock), stats, clock

    return ask


Ask = Callable[[Callable[..., Page]], tuple[Requests, Stats, Clock]]


def test_empty_pages_are_passed_over(ask: Ask) -> None:
    pages = {None: Page([], [], "1"), "1": Page([], [], "2"), "2": Page([stat("a")], [], "3")}
    requests, stats, _ = ask(lambda prefix, token, **_: pages[token])
    assert requests.list("") == pages["2"]
    assert stats.snapshot()[LISTS] == 3


def test_pages_of_nothing_to_show_are_passed_over_and_told_of(ask: Ask) -> None:
    pages = {None: Page([], [], "1", ("x",)), "1": Page([], [], "2", ("y",)), "2": Page([stat("a")], [], "3", ("z",))}
    requests, _, _ = ask(lambda prefix, token, **_: pages[token])
    assert requests.list("") == Page([stat("a")], [], "3", ("x", "y", "z"))


def test_a_row_from_elsewhere_is_found_in_the_middle_of_a_page(ask: Ask) -> None:
    page = Page([stat("d/a"), stat("x"), stat("d/b")], ["d/c/", "y/", "d/e/"], None)
    requests, _, _ = ask(lambda prefix, **_: page)
    got = requests.list("d/")
    assert ([s.id.key for s in got.objects], got.prefixes) == (["d/a", "d/b"], ["d/c/", "d/e/"])
    assert [text[:3] for text in got.unshowable] == ["'x'", "'y/"]


def test_an_empty_page_that_ends_the_listing_is_one(ask: Ask) -> None:
    requests, stats, _ = ask(lambda prefix, token, **_: Page([], [], None))
    assert requests.list("") == Page([], [], None)
    assert stats.snapshot()[LISTS] == 1


@pytest.mark.parametrize("tokens", [("1", "1"), ("1", "2", "1"), ("1", "2", "2")])
def test_a_token_that_comes_again_is_an_error(ask: Ask, tokens: tuple[str, ...]) -> None:
    said = iter(tokens)
    requests, _, _ = ask(lambda prefix, **_: Page([], [], next(said)))
    with pytest.raises(errors.BadAnswer, match="no progress"):
        requests.list("")
    requests, _, _ = ask(lambda prefix, **_: Page([stat("a")], [], "same"))
    with pytest.raises(errors.BadAnswer, match="no progress"):
        requests.list("", token="same")


def test_empty_pages_end_at_the_deadline_and_at_a_number(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    count = 0

    def say(prefix: str, **_: Any) -> Page:
        nonlocal count
        count += 1
        clock.now += step
        return Page([], [], str(count))

    requests, _, clock = ask(say)
    step = TIMEOUT / 4
    with pytest.raises(errors.TimedOut, match="empty pages"):
        requests.list("")
    assert count == 4
    assert requests.outage() is None, "the server answers"
    monkeypatch.setattr(module, "EMPTY_PAGES_MAX", 10)
    count, step = 0, 0.0
    with pytest.raises(errors.BadAnswer, match="empty pages"):
        requests.list("")
    assert count == 11


def refusing_over(most: int, asked: list[int]) -> Callable[..., Page]:
    def say(prefix: str, limit: int, **_: Any) -> Page:
        asked.append(limit)
        if limit > most:
            raise errors.Forbidden("no", code="AccessDenied")
        return Page([stat("a")], [], None)

    return say


@pytest.mark.parametrize(
    ("most", "tried"), [(1000, [1000]), (999, [1000, 100]), (10, [1000, 100, 10]), (1, [1000, 100, 10, 1])]
)
def test_shorter_pages_are_tried_and_remembered(ask: Ask, most: int, tried: list[int]) -> None:
    asked: list[int] = []
    requests, _, _ = ask(refusing_over(most, asked))
    requests.list("")
    assert asked == tried
    requests.list("b")
    assert asked == [*tried, tried[-1]]


def test_a_refusal_stays_one(ask: Ask) -> None:
    asked: list[int] = []
    requests, _, clock = ask(refusing_over(0, asked))
    for _ in range(3):
        with pytest.raises(errors.Forbidden):
            requests.list("")
    assert asked == [1000, 100, 10, 1, 1000, 1000], "shorter pages are tried once in a while"
    asked.clear()
    requests.root_listed(1000)
    clock.now += 1000
    with pytest.raises(errors.Forbidden):
        requests.list("")
    assert asked == [1000], "where a whole page was allowed, its length is not the reason"


def test_without_delimiter_a_refusal_is_remembered(ask: Ask) -> None:
    asked: list[int] = []
    requests, _, clock = ask(refusing_over(0, asked))
    with pytest.raises(errors.Forbidden):
        requests.list("a/", delimiter="")
    assert asked == [1000]
    assert not requests.may_list_flat("a/")
    assert requests.may_list_flat("b/")
    clock.now += 30
    assert requests.may_list_flat("a/")


def test_rows_that_do_not_begin_with_the_prefix_are_not_of_that_directory(ask: Ask) -> None:
    requests, _, _ = ask(lambda prefix, **_: Page([stat("a/x"), stat("b/y"), stat("zz")], ["a/d/", "c/"], None))
    page = requests.list("a/")
    assert [one.id.key for one in page.objects] == ["a/x"]
    assert page.prefixes == ["a/d/"]
    assert len(page.unshowable) == 3
