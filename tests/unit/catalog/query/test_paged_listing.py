"""One directory page by page: what is held back, what a first page settles, what a huge one forgets."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from mountnd import errors
from mountnd.catalog.model.answer import RequestMark
from mountnd.catalog.query.paged_listing import FlatPage, PagedListing
from mountnd.catalog.requests import Requests
from mountnd.stats import Stats
from mountnd.stores.base import Deadline
from mountnd.stores.memory import MemoryStore
from mountnd.workers import Workers
from tests.model.small_pages import SmallPages


class Nobody:
    """Wants to know nothing."""

    def completed(self, paged: PagedListing) -> None:
        pass

    def first_page_of_several(self, paged: PagedListing) -> None:
        pass

    def flat_page(self, paged: PagedListing, page: FlatPage) -> None:
        pass


@pytest.fixture
def workers() -> Iterator[Workers]:
    pool = Workers(2, "names")
    yield pool
    pool.close()


def paged_listing(
    workers: Workers, keys: list[str], *, page: int, keep_bytes: int = 1 << 20, flat: bool = False
) -> PagedListing:
    store = SmallPages(dict.fromkeys(keys, b"x"))
    store.page = page
    requests = Requests(store, workers, Stats(), timeout=20, clock=lambda: 0.0)
    return PagedListing(
        requests,
        "",
        mark=RequestMark(0.0, 1),
        keep_bytes=keep_bytes,
        flat=flat,
        observer=Nobody(),
    )


def pages(p: PagedListing) -> list[list[str]]:
    """Names by page."""
    result: list[list[str]] = []
    while (task := p.fetch(len(result))) is not None:
        rows = task.future.result(20)
        result.append([rows.name(i).decode() for i in range(rows.count)])
    return result


def test_a_file_waits_until_no_directory_can_follow(workers: Workers) -> None:
    p = paged_listing(workers, ["a", "a-1", "a-2", "b"], page=2)
    assert pages(p) == [[], ["a", "a-1", "a-2", "b"]]
    assert p.listing is not None and len(p.listing) == 4


def test_a_directory_pages_later_wins(workers: Workers) -> None:
    p = paged_listing(workers, ["a", *(f"a-{i}" for i in range(9)), "a/x", "b"], page=2)
    names = [name for page in pages(p) for name in page]
    assert names == [*(f"a-{i}" for i in range(9)), "a/", "b"]
    assert [report.key for report in p.hidden] == ["a"]
    assert p.listing is not None and p.listing.get(b"a", "", "s") is not None


@pytest.mark.parametrize("flat", [False, True])
def test_a_first_page_settles_only_what_sorts_before_its_end(workers: Workers, flat: bool) -> None:
    p = paged_listing(workers, ["a", "b", "c", "d", "e"], page=2, keep_bytes=1, flat=flat)
    assert p.decide(b"a")[0] is False
    pages(p)
    assert p.listing is None and p.huge
    # The first page was pushed out, or still says nothing of what comes after it.
    for name in (b"e", b"zzz"):
        assert p.decide(name) == (False, None, 0)


def test_a_flat_first_page_goes_on_with_delimiter(workers: Workers) -> None:
    p = paged_listing(workers, ["a/1", "a/2", "a/3", "b/1", "c", "d/1"], page=2, flat=True)
    assert [name for page in pages(p) for name in page] == ["a/", "b/", "c", "d/"]
    assert p.listing is not None and len(p.listing) == 4


def test_pages_pushed_out_come_back_the_same(workers: Workers) -> None:
    p = paged_listing(workers, [f"{i:02}" for i in range(30)], page=2, keep_bytes=1)
    first = pages(p)
    assert sum(map(len, first)) == 30
    for number in (0, 7, 3):
        task = p.fetch(number)
        assert task is not None
        rows = task.future.result(20)
        assert [rows.name(i).decode() for i in range(rows.count)] == first[number]
        assert p.place(p.offset(number) or 0) == (number, 0)


def test_a_failed_page_can_be_asked_for_again(workers: Workers) -> None:
    p = paged_listing(workers, ["a", "b"], page=2)
    store = p._requests._store
    assert isinstance(store, MemoryStore)

    def fail(call: object) -> None:
        store.fault = None
        raise ValueError("once")

    store.fault = fail
    task = p.fetch(0)
    assert task is not None
    with pytest.raises(ValueError, match="once"):
        task.future.result(20)
    assert pages(p) == [["a", "b"]]


def test_a_listing_that_makes_no_progress_is_an_error(workers: Workers) -> None:
    p = paged_listing(workers, ["a", "b", "c"], page=1)
    store = p._requests._store
    page = store.list_page("", limit=1, deadline=Deadline(5))
    store.list_page = lambda *_, **__: page  # type: ignore[method-assign]
    task = p.fetch(0)
    assert task is not None
    task.future.result(20)
    task = p.fetch(1)
    assert task is not None
    with pytest.raises(errors.BadAnswer, match="makes no progress"):
        task.future.result(20)
