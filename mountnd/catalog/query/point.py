"""Asking the store for one name: what is sent, and what the answers mean.

Where keys come sorted (`Store.flat`), one LIST of the keys that begin with the name tells whether it
is a file (with its stat), a directory, or absent. Elsewhere a HEAD of the file and a LIST of the
directory go side by side. Either way it is one round trip.

The functions that take `requests` run on a worker's thread.
"""

from __future__ import annotations

from contextlib import suppress
from typing import NamedTuple

from ...errors import Forbidden, NotFound
from ...stores.base import ObjectStat, Page
from ..model.answer import Answer
from ..model.entry import Entry
from ..model.grouping import Directory, Grouper, OutOfOrder
from ..model.keys import Contents, directory_may_follow, last_of, sort_key
from ..requests import Requests


class Name(NamedTuple):
    """A name that is asked for.

    Args:
        prefix: key prefix of the directory it is in.
        name: its bytes; `segment`: the same as a segment of a key.
    """

    prefix: str
    name: bytes
    segment: str

    @property
    def key(self) -> str:
        """The key of the file of that name."""
        return self.prefix + self.segment


class SubtreePage(NamedTuple):
    """What one page of all keys that begin with a name tells.

    Args:
        answer: what the name is, None when this page does not tell.
        directories: those that the page completes: for a subtree of up to 1,000 keys all of it, so that the rest of a
            path costs nothing.
        keys: how many came; `complete`: whether these were all.
    """

    answer: Answer | None
    directories: list[Directory]
    keys: int
    complete: bool


def ask_by_prefix(requests: Requests, asked: Name) -> Answer:
    """What a name is, by one LIST; by two when a thousand names between `x` and `x/` fill a page."""
    page = requests.list(asked.key)
    answer = _answer_of_page(asked, page)
    if answer is not None:
        return answer
    return combine(asked, _stat_of(page, asked.key), list_first_below(requests, asked.key))


def list_first_below(requests: Requests, key: str) -> Page:
    """The first key of the directory `key`, if any: its marker sorts before all else in it."""
    below = key + "/"
    if requests.flat and requests.may_list_flat(below):
        with suppress(Forbidden):
            return requests.list(below, delimiter="", limit=1)
    return requests.list(below, limit=1)


def head(requests: Requests, key: str) -> ObjectStat | None:
    """The object `key`, None when there is none."""
    try:
        return requests.head(key)
    except NotFound:
        return None


def combine(asked: Name, stat: ObjectStat | None, below: Page) -> Answer:
    """What a name is, from the HEAD of its key and a LIST of its directory."""
    if below.objects or below.prefixes or below.unshowable:
        return Entry(asked.name, asked.key + "/", True, _stat_of(below, asked.key + "/"))
    return NotFound() if stat is None else Entry(asked.name, asked.key, False, stat)


def ask_subtree(requests: Requests, asked: Name) -> SubtreePage:
    """One page of all keys that begin with the name, without delimiter."""
    page = requests.list(asked.key, delimiter="")
    grouper = Grouper(asked.prefix, asked.key)
    try:
        grouper.feed(page.objects)
    except OutOfOrder:
        return SubtreePage(None, [], 0, False)
    grouper.finish(None if page.token is None else page.objects[-1].id.key if page.objects else asked.prefix)
    around = next(one.contents for one in [*grouper.partial, *grouper.completed] if one.prefix == asked.prefix)
    last = last_of(page)[len(sort_key(asked.prefix)) :]
    answer: Answer | None = None
    if page.token is None or asked.name + b"/" in around.rows or not directory_may_follow(asked.name, last):
        answer = _answer_of_rows(asked, around, dict(grouper.completed).get(asked.key + "/"))
    completed = [] if page.unshowable or page.hidden else grouper.completed
    return SubtreePage(answer, completed, len(page.objects), page.token is None)


def _answer_of_page(asked: Name, page: Page) -> Answer | None:
    if f"{asked.key}/" in page.prefixes:
        return Entry(asked.name, asked.key + "/", True, None)
    if page.token is not None and directory_may_follow(sort_key(asked.key), last_of(page)):
        return None
    stat = _stat_of(page, asked.key)
    return NotFound() if stat is None else Entry(asked.name, asked.key, False, stat)


def _answer_of_rows(asked: Name, around: Contents, below: Contents | None) -> Answer:
    if asked.name + b"/" in around.rows:
        return Entry(asked.name, asked.key + "/", True, below.marker if below else None)
    stat = around.rows.get(asked.name)
    return NotFound() if stat is None else Entry(asked.name, stat.id.key, False, stat)


def _stat_of(page: Page, key: str) -> ObjectStat | None:
    return next((stat for stat in page.objects if stat.id.key == key), None)
