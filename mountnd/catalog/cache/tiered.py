"""What is known, in memory and on disk, as one: listings come in, are reported on, and come back after a restart.

Lock order: `TieredCache._lock` (over the reports alone) is a leaf.
"""

from __future__ import annotations

import logging
import threading
import time
from typing import NamedTuple

from ...errors import Forbidden
from ...stats import LISTINGS_RECALLED, Stats
from ..model.answer import Answer, RequestMark
from ..model.listing import Listing
from ..model.location import Location
from .disk import ListingDiskCache
from .memory import MemoryCache
from .shared import SharedListings
from .slot import KnownListing

log = logging.getLogger(__name__)

# Directories whose hidden keys were reported in the log; past that a report may come twice.
REPORTED_MAX = 100_000


class Measured(NamedTuple):
    """How many files lie in a tree, and their bytes. `complete`: all of its names are known; else there may be more."""

    files: int
    bytes: int
    complete: bool


class TieredCache:
    """A cache in memory, and the files behind it if there are any: the node's own, and those that nodes share.

    Attributes:
        memory: for questions that must not cost a look at the disk; what is to last goes through the methods here.
    """

    def __init__(
        self,
        memory: MemoryCache,
        disk: ListingDiskCache | None,
        stats: Stats,
        location: Location,
        shared: SharedListings | None = None,
    ) -> None:
        self.memory = memory
        self._disk, self._shared, self._stats, self._location = disk, shared, stats, location
        self._kept: list[ListingDiskCache | SharedListings] = [one for one in (disk, shared) if one is not None]
        self._lock = threading.Lock()
        self._reported: set[str] = set()
        self._top_refused = False

    def find(self, prefix: str) -> KnownListing | None:
        """What is known of a directory, whatever its age; looks on disk when memory does not hold it."""
        known = self.memory.find(prefix)
        if known is None:
            return self.memory.find(prefix) if self.recall(prefix) else None
        return self.memory.find(prefix) if self._renew(prefix, known) else known

    def _renew(self, prefix: str, known: KnownListing | None) -> bool:
        """Where what memory holds has expired: take what another node has listed since; whether there was something."""
        if self._shared is None or known is None or known.fresh or known.names_to_recheck:
            return False
        serial = self.memory.mark().serial
        listing = self._shared.get(prefix)
        if listing is None or listing.at <= known.listing.at:
            return False
        self._recalled(prefix, listing, serial)
        return True

    def put(self, prefix: str, listing: Listing, serial: int) -> None:
        """A directory was listed by requests sent since `serial`."""
        for kept in self._kept:
            kept.add(prefix, listing)
        self._report(prefix, listing)
        self.memory.put(prefix, listing, serial)  # last: whoever sees it finds the rest done

    def put_answer(
        self, prefix: str, name: bytes, answer: Answer, mark: RequestMark, lasts: float = float("inf")
    ) -> None:
        """The store answered for one name; as `MemoryCache.put_answer`."""
        listing = self.memory.put_answer(prefix, name, answer, mark, lasts)
        if listing is not None:
            for kept in self._kept:
                kept.add(prefix, listing)

    def refused(self, prefix: str, why: Forbidden) -> None:
        """Listing a directory was refused. That the top of the tree refuses it is told: the mount looks empty then."""
        self.memory.set_unlistable(prefix)
        with self._lock:
            told, self._top_refused = self._top_refused, self._top_refused or prefix == self._location.root
        if self._top_refused and not told:
            log.warning(
                "%s: its top may not be listed; what lies below is found by name only (%s)", self._location.url, why
            )

    def recall(self, prefix: str) -> bool:
        """Take into memory what the disk has of a directory that memory does not hold, or what another node has listed
        since what memory holds has expired; whether there was something."""
        if not self._kept:
            return False
        if self.memory.has(prefix):
            return self._shared is not None and self._renew(prefix, self.memory.find(prefix))
        listing = self.peek_disk(prefix)
        if listing is None:
            return False
        self._recalled(prefix, listing, 0)
        return True

    def _recalled(self, prefix: str, listing: Listing, serial: int) -> None:
        self.memory.put(prefix, listing, serial)
        self._report(prefix, listing)  # this mount's log has not told it
        self._stats.add(LISTINGS_RECALLED)

    def peek_disk(self, prefix: str) -> Listing | None:
        """What the disk has of a directory, or nodes share of it, whichever is later. It stays there: nothing is taken
        into memory."""
        found = [listing for kept in self._kept if (listing := kept.get(prefix)) is not None]
        return max(found, key=lambda listing: listing.at, default=None)

    def measure(self, root: str, until: float) -> Measured:
        """The files at and below a directory in the listings that lead there. Takes nothing into memory, and ends at
        `until` (monotonic seconds)."""
        files = nbytes = unknown = 0
        queue = [root]
        while queue and time.monotonic() <= until:
            prefix = queue.pop()
            known = self.memory.find(prefix)
            listing = known.listing if known is not None else self._disk.get(prefix) if self._disk is not None else None
            if listing is None:
                unknown += 1
                continue
            more, size, directories = listing.measure()
            files, nbytes = files + more, nbytes + size
            queue += [prefix + name.decode("utf-8", "surrogateescape") for name in directories]
        return Measured(files, nbytes, not (unknown or queue))

    def count_kept(self, root: str, until: float) -> tuple[int, bool]:
        """Names at and below a directory in the listings that lead there, and whether all were counted before `until`
        (monotonic seconds). Takes nothing into memory."""
        count, queue = 0, [root]
        while queue:
            prefix = queue.pop()
            known = self.memory.find(prefix)
            listing = known.listing if known is not None else self._disk.get(prefix) if self._disk is not None else None
            if listing is None:
                continue
            count += len(listing)
            names = map(listing.name, range(len(listing)))
            queue += [prefix + name.decode("utf-8", "surrogateescape") for name in names if name.endswith(b"/")]
            if time.monotonic() > until:
                return count, not queue
        return count, True

    def invalidate(self, prefix: str, name: bytes) -> None:
        """Believe nothing of a name any more."""
        self.memory.invalidate(prefix, name)
        for kept in self._kept:
            kept.invalidate(prefix)

    def invalidate_below(self, prefix: str) -> None:
        """Believe nothing at or below a key prefix any more."""
        for kept in self._kept:
            kept.invalidate_below(prefix)
        self.memory.invalidate_below(prefix)

    def flush(self) -> None:
        """Write what is not written yet."""
        for kept in self._kept:
            kept.flush()

    def close(self) -> None:
        """Write what is not written yet. Idempotent."""
        for kept in self._kept:
            kept.close()

    def _report(self, prefix: str, listing: Listing) -> None:
        if not listing.hidden:
            return
        with self._lock:
            if prefix in self._reported:
                return
            if len(self._reported) >= REPORTED_MAX:
                self._reported.clear()
            self._reported.add(prefix)
        count = len(listing.hidden) + listing.more_hidden
        first, shown = listing.hidden[0], self._location.display(prefix)
        log.warning("%r: %d key(s) not shown, the first: %r: %s", shown, count, first.key, first.reason)
