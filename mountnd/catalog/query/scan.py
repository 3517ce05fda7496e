"""One directory, for one opendir: known? -> recalled from disk -> told by a subtree's listing -> listed."""

from __future__ import annotations

from contextlib import suppress

from ...errors import Forbidden, NotFound
from ..cache.slot import KnownListing
from ..cache.tiered import TieredCache
from ..model.entry import Entry
from ..model.keys import segment_of, split_key
from ..model.listing import Listing
from ..model.location import Location
from ..readahead.prefetcher import SubtreePrefetcher
from ..waiting import Waiting
from .directory_stream import DirectoryStream
from .invalidation import Invalidation
from .lookup import Lookup
from .open_listings import OpenListings
from .paged_listing import PagedListing
from .point import Name
from .stale_fallback import StaleFallback

# Invalidated names of a directory, up to which a scan asks for them one by one; with more it lists anew.
RECHECK_MAX = 8
# Empty directories remembered to be there.
HOLLOW_MAX = 1024


class Scanner:
    """Opens directories.

    Args:
        implied: whether a directory is there only because keys lie below it (`Store.flat`).
    """

    def __init__(
        self,
        location: Location,
        cache: TieredCache,
        prefetcher: SubtreePrefetcher,
        lookup: Lookup,
        listings: OpenListings,
        invalidation: Invalidation,
        waiting: Waiting,
        fallback: StaleFallback,
        *,
        implied: bool,
    ) -> None:
        self._location, self._cache, self._memory = location, cache, cache.memory
        self._prefetcher, self._lookup, self._listings = prefetcher, lookup, listings
        self._invalidation, self._waiting, self._fallback, self._implied = invalidation, waiting, fallback, implied
        self._hollow: dict[str, float] = {}  # empty directories that are there: when they were listed

    def scan(self, prefix: str) -> DirectoryStream:
        """A directory's entries. Returns when the first page is there. Raises every StoreError, and Interrupted."""
        self._prefetcher.directory_read(prefix)
        known = self._cache.find(prefix)
        if known is not None and known.usable:
            return self._existing(prefix, known.listing)
        return self._fallback.ask(
            lambda until: self._ask(prefix, known, until), lambda: self._stale(prefix), has_stale=known is not None
        )

    def _ask(self, prefix: str, known: KnownListing | None, until: float) -> DirectoryStream:
        if self._lookup.await_subtree_page(prefix, until):
            known = self._memory.find(prefix)
        if known is not None and known.fresh and len(known.names_to_recheck) <= RECHECK_MAX:
            with suppress(Forbidden):  # of the listings of single names; then the directory's own decides
                for name in known.names_to_recheck:
                    self._lookup.ask_alone(Name(prefix, name, segment_of(name) or ""), until)
            if (stream := self._if_usable(prefix)) is not None:
                return stream
        arrival = self._prefetcher.arrive(prefix, until)
        if arrival.known and (stream := self._if_usable(prefix)) is not None:
            return stream
        paged, _ = self._listings.join(prefix, flat=arrival.flat)
        try:
            if (task := paged.fetch(0)) is not None:
                self._waiting.wait(task.future, until)
            if paged.listing is not None:
                self._check_exists(prefix, paged.listing, until)
        except BaseException as error:
            self._listings.leave(paged)
            if isinstance(error, Forbidden):
                self._cache.refused(prefix, error)
            raise
        return self._stream(prefix, paged)

    def _if_usable(self, prefix: str) -> DirectoryStream | None:
        known = self._memory.find(prefix)
        return self._existing(prefix, known.listing) if known is not None and known.usable else None

    def _stale(self, prefix: str) -> DirectoryStream | None:
        known = self._memory.find(prefix)
        return None if known is None else self._stream(prefix, known.listing)

    def _existing(self, prefix: str, listing: Listing) -> DirectoryStream:
        self._check_exists(prefix, listing)
        return self._stream(prefix, listing)

    def _stream(self, prefix: str, contents: Listing | PagedListing) -> DirectoryStream:
        return DirectoryStream(contents, prefix, self._location.source, self._memory, self._waiting, self._listings)

    def _check_exists(self, prefix: str, listing: Listing, until: float | None = None) -> None:
        """In an object store a directory below which no key lies is gone, and its parent does not know yet.

        Unless its parent, asked now, shows it all the same: some servers list what holds deleted versions only.
        """
        if listing.exists or not self._implied or prefix == self._location.root:
            return
        if self._hollow.get(prefix) == listing.at:
            return
        self._invalidation.directory(prefix)
        around, segment = split_key(prefix.removesuffix("/"))
        with suppress(Forbidden):
            name = segment.encode("utf-8", "surrogateescape")
            answer = self._lookup.ask_alone(Name(around, name, segment), until)
            if isinstance(answer, Entry) and answer.is_dir:
                if len(self._hollow) >= HOLLOW_MAX:
                    self._hollow.clear()
                self._hollow[prefix] = listing.at
                return
        raise NotFound(f"no {self._location.display(prefix)}")
