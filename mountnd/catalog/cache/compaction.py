"""Compaction: which segments become one, and what of them counts. Reads files, writes none."""

from __future__ import annotations

import contextlib
import heapq
import itertools
from collections.abc import Iterable, Iterator, Sequence

from .segment import DamagedSegment, IndexRow, Invalidation, Record, Segment

# At least so many are merged at once, so that the same bytes are not copied for each new small one.
MERGE_MIN = 4
# A listing from further in the future than clocks of one cluster differ is not believed.
SKEW_S = 60.0
# Invalidated prefixes remembered.
INVALIDATIONS_MAX = 1000


def segments_to_merge(segments: Sequence[Segment]) -> list[Segment]:
    """The ones to merge of segments sorted by size: the smallest, and more while they are not larger than all before.

    So a byte is copied about once for each doubling of the whole.
    """
    group = list(segments[:MERGE_MIN])
    for held in segments[MERGE_MIN:]:
        if held.size > sum(one.size for one in group):
            break
        group.append(held)
    return group


def is_future(at: float, now: float) -> bool:
    """Whether a wall time lies further in the future of `now` than clocks of one cluster differ: no clock's, then."""
    return not at <= now + SKEW_S  # so that no number is one, too


def recency(found: tuple[IndexRow, Segment]) -> tuple[float, str]:
    """What the latest of several records of one directory is found by."""
    return found[0].written, found[1].name


def latest_records(segments: Iterable[Segment], now: float, behind: float = 0.0) -> Iterator[Record]:
    """The latest record of each directory; damaged ones are left out.

    What was listed in the future was listed who knows when: as long ago as can be. What was not is older by the
    seconds that the clock may be `behind`.
    """
    # Indexes are sorted by hash, so one row of each is held at a time: a million directories are merged in no memory.
    rows = heapq.merge(*(_found(held) for held in segments), key=lambda found: (found[0].hash, recency(found)))
    for _, same in itertools.groupby(rows, key=lambda found: found[0].hash):
        *_, (row, held) = same
        with contextlib.suppress(DamagedSegment):
            at = float("-inf") if is_future(row.at, now) else row.at - behind
            yield Record(row.hash, at, row.written, held.read(row))


def _found(held: Segment) -> Iterator[tuple[IndexRow, Segment]]:
    return ((row, held) for row in held.rows())


def settle(invalidations: Iterable[Invalidation], now: float, behind: float = 0.0) -> list[Invalidation]:
    """Invalidations whose times are moved as `latest_records` moves those of listings. One from the future holds for
    all that there is `now`, and not for what comes."""
    return [(prefix, (now if is_future(when, now) else when) - behind) for prefix, when in invalidations]


def last_invalidations(invalidations: list[Invalidation]) -> list[Invalidation]:
    """Each invalidated prefix once, with its latest time; the last thousand."""
    last: dict[str, float] = {}
    for prefix, when in invalidations:
        last[prefix] = max(when, last.get(prefix, when))
    return sorted(last.items(), key=lambda one: one[1])[-INVALIDATIONS_MAX:]
