"""What is known, in memory and on disk, as one: listings come in, are reported on, and come back after a restart.

Lock order: `Keeper._lock` is a leaf.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from ...stats import Stats
from ..model.listing import Listing
from .disk import Persist
from .memory import Shelf

log = logging.getLogger(__name__)

# Directories whose hidden keys were reported in the log; past that a report may come twice.
REPORTED_MAX = 100_000


class Keeper:
    """A shelf, and the files behind it if there are any.

    Args:
        say: how a person would name a key.
    """

    def __init__(self, shelf: Shelf, persist: Persist | None, stats: Stats, *, say: Callable[[str], str]) -> None:
        self._shelf, self._persist, self._stats, self._say = shelf, persist, stats, say
        self._lock = threading.Lock()
        self._reported: set[str] = set()

    def keep(self, prefix: str, listing: Listing, stamp: int) -> None:
        """A directory was listed by requests sent since `stamp`."""
        self._shelf.put(prefix, listing, stamp)
        self.save(prefix, listing)
        self._report(prefix, listing)

    def save(self, prefix: str, listing: Listing) -> None:
        """The same for the files alone."""
        if self._persist is not None:
            self._persist.add(prefix, listing)

    def recall(self, prefix: str) -> bool:
        """Put on the shelf what was kept of a directory that it does not hold; whether there was something."""
        if self._persist is None or self._shelf.has(prefix):
            return False
        listing = self._persist.get(prefix)
        if listing is None:
            return False
        self._shelf.put(prefix, listing, 0)
        self._report(prefix, listing)  # this mount's log has not told it
        self._stats.add("names.recalled.listings")
        return True

    def drop(self, prefix: str, name: bytes) -> None:
        """Believe nothing of a name any more."""
        self._shelf.drop(prefix, name)
        if self._persist is not None:
            self._persist.drop(prefix)

    def refresh(self, prefix: str) -> None:
        """Believe nothing at or below a key prefix any more."""
        if self._persist is not None:
            self._persist.refresh(prefix)
        self._shelf.refresh(prefix)

    def close(self) -> None:
        """Write what is not written yet. Idempotent."""
        if self._persist is not None:
            self._persist.close()

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
        first = listing.hidden[0]
        log.warning("%r: %d key(s) not shown, the first: %r: %s", self._say(prefix), count, first.key, first.reason)
