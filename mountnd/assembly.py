"""The composition root: from a configuration to the objects of a mount, wired up.

Only this file and `sources`, which opens the stores, name concrete classes.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any, NamedTuple

from . import descriptors, memory_limit
from .blocks.disk.cache import DiskCache
from .blocks.fetch.launching import BEGINNERS_MOST
from .blocks.readahead.window import WindowPolicy
from .blocks.stream import Blocks
from .cache_directory import blocks_dir, kept_in, names_dir_of, usable, views_dir_of
from .catalog.cache.disk import has_listings
from .catalog.catalogue import Catalogue
from .config.options import INDEFINITE, MountConfig, SourceConfig
from .parallelism import BYTE_RESERVED, BYTE_WORKERS, NAME_RESERVED, descriptor_shares, make_workers
from .private_directory import PrivatePath
from .shared_directory.place import SharedPlace
from .sources import open_store
from .stats import SHARED_FAULTS, Stats
from .stores.base import Store
from .stores.shared import by_identity
from .usage.log import UsageLog
from .vfs.inodes import Ownership, source_salt
from .vfs.prefetch.prefetcher import Prefetcher
from .vfs.tree import Vfs
from .waits import Reader
from .workers import Waiter, Workers

if TYPE_CHECKING:
    from .blocks.disk.shared_cache import SharedCache

log = logging.getLogger(__name__)

# Views of inflated files together take this part of the memory for blocks beside it, each in bytes at least so many.
VIEW_PART, VIEW_LEAST = 5, 8 << 20


class Mount(NamedTuple):
    """Everything between the kernel's door and the stores. `close()` when done.

    Attributes:
        memory: what it may take of that.
        shared: the directory that it shares with other nodes; passed_by: names of the sources that it keeps out of it.
    """

    vfs: Vfs
    stats: Stats
    catalogues: dict[str, Catalogue]
    stores: dict[str, Store]
    blocks: Blocks
    workers: tuple[Workers, ...]
    memory: dict[str, Any]
    shared: SharedPlace | None
    passed_by: tuple[str, ...]

    def counters(self) -> dict[str, Any]:
        """What `mountnd stats` shows: counters of the whole and of each source, failures, what memory they may take,
        and how many files are open."""
        sources = {name: self.stats.of(store.source).snapshot() for name, store in self.stores.items()}
        failures = self.vfs.failures()
        proxies = {name: counts for name, store in self.stores.items() if (counts := store.via_counts())}
        told = {"total": self.stats.snapshot(), "sources": sources, "memory": self.memory, "failures": failures}
        if (shared := self.shared_cache()) is not None:
            told["shared_cache"] = shared
        return {**told, "via": proxies, "open_files": self.vfs.count_open_files()}

    def shared_cache(self) -> dict[str, Any] | None:
        """What is told of the shared cache, None where there is none."""
        if self.shared is None:
            return None
        state, why = self.shared.condition
        return {"directory": str(self.shared.path), "state": state, "why": why, "passed_by": list(self.passed_by)}

    def load_libraries(self) -> None:
        """Import what the stores' requests need."""
        for store in self.stores.values():
            store.load_libraries()

    def end_workers(self) -> None:
        """Make no more requests: the threads end that wait for some."""
        for workers in self.workers:
            workers.close()

    def close(self) -> None:
        self.end_workers()
        for catalogue in self.catalogues.values():
            catalogue.close()
        self.blocks.close()
        if self.shared is not None:
            self.shared.close()
        for store in self.stores.values():
            store.close()


def open_catalogue(source: SourceConfig, *, timeout: float = 60.0) -> Catalogue:
    """A catalogue of one source, to look at its names without a mount. Close it when done."""
    workers = make_workers("names", descriptor_shares().names, NAME_RESERVED)
    return Catalogue(
        open_store(source), ttl=source.ttl, workers=workers, waiter=Waiter(), timeout=timeout, stats=Stats()
    )


def build(
    config: MountConfig,
    *,
    reader: Callable[[], Reader] | None = None,
    standing_in: Callable[[], AbstractContextManager[object]] = nullcontext,
    polled: Callable[[], object] = lambda: None,
    byte_workers: int = BYTE_WORKERS,
) -> Mount:
    """Wire up a mount, without the kernel. No request is made; threads start with the first.

    `reader`, `standing_in`, `polled`: see `Waiter`. `byte_workers`: requests for bytes in flight, at most.
    """
    stats, usage, shares = Stats(), UsageLog(), descriptor_shares(byte_workers)
    names = make_workers("names", shares.names, NAME_RESERVED)
    bytes_ = make_workers("bytes", shares.bytes, BYTE_RESERVED)
    beginners = Workers(1, "begin", most=BEGINNERS_MOST)
    waiter = Waiter(reader=reader, standing_in=standing_in, polled=(polled, names.nudge, bytes_.nudge, beginners.nudge))
    limit = memory_limit.limit()
    fitting = memory_limit.shares(limit, blocks=config.memory, sources=len(config.sources))
    on_disk = kept_in(config)
    if on_disk is not None and usable(PrivatePath(on_disk)) is None:
        on_disk = None
    names_dir = usable(names_dir_of(on_disk)) if on_disk else None
    bytes_dir = usable(blocks_dir(on_disk)) if on_disk else None
    views_dir = usable(views_dir_of(on_disk)) if on_disk and any(s.view for s in config.sources) else None
    view_memory = max(VIEW_LEAST, config.memory // VIEW_PART // max(1, sum(bool(s.view) for s in config.sources)))
    stores = {
        s.name: open_store(s, offline=config.offline, state_dir=names_dir, views_dir=views_dir, memory=view_memory)
        for s in config.sources
    }
    for store in stores.values():
        store.count_in(stats.of(store.source))
    if names_dir:
        for store in stores.values():
            _tell_set_aside(store, names_dir)
    place, shareable = _shared_place(config, stores, stats)
    catalogues = {
        source.name: Catalogue(
            stores[source.name],
            ttl=INDEFINITE if config.offline else source.ttl,  # what is known is all there is, whatever its age
            workers=names,
            waiter=waiter,
            timeout=config.timeout,
            stats=stats.of(stores[source.name].source),
            # what a lockfile says is no listing of the source, and is at hand anyway
            state_dir=None if stores[source.name].knows_names else names_dir,
            shared=place if stores[source.name].source in shareable and not stores[source.name].knows_names else None,
            limit_bytes=fitting.names,
            waits=usage.waits,
        )
        for source in config.sources
    }
    blocks = Blocks(
        by_identity(list(stores.values())),
        memory=config.memory,
        workers=bytes_,
        beginners=beginners,
        waiter=waiter,
        timeout=config.timeout,
        stats=stats,
        disk=_disk_cache(bytes_dir, config.cache_size, stats, shares) if bytes_dir else None,
        shared=_shared_cache(place, shareable, config.shared_size, stats) if place is not None else None,
        readahead=WindowPolicy,
        usage=usage,
    )
    owner = Ownership(uid=config.uid, gid=config.gid, file_mode=config.file_mode, dir_mode=config.dir_mode)
    prefetcher = Prefetcher(blocks, stats)
    for name, catalogue in catalogues.items():
        prefetcher.add(catalogue, source_salt(name))
    vfs = Vfs(catalogues, blocks, owner, stats, single=len(config.sources) == 1, prefetcher=prefetcher)
    passed_by = tuple(name for name, store in stores.items() if place is not None and store.source not in shareable)
    memory = {**fitting._asdict(), **limit._asdict()}
    return Mount(vfs, stats, catalogues, stores, blocks, (names, bytes_, beginners), memory, place, passed_by)


def _disk_cache(root: PrivatePath, limit: int | None, stats: Stats, shares: descriptors.Shares) -> DiskCache:
    return DiskCache(root, limit, stats, open_files=shares.cache_files, written_files=shares.written_files)


def _shared_cache(place: SharedPlace, sources: frozenset[str], limit: int | None, stats: Stats) -> SharedCache:
    from .blocks.disk.shared_cache import SharedCache  # which most mounts do without

    return SharedCache(place, sources, limit, stats)


def _shared_place(
    config: MountConfig, stores: Mapping[str, Store], stats: Stats
) -> tuple[SharedPlace | None, frozenset[str]]:
    """The directory that nodes share, if one is configured, and the sources (`Store.source`) whose bytes may lie there.
    That others are kept out of it is said."""
    if config.shared_cache is None or config.shared_size == 0:
        return None, frozenset()
    allowed = {source.name for source in config.sources if source.shared_signed}
    shareable = {store.source for name, store in stores.items() if store.is_open or name in allowed}
    for store in stores.values():
        if store.source not in shareable:
            log.warning(
                "%s is not known to be open to everybody, so nothing of it is put into the shared cache, which others "
                "read; --shared-signed allows that",
                store.url,
            )
    place = SharedPlace(config.shared_cache, config.shared_mode, faulty=lambda: stats.add(SHARED_FAULTS))
    return place, frozenset(shareable)


def _tell_set_aside(store: Store, names: PrivatePath) -> None:
    """Say once that what was cached under an identity of old is not used: the next mount finds listings of the new."""
    old, new = store.former_source, store.source
    if old and has_listings(names, old) and not has_listings(names, new):
        log.warning(
            "%s: what the cache holds of %s does not say whose keys read it, and is not used here", store.url, old
        )
