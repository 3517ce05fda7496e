"""Where blocks lie in an object. Pure arithmetic: offsets, sizes and extents in bytes, block indexes from 0.

A block is the aligned unit of caching and of checksums; the last block of an object is shorter. An
extent is a half-open byte range, the unit of one ranged GET.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

# 64 KiB: a header or a random 4 KiB read costs one block, which comes in the two round trips that a
# new connection's first 64 KiB take anyway; and 256 MiB are 4,096 blocks, few enough to keep one by one.
SHIFT = 16
BLOCK = 1 << SHIFT


class Extent(NamedTuple):
    """Half-open byte range `[start, stop)`."""

    start: int
    stop: int

    @property
    def size(self) -> int:
        return self.stop - self.start


class BlockRange(NamedTuple):
    """Neighbouring blocks `[first, stop)`, as indexes."""

    first: int
    stop: int


def block_count(size: int) -> int:
    """How many blocks an object of `size` bytes has."""
    return (size + BLOCK - 1) >> SHIFT


def block_size(index: int, size: int) -> int:
    """Bytes of block `index` in an object of `size` bytes; 0 past its end."""
    return max(0, min(BLOCK, size - (index << SHIFT)))


def covering(start: int, stop: int, size: int) -> BlockRange:
    """The blocks that hold any byte of `[start, stop)`, clamped to an object of `size` bytes."""
    start, stop = max(0, start), min(stop, size)
    if stop <= start:
        return BlockRange(0, 0)
    return BlockRange(start >> SHIFT, (stop + BLOCK - 1) >> SHIFT)


def extent(span: BlockRange, size: int) -> Extent:
    """The bytes of the blocks of `span`, clamped to an object of `size` bytes."""
    return Extent(min(span.first << SHIFT, size), min(span.stop << SHIFT, size))


def block_ranges(indexes: Iterable[int]) -> Iterator[BlockRange]:
    """Ascending indexes as ranges of neighbours."""
    first = stop = -1
    for i in indexes:
        if i != stop:
            if stop > first:
                yield BlockRange(first, stop)
            first = i
        stop = i + 1
    if stop > first:
        yield BlockRange(first, stop)


def missing(span: BlockRange, held: Callable[[int], bool]) -> list[BlockRange]:
    """The ranges of blocks in `span` that are not `held`."""
    return list(block_ranges(i for i in range(*span) if not held(i)))


def coalesced(gaps: Iterable[BlockRange], most: int) -> list[BlockRange]:
    """Ascending ranges, those joined that have at most `most` blocks between them."""
    joined: list[BlockRange] = []
    for gap in gaps:
        if joined and gap.first - joined[-1].stop <= most:
            joined[-1] = BlockRange(joined[-1].first, gap.stop)
        else:
            joined.append(gap)
    return joined


def split(span: BlockRange, piece: int) -> list[BlockRange]:
    """`span` in pieces of at most `piece` bytes (at least one block), as equal as blocks allow."""
    blocks = span.stop - span.first
    pieces = -(-blocks // max(1, piece >> SHIFT))
    if pieces <= 1:
        return [span] if blocks > 0 else []
    cuts = [span.first + blocks * k // pieces for k in range(pieces + 1)]
    return [BlockRange(a, b) for a, b in itertools.pairwise(cuts)]
