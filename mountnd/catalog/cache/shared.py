"""Names that nodes share: the listings of one source in a directory that several nodes have mounted, beside our own.

They are the files of `disk`, written and read in the same way: each mount adds files that are never changed. How old a
listing is goes by the clock of their file system, which is one for all. Each call goes through the place's guard: where
the file system hangs or fails, nothing is known from there.

Lock order: it has no lock of its own; none is held across I/O.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from ...shared_directory.place import SharedPlace
from ..model.listing import Listing
from .disk import ListingDiskCache

log = logging.getLogger(__name__)

FOLDER = "names"


class SharedListings:
    """Those of one source. Nothing of it raises.

    Args:
        source: the store's identity.
        clock: monotonic seconds.
    """

    def __init__(self, place: SharedPlace, source: str, *, clock: Callable[[], float]) -> None:
        self._place, self._guard, self._source, self._clock = place, place.guard, source, clock
        self._opened: ListingDiskCache | None = None
        self._guard.post(self._open)

    def get(self, prefix: str) -> Listing | None:
        """The latest listing of a directory that is kept there, with its age in `at`; None when none is."""
        if not self._guard.is_on:
            return None
        try:
            return self._guard.call(self._get, prefix)
        except OSError:
            return None

    def add(self, prefix: str, listing: Listing) -> None:
        """Keep a directory's listing for others."""
        if (opened := self._writable()) is not None:
            opened.add(prefix, listing)

    def invalidate(self, prefix: str) -> None:
        """What is kept of this directory is invalid."""
        if (opened := self._writable()) is not None:
            opened.invalidate(prefix)

    def invalidate_below(self, prefix: str) -> None:
        """Keep nothing at or below a key prefix that was listed before now."""
        if (opened := self._writable()) is not None:
            opened.invalidate_below(prefix)

    def flush(self) -> None:
        """Write what is waiting."""
        self._finish(ListingDiskCache.flush)

    def close(self) -> None:
        """Write what is waiting and end. Idempotent."""
        self._finish(ListingDiskCache.close)

    def _writable(self) -> ListingDiskCache | None:
        return self._opened if self._place.may_write and self._guard.is_on else None

    def _finish(self, how: Callable[[ListingDiskCache], None]) -> None:
        if (opened := self._writable()) is not None:
            try:
                self._guard.call(how, opened)
            except OSError:
                pass  # said by the guard; others list it themselves

    def _get(self, prefix: str) -> Listing | None:
        self._place.keep_time()
        return self._open().get(prefix)

    def _open(self) -> ListingDiskCache:
        """On a thread of the guard's."""
        opened = self._opened
        if opened is None:
            folder = self._place.path / FOLDER
            opened = self._opened = ListingDiskCache(
                folder, self._source, clock=self._clock, wall=folder.now, writes=self._place.may_write, say=log.info
            )
        return opened
