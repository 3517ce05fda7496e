"""Compaction: which segments become one, and what of them counts. Reads files, writes none."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Sequence

from .segment import DamagedSegment, IndexRow, Invalidation, Record, Segment

# At least so many are merged at once, so that the same bytes are not copied for each new small one.
MERGE_MIN = 4
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


def recency(found: tuple[IndexRow, Segment]) -> tuple[float, str]:
    """What the latest of several records of one directory is found by."""
    return found[0].written, found[1].path.name


def latest_records(segments: Iterable[Segment]) -> Iterator[Record]:
    """The latest record of each directory; damaged ones are left out."""
    latest: dict[bytes, tuple[IndexRow, Segment]] = {}
    for held in segments:
        for row in held.rows():
            if row.hash not in latest or recency(latest[row.hash]) < recency((row, held)):
                latest[row.hash] = row, held
    for row, held in latest.values():
        with contextlib.suppress(DamagedSegment):
            yield Record(row.hash, row.at, row.written, held.read(row))


def last_invalidations(invalidations: list[Invalidation]) -> list[Invalidation]:
    """Each invalidated prefix once, with its latest time; the last thousand."""
    last: dict[str, float] = {}
    for prefix, when in invalidations:
        last[prefix] = max(when, last.get(prefix, when))
    return sorted(last.items(), key=lambda one: one[1])[-INVALIDATIONS_MAX:]
