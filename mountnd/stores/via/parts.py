"""A range of an object in parts that one node of a ring has each. Pure: offsets and sizes in bytes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from .rendezvous import ranked, thing

# Aligned slices of this many bytes are what nodes have: a multiple of what a cache fetches at a time (half a MiB, by
# `mountnd cache-server`), so that no two nodes fetch the same; and of the longest GETs, so that few are cut.
SLICE = 4 << 20


class Part(NamedTuple):
    """A part `[start, stop)` of an object, and the nodes in the order in which they are asked for it, by index."""

    start: int
    stop: int
    nodes: tuple[int, ...]


def parts(seeds: Sequence[int], key: str, start: int, stop: int) -> Iterator[Part]:
    """`[start, stop)` of `key` in parts, in order; slices side by side with the same order of nodes are one.

    Args:
        seeds: of the nodes (`rendezvous.seed`).
        key: of the object, the same for all who share the ring.
    """
    at: Part | None = None
    for number in range(start // SLICE, -(-stop // SLICE)):
        nodes = tuple(ranked(seeds, thing(key, number)))
        first, last = max(start, number * SLICE), min(stop, (number + 1) * SLICE)
        if at is not None and at.nodes == nodes:
            at = at._replace(stop=last)
            continue
        if at is not None:
            yield at
        at = Part(first, last, nodes)
    if at is not None:
        yield at


def piece(views: Sequence[memoryview], start: int, stop: int) -> list[memoryview]:
    """The bytes `[start, stop)` of what `views` (of bytes) are together, as views, none of them empty."""
    found: list[memoryview] = []
    at = 0
    for view in views:
        first, last = max(start - at, 0), min(stop - at, len(view))
        if first < last:
            found.append(view[first:last])
        at += len(view)
        if at >= stop:
            break
    return found
