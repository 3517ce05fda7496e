"""Asking the store for one name: what is sent, and what the answers mean.

Where keys come sorted (`store.flat`), one LIST of the keys that begin with the name tells whether it
is a file (with its stat), a directory, or absent. Elsewhere a HEAD of the file and a LIST of the
directory go side by side. Either way it is one round trip.
"""

from __future__ import annotations

from ...errors import NotFound
from ...stores.base import ObjectStat, Page
from ..cache.memory import Answer
from ..model.entry import Entry
from ..model.grouping import Disorder, Fold
from ..model.keys import Found, order, undecided
from ..model.listing import Listing, complete
from ..requests import Requests


def by_prefix(requests: Requests, prefix: str, name: bytes, segment: str) -> Answer:
    """What `name` below `prefix` is, by one LIST; by two when a thousand names between `x` and `x/` fill a page."""
    key = prefix + segment
    page = requests.list(key)
    answer = _decide(prefix, name, segment, page)
    return answer if answer is not None else by_both(name, key, _stat(page, key), below(requests, key))


def below(requests: Requests, key: str) -> Page:
    """The first key of the directory `key`, if any: its marker sorts before all else in it."""
    return requests.list(key + "/", delimiter="", limit=1) if requests.store.flat else requests.list(key + "/", limit=1)


def head(requests: Requests, key: str) -> ObjectStat | None:
    """The object `key`, None when there is none."""
    try:
        return requests.head(key)
    except NotFound:
        return None


def by_both(name: bytes, key: str, stat: ObjectStat | None, inside: Page) -> Answer:
    """What a name is, from the HEAD of its key and a LIST of its directory."""
    if inside.objects or inside.prefixes or inside.unshowable:
        marker = _stat(inside, key + "/")
        return Entry(name, key + "/", True, marker)
    return NotFound() if stat is None else Entry(name, key, False, stat)


def deep(
    requests: Requests, prefix: str, name: bytes, segment: str, at: float
) -> tuple[Answer | None, list[tuple[str, Listing]], int, bool]:
    """One page of all keys that begin with the name, without delimiter.

    Returns what the name is (None when this page does not tell), the directories that the page
    completes (for a subtree of up to 1,000 keys all of it, so that the rest of a path costs nothing),
    how many keys came, and whether these were all.
    """
    page = requests.list(prefix + segment, delimiter="")
    fold = Fold(prefix, prefix + segment)
    try:
        fold.feed(page.objects)
    except Disorder:
        return None, [], 0, False
    fold.finish(None if page.token is None else page.objects[-1].id.key if page.objects else prefix)
    here = next(found for where, found in [*fold.partial, *fold.closed] if where == prefix)
    listings = [(where, complete(where, found, at)) for where, found in fold.closed if not page.unshowable]
    last = order(page.objects[-1].id.key)[len(order(prefix)) :] if page.objects else b""
    answer: Answer | None = None
    if page.token is None or name + b"/" in here.rows or not undecided(name, last):
        answer = _shown(prefix, name, segment, here, dict(fold.closed).get(f"{prefix}{segment}/"))
    return answer, listings, len(page.objects), page.token is None


def _decide(prefix: str, name: bytes, segment: str, page: Page) -> Answer | None:
    key = prefix + segment
    if f"{key}/" in page.prefixes:
        return Entry(name, key + "/", True, None)
    ends = [order(stat.id.key) for stat in page.objects[-1:]] + [order(common) for common in page.prefixes[-1:]]
    if page.token is not None and undecided(order(key), max(ends, default=b"")):
        return None
    stat = _stat(page, key)
    return NotFound() if stat is None else Entry(name, key, False, stat)


def _shown(prefix: str, name: bytes, segment: str, here: Found, inside: Found | None) -> Answer:
    if name + b"/" in here.rows:
        return Entry(name, f"{prefix}{segment}/", True, inside.marker if inside else None)
    stat = here.rows.get(name)
    return NotFound() if stat is None else Entry(name, stat.id.key, False, stat)


def _stat(page: Page, key: str) -> ObjectStat | None:
    return next((stat for stat in page.objects if stat.id.key == key), None)
