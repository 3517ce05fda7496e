"""What a page tells of the ranges behind its own, and what becomes of their requests."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from mountnd.catalog.model.answer import RequestMark
from mountnd.catalog.model.grouping import OutOfOrder
from mountnd.catalog.readahead.key_ranges import KeyRange
from mountnd.catalog.readahead.range_lister import RangeLister
from mountnd.stores.base import ObjectId, ObjectStat, Page
from mountnd.workers import Task


class World:
    """Requests that are answered when the test says so, by a page each, and a cache that remembers what it was told."""

    def __init__(self, *prefixes: str) -> None:
        self.memory, self.page = self, Page([], [])
        self.known: dict[str, Any] = {}
        self.lister = RangeLister(
            cast(Any, self), cast(Any, self), "", [KeyRange(p, p[:-1] + "0") for p in prefixes], at_once=True,
            budget=cast(Any, self),
        )  # fmt: skip

    def mark(self) -> RequestMark:
        return RequestMark(0.0, 1)

    def put(self, prefix: str, listing: Any, serial: int) -> None:
        self.known[prefix] = listing

    def grant(self, pages: int, listed: int) -> int:
        return 0 if pages else 10

    def submit(self, call: Callable[..., None], *args: Any, demand: bool) -> Task[None]:
        return Task(call, args)

    def list(self, prefix: str, **_: Any) -> Page:
        return self.page


def page(*keys: str) -> Page:
    return Page([ObjectStat(ObjectId("s", key, '"e"', "", 1), 1, 0) for key in keys], [], "more")


def test_nobody_waits_for_requests_of_which_another_page_has_told() -> None:
    """They run, as it happens, and end with an error: who waits for all of a sample took that for its end."""
    w = World("a/", "b/", "c/")
    first = w.lister.request_for("a/")
    assert first is not None
    told, more = [task for task in w.lister.under_way() if task is not first]
    assert told.future.set_running_or_notify_cancel()
    w.page = page("a/1", "b/1", "c/1")
    first.run()
    assert set(w.known) == {"a/", "b/"}
    assert told.cancelled and w.lister.under_way() == [more]


def test_keys_out_of_order_behind_the_range_end_it_and_its_own_answer_stays() -> None:
    w = World("a/", "b/", "c/")
    first = w.lister.request_for("a/")
    assert first is not None
    w.page = page("a/1", "b/2", "b/1", "c/1")
    first.run()
    assert first.future.exception() is None and set(w.known) == {"a/"}
    assert isinstance(w.lister.failed, OutOfOrder)
    assert w.lister._running == len(w.lister.under_way()) == 2
