"""Counters: the one table of what a mount counts, and how it counts.

Adding to a counter takes no lock: each thread has a row of its own, and a snapshot sums the rows. So a
count is exact once the threads that count are quiet, and a cache hit never pays for a lock.

A new counter is a line of the table, and `stats.add(stats.NAME)` where it happens.
"""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections import Counter
from typing import NamedTuple


class CounterInfo(NamedTuple):
    """One line of the table.

    Attributes:
        name: words with dots between them, the unit among them; as `mountnd stats --json` shows it.
        unit: what one count is.
        meaning: what is counted.
    """

    name: str
    unit: str
    meaning: str


# Every counter by its name. `Stats.add` is called with these names only (a test holds that).
COUNTERS: dict[str, CounterInfo] = {}


def _counter(name: str, unit: str, meaning: str) -> str:
    COUNTERS[name] = CounterInfo(name, unit, meaning)
    return name


# Reads, and where their bytes come from (`blocks/`).
BYTES_ASKED = _counter("bytes.asked", "bytes", "that readers asked for")
BYTES_FROM_MEMORY = _counter("bytes.memory", "bytes", "served at once, from blocks in memory")
BYTES_FROM_DISK = _counter("bytes.disk", "bytes", "that came from the disk cache")
BYTES_FETCHED = _counter("bytes.fetched", "bytes", "that came from stores")
GETS = _counter("get.requests", "requests", "ranged GETs sent to stores")
GETS_FAILED = _counter("get.failed.requests", "requests", "ranged GETs that failed")
GET_TIME = _counter("get.time.microseconds", "microseconds", "that ranged GETs took, of those that ended well")
GETS_DEMAND = _counter("get.demand.requests", "requests", "ranged GETs that a reader was waiting for when they began")
GETS_HEDGED = _counter("get.hedged.requests", "requests", "ranged GETs sent again because the first one stalled")

# Prefetched bytes (`blocks/`).
PREFETCHED = _counter("prefetch.bytes", "bytes", "fetched before a reader asked for them")
PREFETCH_USED = _counter("prefetch.used.bytes", "bytes", "prefetched and then read (whole blocks)")
PREFETCH_WASTED = _counter("prefetch.wasted.bytes", "bytes", "prefetched and evicted before anyone read them")
PREFETCH_FAILED = _counter("prefetch.failed.requests", "requests", "prefetches that failed, which no reader notices")
PREFETCH_REFUSED = _counter(
    "prefetch.refused.requests", "requests", "prefetches not made: memory was full of what is used"
)
PREFETCH_CANCELLED = _counter("prefetch.cancelled.requests", "requests", "prefetches dropped as their file was closed")

BULK_BYTES = _counter("prefetch.command.bytes", "bytes", "fetched into the disk cache by `mountnd prefetch`")

# Memory and disk (`blocks/`).
MEMORY_EVICTED = _counter("memory.evicted.bytes", "bytes", "of blocks that left memory to make room")
MEMORY_OVERDRAFT = _counter("memory.overdraft.bytes", "bytes", "that waiting readers needed beyond the memory limit")
DISK_KEPT = _counter("disk.kept.bytes", "bytes", "written to the disk cache")
DISK_SKIPPED = _counter("disk.skipped.bytes", "bytes", "not written to the disk cache: it was behind, full or off")
DISK_EVICTED = _counter("disk.evicted.bytes", "bytes", "removed from the disk cache for newer ones")
DISK_DAMAGED = _counter("disk.damaged.blocks", "blocks", "on disk whose checksum failed; they were fetched again")
SHARED_WAITS = _counter("shared.waits", "waits", "for what another mount with the same disk cache was fetching")
SHARED_VAIN = _counter("shared.vain.waits", "waits", "of these that ended before it was there")

# The directory that several nodes share (`blocks/`).
BYTES_FROM_SHARED = _counter("bytes.shared", "bytes", "that came from the shared cache")
SHARED_KEPT = _counter("shared.cache.kept.bytes", "bytes", "written to the shared cache")
SHARED_SKIPPED = _counter(
    "shared.cache.skipped.bytes", "bytes", "not written to the shared cache: it was behind, full, read-only or off"
)
SHARED_EVICTED = _counter("shared.cache.evicted.bytes", "bytes", "removed from the shared cache for newer ones")
SHARED_DAMAGED = _counter(
    "shared.cache.damaged.blocks", "blocks", "in the shared cache whose checksum failed; they were fetched again"
)
SHARED_PACKS = _counter("shared.cache.packs", "packs", "of small objects written to the shared cache")
SHARED_MERGED = _counter("shared.cache.merged.packs", "packs", "in the shared cache that became part of larger ones")
SHARED_FAULTS = _counter(
    "shared.cache.faults", "faults", "of the shared cache's file system: errors, and calls that hung"
)
NODE_WAITS = _counter("shared.cache.waits", "waits", "for what a mount of another node was fetching")
NODE_VAIN = _counter("shared.cache.vain.waits", "waits", "for other nodes that ended before it was there")

# Caching proxies that are asked first (`stores/via/`, --via).
VIA_GETS = _counter("via.requests", "requests", "ranged GETs sent to caching proxies (--via)")
VIA_HITS = _counter("via.hit.requests", "requests", "ranged GETs that such a proxy says it answered from its cache")
VIA_FAILED = _counter("via.failed.requests", "requests", "ranged GETs that such a proxy did not answer, or wrongly")
VIA_BYTES = _counter("via.bytes", "bytes", "that came from caching proxies (--via)")
VIA_SOURCE_BYTES = _counter("via.source.bytes", "bytes", "that the source gave as no such proxy did")

# Names (`catalog/`).
LISTS = _counter("names.list.requests", "requests", "listings sent to stores, one a page")
LISTED_KEYS = _counter("names.list.keys", "keys", "in the pages of listings, common prefixes included")
HEADS = _counter("names.head.requests", "requests", "HEADs sent to stores")
LISTINGS_RECALLED = _counter("names.recalled.listings", "listings", "of directories that were read from disk")
SUBTREE_LISTINGS = _counter(
    "names.subtree.listings", "listings", "of whole subtrees, ahead of a program that walks them"
)
STALE_ANSWERS = _counter("names.stale.answers", "answers", "from expired listings, because the source is out of reach")

# Files (`vfs/`).
OPENS = _counter("open.calls", "calls", "of open")
PREFETCHED_IN_SEQUENCE = _counter(
    "prefetch.sequence.files", "files", "prefetched because a program opens files in sequence"
)
PREFETCHED_SIDECARS = _counter(
    "prefetch.sidecars.files", "files", "prefetched because a program opens them beside others"
)


# Upper bounds, in seconds, of the classes in which times of GETs are counted: from a server in the room to a time-out.
GET_TIME_BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)


class Times:
    """How many of some times lie in each class of `GET_TIME_BOUNDS`, the last one without a bound, and their sum.

    As `Stats`: called from any thread, and adding takes no lock.
    """

    def __init__(self) -> None:
        self._local = threading.local()
        self._rows: list[list[float]] = []
        self._lock = threading.Lock()  # leaf lock: guards _rows

    def record(self, seconds: float) -> None:
        """Count one time."""
        try:
            row: list[float] = self._local.row
        except AttributeError:
            row = self._local.row = [0.0] * (len(GET_TIME_BOUNDS) + 2)
            with self._lock:
                self._rows.append(row)
        row[bisect_left(GET_TIME_BOUNDS, seconds)] += 1
        row[-1] += seconds

    def snapshot(self) -> tuple[list[int], float]:
        """How many in each class, and the sum in seconds."""
        with self._lock:
            rows = [list(row) for row in self._rows]
        *counts, seconds = [sum(column) for column in zip(*rows, strict=True)] or [0.0] * (len(GET_TIME_BOUNDS) + 2)
        return [int(count) for count in counts], seconds


class Stats:
    """A set of counters. What belongs to one source is counted in `of(source)`; the snapshot of the whole holds it too.

    Called from any thread.

    Attributes:
        get_times: how long the GETs took that GET_TIME sums up; of a source, not of the whole.
    """

    def __init__(self) -> None:
        self._local = threading.local()
        self._rows: list[Counter[str]] = []
        self._parts: dict[str, Stats] = {}
        self._lock = threading.Lock()  # leaf lock: guards _rows and _parts
        self.get_times = Times()

    def of(self, source: str) -> Stats:
        """The counters of one source (`Store.source`)."""
        part = self._parts.get(source)
        if part is None:
            with self._lock:
                part = self._parts.setdefault(source, Stats())
        return part

    def add(self, name: str, n: int = 1) -> None:
        """Count `n` more of `name`."""
        try:
            row: Counter[str] = self._local.row
        except AttributeError:
            row = self._local.row = Counter()
            with self._lock:
                self._rows.append(row)
        row[name] += n

    def snapshot(self) -> dict[str, int]:
        """All counters summed over threads and sources, names sorted; without those that counted nothing."""
        with self._lock:
            parts = list(self._parts.values())
        total = Counter(self.own())
        for part in parts:
            total.update(part.snapshot())
        return dict(sorted(total.items()))

    def own(self) -> dict[str, int]:
        """As `snapshot`, without what is counted in `of(source)`."""
        with self._lock:
            rows = list(self._rows)
        total: Counter[str] = Counter()
        for row in rows:
            total.update(dict(row))
        return dict(total)
