"""Believe nothing of a name or a subtree any more: neither what is known nor what is under way."""

from __future__ import annotations

from ..cache.tiered import TieredCache
from ..model.keys import split_key
from ..readahead.prefetcher import SubtreePrefetcher
from .open_listings import OpenListings
from .single_flight import SingleFlight


class Invalidation:
    """What must be told when something is not true any more. Holds nothing itself."""

    def __init__(
        self,
        cache: TieredCache,
        flights: SingleFlight,
        listings: OpenListings,
        prefetcher: SubtreePrefetcher,
        root: str,
    ) -> None:
        self._cache, self._flights, self._listings, self._prefetcher = cache, flights, listings, prefetcher
        self._root = root

    def name(self, key: str) -> None:
        """The file or directory `key` (a directory's without its slash) is gone or changed."""
        prefix, segment = split_key(key)
        self._cache.invalidate(prefix, segment.encode("utf-8", "surrogateescape"))
        self._flights.forget(key)
        self._listings.forget(prefix)

    def directory(self, prefix: str) -> None:
        """The directory itself is gone or changed, as its parent shows it. The root has no parent."""
        if prefix != self._root:
            self.name(prefix.removesuffix("/"))

    def subtree(self, prefix: str) -> None:
        """Everything at or below a key prefix."""
        self._cache.invalidate_below(prefix)
        self._flights.clear()
        self._listings.clear()
        self._prefetcher.clear()
        self.directory(prefix)
