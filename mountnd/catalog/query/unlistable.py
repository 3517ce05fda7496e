"""A name that no listing may tell of: by a HEAD of the object, and a listing below the name.

A policy may allow objects to be read and not listed, or some prefixes to be listed and not what is around them. A HEAD
tells of files only, and where listing is refused S3 answers 403 to the HEAD of a key that is not there. So:

- A HEAD's 404 is no absence: the name may be a directory. It holds for this call and is not kept.
- A name below which something can be listed, or is known, is a directory.
- Where nothing above may be listed, either, and both HEAD and listing are refused, the name is taken to be a
  directory: else no path through it could be opened, whatever may be read at its end. Elsewhere it is refused.
"""

from __future__ import annotations

from typing import NamedTuple

from ...errors import Forbidden, NotFound
from ...stores.base import ObjectStat, Page
from ..cache.tiered import TieredCache
from ..model.answer import Answer
from ..model.entry import Entry
from ..model.permissions import FORBIDDEN_S
from ..readahead.policy import ancestors
from ..requests import Requests
from ..waiting import Waiting
from . import point
from .point import Name


class Verdict(NamedTuple):
    """What a name is taken to be, and for how many seconds at most that is believed (0: for this call only)."""

    answer: Answer
    lasts: float


def judge(
    asked: Name,
    stat: ObjectStat | None,
    refused: Forbidden | None,
    below: Page | None,
    *,
    known_below: bool,
    listed_above: bool,
) -> Verdict:
    """What a name is. Pure.

    Args:
        stat: the object of that key, None where there is none or HEAD was refused.
        refused: the refusal of HEAD.
        below: the first key below the name; None where listing it was refused.
        known_below: something is known below the name from before.
        listed_above: a directory above was listed.
    """
    if stat is not None:
        return Verdict(Entry(asked.name, asked.key, False, stat), float("inf"))
    directory = Entry(asked.name, asked.key + "/", True, None)
    if below is not None and isinstance(answer := point.combine(asked, None, below), Entry):
        return Verdict(answer, float("inf"))
    if known_below or (refused is not None and below is None and not listed_above):
        return Verdict(directory, FORBIDDEN_S)
    if refused is not None:
        return Verdict(refused, FORBIDDEN_S)
    absent = NotFound()
    absent.passing = True
    return Verdict(absent, 0.0)


class Unlistable:
    """Asks for names whose directory may not be listed."""

    def __init__(self, requests: Requests, cache: TieredCache, waiting: Waiting, root: str) -> None:
        self._requests, self._cache, self._memory = requests, cache, cache.memory
        self._waiting, self._root = waiting, root

    def ask(self, asked: Name, until: float) -> Answer:
        """What a name is. Raises every StoreError but NotFound and Forbidden, and Interrupted."""
        mark = self._memory.mark()
        stat: ObjectStat | None = None
        refused: Forbidden | None = None
        below: Page | None = None
        try:
            stat = self._waiting.wait(self._requests.submit(point.head, self._requests, asked.key).future, until)
        except Forbidden as error:
            refused = error
        if stat is None:
            try:
                task = self._requests.submit(point.list_first_below, self._requests, asked.key)
                below = self._waiting.wait(task.future, until)
            except Forbidden:
                pass
        verdict = judge(
            asked,
            stat,
            refused,
            below,
            known_below=stat is None and self._knows_below(asked.key + "/"),
            listed_above=self._listed_above(asked.prefix),
        )
        if verdict.lasts:
            self._cache.put_answer(asked.prefix, asked.name, verdict.answer, mark, verdict.lasts)
        return verdict.answer

    def _knows_below(self, prefix: str) -> bool:
        known = self._cache.find(prefix)  # which also looks on disk
        return (known is not None and known.listing.exists) or self._memory.knows_below(prefix)

    def _listed_above(self, prefix: str) -> bool:
        around = [prefix, *(above for above, _ in ancestors(prefix, self._root))]
        return any(self._memory.may_be_listed(one) for one in around)
