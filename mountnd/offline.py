"""What a mount without a network has to show: how many names and bytes; and which URL is an object."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import NamedTuple

from .assembly import Mount
from .blocks.disk.contents import held_bytes
from .cache_directory import blocks_dir, kept_in, names_dir_of
from .catalog.cache.disk import has_listings
from .config.options import MountConfig, SourceConfig
from .report.figures import size
from .sources import open_store
from .stores.base import Store

# Counting may keep the prompt waiting so long; what is counted by then is a lower bound.
COUNT_S = 1.0


class Cached(NamedTuple):
    """What is cached of one source. `more`: there is more of it than was counted."""

    names: int
    bytes: int
    more: bool = False

    def __str__(self) -> str:
        names = f"{self.names:,} name{'s' * (self.names != 1)}"
        return f"{'more than ' if self.more else ''}{names}, {size(self.bytes)}"


def cached(mount: Mount, config: MountConfig, name: str, seconds: float = COUNT_S) -> Cached:
    """Count what is cached of the source called `name`, for at most `seconds`."""
    until, store = time.monotonic() + seconds, mount.stores[name]
    names, whole = _names_at_hand(store) or mount.catalogues[name].count_kept(until)
    if (place := kept_in(config)) is None:
        return Cached(names, 0, not whole)
    held, all_seen = held_bytes(blocks_dir(place), store.source, until)
    return Cached(names, held, not (whole and all_seen))


def _names_at_hand(store: Store) -> tuple[int, bool] | None:
    """The names of a lockfile, and that these are all; None for other sources."""
    if not store.knows_names:
        return None
    from .stores.locked import LockedStore

    return (store.objects, True) if isinstance(store, LockedStore) else None


def as_known_object(source: SourceConfig, config: MountConfig) -> SourceConfig | None:
    """The source as one object, where an earlier mount has found it to be one: nobody else can be asked."""
    place = kept_in(config)
    has_key = source.url.startswith("s3://") and "/" in source.url.removeprefix("s3://").strip("/")
    if source.one_object or not has_key or place is None:
        return None
    single = replace(source, one_object=True)
    store = open_store(single, offline=True)
    try:
        return single if has_listings(names_dir_of(place), store.source) else None
    finally:
        store.close()
