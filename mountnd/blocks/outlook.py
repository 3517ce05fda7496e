"""What of an object is here, and what a read of it would cost now: looked at, without fetching or counting as a use."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import NamedTuple

from ..stores.base import ObjectId
from . import geometry
from .disk.base import DiskTier, SharedTier
from .fetch.fetcher import Fetcher
from .fetch.loader import COALESCE_GAP
from .geometry import BlockRange, Extent
from .readahead.base import ReadaheadPolicy


class Held(NamedTuple):
    """The blocks of one object that need no request, by index: in memory, on their way there, in the disk cache, in the
    cache that nodes share."""

    memory: Collection[int]
    coming: Collection[int]
    disk: Collection[int]
    shared: Collection[int] = ()


class Outlook(NamedTuple):
    """What a read would do now. Bytes, but for `seconds`.

    Attributes:
        start, stop: the bytes that are read.
        memory, coming, disk, shared, fetched: how many of the bytes that are needed come from memory, from a request
            under way, from the disk cache, from that of several nodes, and by new requests. Together whole
            blocks, and what is fetched with them.
        gets: the size of each new request that the reader waits for; they are made side by side.
        seconds: how long the longest of these takes, by what the source's GETs have shown; 0 where there is none.
        is_measured: whether they have, and it is not assumed.
    """

    start: int
    stop: int
    memory: int
    coming: int
    disk: int
    shared: int
    fetched: int
    gets: tuple[int, ...]
    seconds: float
    is_measured: bool


class Cached(NamedTuple):
    """Bytes of one object in memory, on their way there, on disk, in the cache that nodes share, in any of these."""

    memory: int
    coming: int
    disk: int
    shared: int
    any: int


def look(fetcher: Fetcher, disk: DiskTier | None, shared: SharedTier | None, id: ObjectId, size: int) -> Held:
    """What is held of an object of `size` bytes. May read the caches' directories of it."""
    memory, coming = fetcher.here(id)
    own = disk.held(id, size) if disk is not None else ()
    return Held(memory, coming, own, shared.held(id, size) if shared is not None else ())


def cached(held: Held, size: int) -> Cached:
    """How many bytes are held of an object of `size` bytes. Pure."""

    def bytes_of(indexes: Iterable[int]) -> int:
        return sum(geometry.block_size(i, size) for i in indexes)

    return Cached(
        bytes_of(held.memory), bytes_of(held.coming), bytes_of(held.disk), bytes_of(held.shared),
        bytes_of({*held.memory, *held.disk, *held.shared}),
    )  # fmt: skip


def plan(held: Held, wanted: Extent, size: int) -> tuple[dict[str, int], list[BlockRange]]:
    """Where the blocks of `wanted` come from, in bytes by the names of `Outlook`; and the requests for the rest. Pure.

    As `Fetcher.demand` and `Loader.load` do it: neighbours that are nowhere are one request, which takes a few blocks
    from the disk along.
    """
    found = dict.fromkeys(("memory", "coming", "disk", "shared"), 0)
    requests: list[BlockRange] = []
    span = geometry.covering(wanted.start, wanted.stop, size)
    for gap in geometry.missing(span, lambda i: i in held.memory or i in held.coming):
        for lacked in geometry.coalesced(geometry.missing(gap, held.disk.__contains__), COALESCE_GAP):
            requests += geometry.coalesced(geometry.missing(lacked, held.shared.__contains__), COALESCE_GAP)
    fetched = {i for one in requests for i in range(*one)}
    for i in range(*span):
        if i in fetched:
            continue
        places = (("memory", held.memory), ("coming", held.coming), ("disk", held.disk), ("shared", held.shared))
        place = next(name for name, indexes in places if i in indexes)
        found[place] += geometry.block_size(i, size)
    return found, requests


def outlook(
    fetcher: Fetcher, policy: ReadaheadPolicy, held: Held, source: str, size: int, start: int, stop: int
) -> Outlook:
    """What a read of `[start, stop)` would do, by a `policy` that has seen nothing yet."""
    stop = min(stop, size)
    wanted = Extent(start, stop)
    if plan(held, wanted, size)[1]:
        more = policy.on_miss(start, stop - start)  # something is missing: what the policy adds comes with it
        wanted = Extent(min(start, more.start), max(stop, more.stop))
    found, requests = plan(held, wanted, size)
    gets = tuple(geometry.extent(one, size).size for one in requests)
    link = fetcher.links[source]
    seconds = link.latency + max(gets) / link.rate if gets else 0.0
    return Outlook(start, stop, **found, fetched=sum(gets), gets=gets, seconds=seconds, is_measured=link.is_measured)
