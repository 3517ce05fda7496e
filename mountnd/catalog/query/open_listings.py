"""The listings under way, by directory: readers of one directory share one (single flight).

Lock order: `OpenListings._lock` comes before the cache's; the cache is written without it.
"""

from __future__ import annotations

import threading

from ...waits import GRACE_S, later
from ..cache.tiered import TieredCache
from ..model.listing import listing_of
from ..readahead.prefetcher import SubtreePrefetcher
from ..requests import Requests
from .paged_listing import FlatPage, PagedListing


class OpenListings:
    """Directories being listed. Observes its listings, on workers' threads: what they complete goes into the cache.

    Args:
        prefetcher: learns how large flat pages' subtrees are.
        keep_bytes: a directory that takes more is huge: streamed, not kept.
    """

    def __init__(
        self, requests: Requests, cache: TieredCache, prefetcher: SubtreePrefetcher, *, keep_bytes: int
    ) -> None:
        self._requests, self._cache, self._prefetcher = requests, cache, prefetcher
        self._memory, self._keep_bytes = cache.memory, keep_bytes
        self._lock = threading.Lock()
        self._listings: dict[str, PagedListing] = {}

    def join(self, prefix: str, *, flat: bool = False) -> tuple[PagedListing, bool]:
        """A directory's listing under way, and whether it is new, then begun `flat` or not. `leave` it afterwards."""
        with self._lock:
            paged = self._listings.get(prefix)
            if paged is not None and not paged.huge and (self._memory.is_fresh(paged.mark.at) or not paged.begun):
                paged.readers += 1
                return paged, False
            paged = PagedListing(
                self._requests, prefix, mark=self._memory.mark(), keep_bytes=self._keep_bytes, flat=flat, observer=self
            )
            paged.readers = 1
            self._listings[prefix] = paged
            return paged, True

    def leave(self, paged: PagedListing) -> None:
        """A reader is done; the last one ends a listing that is not complete."""
        with self._lock:
            paged.readers -= 1
            if paged.listing is None and paged.begun:
                self._memory.set_large(paged.prefix)
            if not paged.readers and self._listings.get(paged.prefix) is paged:
                del self._listings[paged.prefix]
        if not paged.readers and paged.listing is None:
            later(GRACE_S, lambda: None if paged.readers else paged.cancel())

    def forget(self, prefix: str) -> None:
        """Nobody may join what is under way for a directory; its present readers go on."""
        with self._lock:
            self._listings.pop(prefix, None)

    def clear(self) -> None:
        """Nobody may join anything that is under way now."""
        with self._lock:
            self._listings.clear()

    def completed(self, paged: PagedListing) -> None:
        """All pages came."""
        assert paged.listing is not None
        self._cache.put(paged.prefix, paged.listing, paged.mark.serial)
        with self._lock:
            if self._listings.get(paged.prefix) is paged:
                del self._listings[paged.prefix]

    def first_page_of_several(self, paged: PagedListing) -> None:
        """The first page was not all: the directory is large, also where nobody waits for the page any more."""
        with self._lock:
            if not paged.readers:
                self._memory.set_large(paged.prefix)

    def flat_page(self, paged: PagedListing, page: FlatPage) -> None:
        """A flat first page came."""
        for prefix, contents in page.below:
            self._cache.put(prefix, listing_of(contents, paged.mark.at), paged.mark.serial)
        self._prefetcher.flat_page_listed(paged.prefix, page.keys, page.complete)
