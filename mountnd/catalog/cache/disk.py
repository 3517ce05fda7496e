"""Names that last: listings of one source in files that several mounts share and that survive kill -9.

Write-behind: what comes in waits for about a second and is then written as a new segment (`segments`). Reading looks
at what waits first.

Lock order: `ListingDiskCache._flushing`, held by the one thread that writes, comes before `ListingDiskCache._lock`, and
that before `SegmentDirectory._lock`; no file is read or written with `_lock` held.
"""

from __future__ import annotations

import hashlib
import logging
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from ...private_directory import PrivatePath
from ...regular_file import UntrustedDirectory
from ..model.listing import Listing
from . import segment
from .segment import Invalidation, Record
from .segments import SegmentDirectory

log = logging.getLogger(__name__)

# Seconds that what came in waits for more: what kill -9 can lose.
FLUSH_S = 1.0
# Bytes waiting from which on they are written at once.
FLUSH_BYTES = 8 << 20
# After a write that failed (a directory that is not ours, a full disk, no free descriptor), how long until the next.
RETRY_S = 60.0


class _Waiting(NamedTuple):
    """A directory to be written: its listing (None: what was written before is invalid), wall times of both."""

    listing: Listing | None
    at: float
    written: float

    @property
    def nbytes(self) -> int:
        return self.listing.nbytes if self.listing is not None else 100


def has_listings(directory: Path | PrivatePath, source: str) -> bool:
    """Whether the directory for all sources has one for `source`."""
    return os.path.isdir(source_directory(directory, source))


def source_directory(directory: Path | PrivatePath, source: str) -> PrivatePath:
    """Where below `directory` the files of one source are."""
    name = hashlib.blake2b(source.encode("utf-8", "surrogatepass"), digest_size=12).hexdigest()
    return PrivatePath.of(directory) / name


class ListingDiskCache:
    """The listings of one source. A directory that cannot be written is warned of once, and tried again after a while.

    Args:
        directory: for all sources; each has a directory of its own below.
        source: the store's identity.
        clock, wall: monotonic and calendar seconds.
        writes: whether anything is written there; where not, what is there is read.
        say: how it is told that something cannot be kept.

    Attributes:
        directory: where this source's files are.
    """

    def __init__(
        self,
        directory: Path | PrivatePath,
        source: str,
        *,
        clock: Callable[[], float],
        wall: Callable[[], float],
        writes: bool = True,
        say: Callable[..., None] = log.warning,
    ) -> None:
        place = source_directory(directory, source)
        self.directory = Path(place)
        self._clock, self._wall, self._tell = clock, wall, say
        self._segments = SegmentDirectory(place, source, clock=clock, wall=wall)
        self._lock = threading.Lock()
        self._change = threading.Condition(self._lock)
        self._waiting: dict[str, _Waiting] = {}
        self._invalidations: list[Invalidation] = []  # not written yet
        self._bytes = 0
        self._writer: threading.Thread | None = None
        self._closed = self._said = False
        self._off_until = float("-inf")
        self._flushing = threading.Lock()
        if not writes:
            self._closed = True
            return
        try:
            self._segments.open()
        except OSError as e:
            self._suspend(e)

    def get(self, prefix: str) -> Listing | None:
        """The latest listing of a directory that is kept, with its age in `at`; None when none is."""
        with self._lock:
            waiting = self._waiting.get(prefix)
            if waiting is not None and not self._segments.is_invalid(prefix, waiting.at):
                return waiting.listing
        try:
            return self._segments.read(prefix)
        except OSError as e:
            self._say(e)
            return None

    def add(self, prefix: str, listing: Listing) -> None:
        """Keep a directory's listing."""
        now = self._wall()
        self._put(prefix, _Waiting(listing, now - (self._clock() - listing.at), now))

    def invalidate(self, prefix: str) -> None:
        """What is kept of this directory is invalid."""
        now = self._wall()
        self._put(prefix, _Waiting(None, now, now))

    def invalidate_below(self, prefix: str) -> None:
        """Keep nothing at or below a key prefix that was listed before now."""
        with self._change:
            for below in [below for below in self._waiting if below.startswith(prefix)]:
                self._bytes -= self._waiting.pop(below).nbytes
            now = self._wall()
            self._invalidations.append((prefix, now))
            self._segments.invalidate_below(prefix, now)
            if not (self._closed or self._off):
                self._wake()

    def flush(self) -> None:
        """Write what is waiting."""
        with self._flushing:
            with self._lock:
                waiting, invalidations = dict(self._waiting), list(self._invalidations)
            if self._off or not (waiting or invalidations):
                return
            records = [
                Record(
                    segment.prefix_hash(prefix),
                    at,
                    written,
                    b"" if listing is None else segment.encode(prefix, listing),
                )
                for prefix, (listing, at, written) in waiting.items()
            ]
            try:
                self._segments.write(records, invalidations)
                with self._lock:
                    for prefix, what in waiting.items():
                        if self._waiting.get(prefix) is what:
                            del self._waiting[prefix]
                            self._bytes -= what.nbytes
                    self._invalidations = self._invalidations[len(invalidations) :]
                self._segments.merge()
            except OSError as e:
                self._suspend(e)

    def close(self) -> None:
        """Write what is waiting and end. Idempotent."""
        with self._change:
            self._closed = True
            self._change.notify_all()
            writer, self._writer = self._writer, None
        if writer is not None:
            writer.join()
        self.flush()

    def _put(self, prefix: str, what: _Waiting) -> None:
        with self._change:
            if self._closed:
                return
            if self._off:
                what = what._replace(listing=None)  # not kept; but what is on disk must not be taken for the latest
            old, first = self._waiting.get(prefix), not self._waiting
            self._waiting[prefix] = what
            self._bytes += what.nbytes - (old.nbytes if old else 0)
            if self._off:
                self._bound()
            elif first or self._bytes >= FLUSH_BYTES or self._writer is None:
                self._wake()  # not for each: woken for each of 2,000 directories, the writer was in their way

    def _wake(self) -> None:
        if self._writer is None:
            self._writer = threading.Thread(target=self._write_behind, name="names-writer", daemon=True)
            self._writer.start()
        self._change.notify_all()

    def _write_behind(self) -> None:
        while True:
            with self._change:
                self._change.wait_for(lambda: self._closed or self._waiting or self._invalidations)
                self._change.wait_for(lambda: self._closed or self._bytes >= FLUSH_BYTES, FLUSH_S)
                if self._closed or self._off:
                    self._writer = None
                    return
            self.flush()

    @property
    def _off(self) -> bool:
        return self._clock() < self._off_until

    def _suspend(self, why: OSError) -> None:
        """Write nothing for a while, and let go of what waits. What waited is marked as not on disk."""
        with self._lock:
            self._off_until = self._clock() + RETRY_S
            self._waiting = {prefix: what._replace(listing=None) for prefix, what in self._waiting.items()}
            self._bytes = sum(what.nbytes for what in self._waiting.values())
            self._bound()
        self._say(why)

    def _bound(self) -> None:
        if self._bytes >= FLUSH_BYTES:
            now = self._wall()
            self._invalidations = [("", now)]
            self._segments.invalidate_below("", now)
            self._waiting.clear()
            self._bytes = 0

    def _say(self, why: OSError) -> None:
        with self._lock:
            said, self._said = self._said, True
        if not said:
            where = why.filename if isinstance(why, UntrustedDirectory) else self.directory
            self._tell("%s: names are not kept across restarts: %s", where, why.strerror or why)
