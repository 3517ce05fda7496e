"""What is known, how old it is, and what must be asked again: no I/O, no waiting.

Lock order: `Shelf._lock` is a leaf. Nothing is called with it held but the injected clock.
"""

from __future__ import annotations

import itertools
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from ...errors import Forbidden, NotFound
from ..model.entry import Entry
from ..model.listing import Listing

# Answers to point look-ups kept: some 400 bytes each, so 20 MB at most.
POINTS_MAX = 50_000

# Directories whose lately dropped names are remembered against requests still under way; far more than can be.
DROPS_MAX = 10_000

# Directories remembered as too large for a first page to hold, and as refusing to be listed.
LARGE_MAX = 10_000

# Entries from which on a directory counts as large: what S3 puts on one page.
PAGE = 1000

# A refusal (403) is remembered no longer than this many seconds: credentials and policies get mended
# while somebody watches, and two retries a minute are no storm.
FORBIDDEN_S = 30.0

Answer = Entry | NotFound | Forbidden
_NO_HOLES: frozenset[bytes] = frozenset()


class Sent(NamedTuple):
    """When a request was sent: `at` in monotonic seconds tells its age, `stamp` orders it among drops and refreshes."""

    at: float
    stamp: int


@dataclass(slots=True)
class Known:
    """A directory's listing and the names in it that must be asked for again, whatever the TTL says."""

    listing: Listing
    stamp: int
    holes: frozenset[bytes] = _NO_HOLES


class Shelf:
    """Listings and single answers, by key prefix.

    Args:
        source: what goes into the ids of entries.
        ttl: seconds an answer is believed.
        clock: monotonic seconds.
        limit_bytes: listings held, together; the least lately used go first.
        offline: everything known is believed, whatever its age.

    Attributes:
        used: listings that have answered something.
    """

    def __init__(
        self, source: str, *, ttl: float, clock: Callable[[], float], limit_bytes: int, offline: bool = False
    ) -> None:
        self._source, self._ttl, self._clock, self._limit = source, ttl, clock, limit_bytes
        self._offline = offline
        self._lock = threading.Lock()
        self._stamps = itertools.count(1)
        self._known: OrderedDict[str, Known] = OrderedDict()
        self._points: OrderedDict[tuple[str, bytes], tuple[Answer, float]] = OrderedDict()
        self._large: OrderedDict[str, None] = OrderedDict()
        self._unlistable: OrderedDict[str, float] = OrderedDict()
        self._drops: OrderedDict[str, dict[bytes, int]] = OrderedDict()
        self._refreshes: list[tuple[str, int]] = []
        self._bytes = 0
        self.used = 0

    def sent(self) -> Sent:
        """The mark of a request that is sent now."""
        return Sent(self._clock(), next(self._stamps))

    def fresh(self, at: float) -> bool:
        """Whether what was asked for at `at` is still believed."""
        return self._fresh(at, self._clock())

    def answer(self, prefix: str, name: bytes, *, stale: bool = False) -> Answer | None:
        """What is known of one name, None when the store must be asked. `stale`: whatever its age."""
        now = self._clock()
        with self._lock:
            known = self._known.get(prefix)
            if known and name not in known.holes and (stale or self._fresh(known.listing.at, now)):
                listing = self._use(prefix, known)
            else:
                point = self._points.get((prefix, name))
                return point[0] if point and (stale or self._point_fresh(point, now)) else None
        return self.pick(listing, prefix, name)

    def pick(self, listing: Listing, prefix: str, name: bytes) -> Answer:
        """What a directory's listing says of a name."""
        entry = listing.get(name, prefix, self._source)
        return NotFound() if entry is None else self.marked(entry)

    def listing(self, prefix: str, *, stale: bool = False) -> tuple[Listing, frozenset[bytes]] | None:
        """A directory's listing and its holes, None when unknown or (unless `stale`) too old."""
        now = self._clock()
        with self._lock:
            known = self._known.get(prefix)
            if known is None or not (stale or self._fresh(known.listing.at, now)):
                return None
            return self._use(prefix, known), known.holes

    def marked(self, entry: Entry) -> Entry:
        """A directory's entry with its marker's stat, where its own listing told it."""
        if not entry.is_dir:
            return entry
        known = self._known.get(entry.key)  # one look into a dict needs no lock
        marker = known.listing.marker if known else None
        return entry if marker is None else entry._replace(stat=marker)

    def put(self, prefix: str, listing: Listing, stamp: int) -> None:
        """A directory is completely known from requests sent since `stamp`."""
        with self._lock:
            if self._refused(prefix, stamp):
                return
            old = self._known.pop(prefix, None)
            if old is not None:
                if old.stamp > stamp:  # a later answer overtook this one
                    self._known[prefix] = old
                    return
                self._bytes -= old.listing.nbytes
            dropped = self._drops.get(prefix)  # for nearly no directory: a walk comes here for each of its own
            holes = frozenset(name for name, when in dropped.items() if when > stamp) if dropped else _NO_HOLES
            self._known[prefix] = Known(listing, stamp, holes)
            self._bytes += listing.nbytes
            if len(listing) > PAGE:
                self._set_large(prefix)
            while self._bytes > self._limit and len(self._known) > 1:
                _, gone = self._known.popitem(last=False)
                self._bytes -= gone.listing.nbytes

    def put_point(self, prefix: str, name: bytes, answer: Answer, sent: Sent) -> Listing | None:
        """The store answered for one name. Fills the hole that `drop` made; then returns the mended listing."""
        listing = None
        with self._lock:
            if self._refused(prefix, sent.stamp) or self._drops.get(prefix, {}).get(name, 0) > sent.stamp:
                return None
            known = self._known.get(prefix)
            if known and name in known.holes and not isinstance(answer, Forbidden):
                listing = known.listing.replaced(name, answer if isinstance(answer, Entry) else None)
                self._bytes += listing.nbytes - known.listing.nbytes
                self._known[prefix] = Known(listing, known.stamp, known.holes - {name})
                if self._fresh(listing.at, self._clock()):
                    return listing
            self._points[prefix, name] = answer, sent.at
            self._points.move_to_end((prefix, name))
            if len(self._points) > POINTS_MAX:
                self._points.popitem(last=False)
            return listing

    def has(self, prefix: str) -> bool:
        """Whether a listing of the directory is held, whatever its age."""
        return prefix in self._known  # one look into a dict needs no lock

    def set_large(self, prefix: str) -> None:
        """The directory does not fit one page: its names are asked for one by one."""
        with self._lock:
            self._set_large(prefix)

    def set_unlistable(self, prefix: str) -> None:
        """Listing the directory was refused: for a while its names are asked for one by one, without listing."""
        with self._lock:
            self._unlistable[prefix] = self._clock()
            self._unlistable.move_to_end(prefix)
            if len(self._unlistable) > LARGE_MAX:
                self._unlistable.popitem(last=False)

    def is_unlistable(self, prefix: str) -> bool:
        """Whether listing the directory was refused a short while ago."""
        with self._lock:
            return self._clock() - self._unlistable.get(prefix, float("-inf")) < FORBIDDEN_S

    def alone(self, prefix: str, name: bytes) -> bool:
        """Whether this name is better asked for alone: the directory is large, or is believed but for this name."""
        now = self._clock()
        with self._lock:
            known = self._known.get(prefix)
            hole = known is not None and name in known.holes and self._fresh(known.listing.at, now)
            return hole or prefix in self._large

    def drop(self, prefix: str, name: bytes) -> None:
        """Believe nothing of this name any more."""
        with self._lock:
            self._drops.setdefault(prefix, {})[name] = next(self._stamps)
            self._drops.move_to_end(prefix)
            if len(self._drops) > DROPS_MAX:
                self._drops.popitem(last=False)
            self._points.pop((prefix, name), None)
            if known := self._known.get(prefix):
                known.holes |= {name}

    def refresh(self, prefix: str) -> None:
        """Believe nothing at or below a key prefix, nor what requests under way will say of it."""
        with self._lock:
            self._refreshes = [(p, s) for p, s in self._refreshes if not p.startswith(prefix)]
            self._refreshes.append((prefix, next(self._stamps)))
            for key in [key for key in self._known if key.startswith(prefix)]:
                self._bytes -= self._known.pop(key).listing.nbytes
            for point in [point for point in self._points if point[0].startswith(prefix)]:
                del self._points[point]
            for memory in (self._large, self._unlistable):
                for key in [key for key in memory if key.startswith(prefix)]:
                    del memory[key]

    def _use(self, prefix: str, known: Known) -> Listing:
        self._known.move_to_end(prefix)
        if not known.listing.used:
            known.listing.used = True
            self.used += 1
        return known.listing

    def _refused(self, prefix: str, stamp: int) -> bool:
        refreshes = self._refreshes
        return bool(refreshes) and any(stamp < when and prefix.startswith(below) for below, when in refreshes)

    def _set_large(self, prefix: str) -> None:
        self._large[prefix] = None
        self._large.move_to_end(prefix)
        if len(self._large) > LARGE_MAX:
            self._large.popitem(last=False)

    def _fresh(self, at: float, now: float) -> bool:
        return self._offline or now - at < self._ttl

    def _point_fresh(self, point: tuple[Answer, float], now: float) -> bool:
        answer, at = point
        if isinstance(answer, Forbidden):
            return now - at < min(self._ttl, FORBIDDEN_S)
        return self._fresh(at, now)
