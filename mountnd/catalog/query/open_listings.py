"""The listings under way, by directory: readers of one directory share one (single flight).

Lock order: `Pagers._lock` is a leaf; `keep` is called without it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from ..cache.memory import Shelf
from ..model.keys import Found
from ..model.listing import Listing, complete
from ..requests import Requests
from .paged_listing import Pager


class Pagers:
    """Directories being listed.

    Args:
        keep: called on a worker with (prefix, listing, stamp) of each directory that was listed whole.
        tried: called on a worker with (prefix, keys, whether these were all) of a flat first page.
        keep_bytes: a directory that takes more is huge: streamed, not kept.
    """

    def __init__(
        self,
        requests: Requests,
        shelf: Shelf,
        *,
        keep: Callable[[str, Listing, int], None],
        tried: Callable[[str, int, bool], None],
        keep_bytes: int,
    ) -> None:
        self._requests, self._shelf, self._keep_bytes = requests, shelf, keep_bytes
        self._keep, self._tried = keep, tried
        self._lock = threading.Lock()
        self._pagers: dict[str, Pager] = {}

    def join(self, prefix: str, *, flat: bool = False) -> tuple[Pager, bool]:
        """A directory's listing under way, and whether it is new, then begun `flat` or not. `leave` it afterwards."""
        with self._lock:
            pager = self._pagers.get(prefix)
            if pager is not None and not pager.huge and (self._shelf.fresh(pager.sent.at) or not pager.begun):
                pager.readers += 1
                return pager, False
            sent = self._shelf.sent()

            def landed(keys: int, whole: bool, below: list[tuple[str, Found]]) -> None:
                for where, found in below:
                    self._keep(where, complete(where, found, sent.at), sent.stamp)
                self._tried(prefix, keys, whole)

            pager = Pager(
                self._requests,
                prefix,
                sent=sent,
                keep_bytes=self._keep_bytes,
                done=self._listed,
                more=self._unfinished,
                flat=landed if flat else None,
            )
            pager.readers = 1
            self._pagers[prefix] = pager
            return pager, True

    def leave(self, pager: Pager) -> None:
        """A reader is done; the last one ends a listing that is not complete."""
        with self._lock:
            pager.readers -= 1
            if pager.listing is None and pager.begun:
                self._shelf.set_large(pager.prefix)
            if not pager.readers and self._pagers.get(pager.prefix) is pager:
                del self._pagers[pager.prefix]

    def forget(self, prefix: str) -> None:
        """Nobody may join what is under way for a directory; its present readers go on."""
        with self._lock:
            self._pagers.pop(prefix, None)

    def clear(self) -> None:
        """Nobody may join anything that is under way now."""
        with self._lock:
            self._pagers.clear()

    def _listed(self, pager: Pager) -> None:
        assert pager.listing is not None
        self._keep(pager.prefix, pager.listing, pager.sent.stamp)
        with self._lock:
            if self._pagers.get(pager.prefix) is pager:
                del self._pagers[pager.prefix]

    def _unfinished(self, pager: Pager) -> None:
        """The first page was not all: the directory is large, also where nobody waits for the page any more."""
        with self._lock:
            if not pager.readers:
                self._shelf.set_large(pager.prefix)
