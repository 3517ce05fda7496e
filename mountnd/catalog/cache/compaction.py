"""Which segments become one, and what of them counts. Reads files, writes none."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Sequence

from .segment import Damaged, Record, Row, Segment

# At least so many are merged at once, so that the same bytes are not copied for each new small one.
MERGE_MIN = 4
# Refreshed prefixes remembered: what was kept before them is void.
VOIDS_MAX = 1000


def group_of(segments: Sequence[Segment]) -> list[Segment]:
    """The ones to merge of segments sorted by size: the smallest, and more while they are not larger than all before.

    So a byte is copied about once for each doubling of the whole.
    """
    group = list(segments[:MERGE_MIN])
    for held in segments[MERGE_MIN:]:
        if held.size > sum(one.size for one in group):
            break
        group.append(held)
    return group


def recency(found: tuple[Row, Segment]) -> tuple[float, str]:
    """What the latest of several records of one directory is told by."""
    return found[0].written, found[1].path.name


def newest(segments: Iterable[Segment]) -> Iterator[Record]:
    """The latest record of each directory; damaged ones are left out."""
    best: dict[bytes, tuple[Row, Segment]] = {}
    for held in segments:
        for row in held.rows():
            if row.hash not in best or recency(best[row.hash]) < recency((row, held)):
                best[row.hash] = row, held
    for row, held in best.values():
        with contextlib.suppress(Damaged):
            yield Record(row.hash, row.at, row.written, held.read(row))


def last_voids(voids: list[tuple[str, float]]) -> list[tuple[str, float]]:
    """Each refreshed prefix once, with its latest time, the last thousand."""
    last: dict[str, float] = {}
    for prefix, when in voids:
        last[prefix] = max(when, last.get(prefix, when))
    return sorted(last.items(), key=lambda void: void[1])[-VOIDS_MAX:]
