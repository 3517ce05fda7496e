"""The composition root: from a configuration to the objects of a mount, wired up. No other file names concrete classes.

A new store is a new file in `stores/` and a line of `STORES`: a function of the `SourceConfig`. A new view, which is a
store around a store, is a new file and a line of `VIEWS`.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from . import descriptors, memory_limit
from .blocks.disk.cache import OPEN_FILES, DiskCache
from .blocks.disk.writer import WRITTEN_FILES
from .blocks.readahead.window import WindowPolicy
from .blocks.stream import Blocks
from .cache_directory import blocks_dir, kept_in, names_dir_of, usable
from .catalog.cache.disk import has_listings, source_directory
from .catalog.catalogue import Catalogue
from .config import working_directory
from .config.options import INDEFINITE, MountConfig, SourceConfig
from .config.parsers import split_bucket
from .private_directory import PrivatePath
from .stats import Stats
from .stores.base import Store
from .stores.notes import FileNotes
from .stores.offline import Offline
from .stores.one_object import OneObject
from .stores.retry import Retrying
from .stores.shared import by_identity
from .usage.log import UsageLog
from .vfs.inodes import Ownership, source_salt
from .vfs.prefetch.prefetcher import Prefetcher
from .vfs.tree import Vfs
from .waits import Reader
from .workers import Waiter, Workers

log = logging.getLogger(__name__)

# Requests for bytes in flight: enough for small ones, whose cost is the round trip. Large prefetches are fewer (the
# budget in `blocks.fetch`); the reserved threads stay free for what a reader waits for.
BYTE_WORKERS = 48
BYTE_RESERVED = 8
# Listings and HEADs in flight.
NAME_WORKERS = 16
NAME_RESERVED = 4
# Each of them, with requests that a server does not answer: those stand in nobody's way as long as there are no more.
MOST_REQUESTS = 2_048


class Mount(NamedTuple):
    """Everything between the kernel's door and the stores. `close()` when done."""

    vfs: Vfs
    stats: Stats
    catalogues: dict[str, Catalogue]
    stores: dict[str, Store]
    blocks: Blocks
    workers: tuple[Workers, ...]
    memory: dict[str, Any]

    def counters(self) -> dict[str, Any]:
        """What `mountnd stats` shows: counters of the whole and of each source, failures, what memory they may take,
        and how many files are open."""
        sources = {name: self.stats.of(store.source).snapshot() for name, store in self.stores.items()}
        failures = self.vfs.failures()
        told = {"total": self.stats.snapshot(), "sources": sources, "memory": self.memory, "failures": failures}
        return {**told, "open_files": self.vfs.count_open_files()}

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
        for store in self.stores.values():
            store.close()


def _open_s3(source: SourceConfig) -> Store:
    from .stores.s3 import S3Store

    bucket, prefix = split_bucket(source.url.removeprefix("s3://"))
    if source.one_object:
        prefix = prefix[: prefix.rfind("/") + 1]
    return S3Store(
        bucket,
        prefix if not prefix or prefix.endswith("/") else prefix + "/",
        endpoint_url=source.endpoint_url,
        region=source.region,
        profile=source.profile,
        anonymous=source.anonymous,
        requester_pays=source.requester_pays,
        path_style=source.path_style,
        connections=_shares().bytes,
        directory=working_directory.called_in(),
        lists=source.lockfile is None,
    )


def endpoint_of(source: SourceConfig) -> str:
    """The S3 server that a source is read from, also where the AWS environment or files name it; "" for AWS's own."""
    if source.endpoint_url or not source.url.startswith("s3://"):
        return source.endpoint_url or ""
    from .stores.s3.access.aws_files import read_profile
    from .stores.s3.access.identity import configured_endpoint

    return configured_endpoint(read_profile(source.profile), os.environ) or ""


def _open_signed_links(source: SourceConfig) -> Store:
    from .stores.links.store import SignedLinkStore

    assert source.urls is not None
    return SignedLinkStore(source.urls)


def _open_with_fsspec(source: SourceConfig) -> Store:
    from .stores.directory.fsspec_backend import FsspecBackend
    from .stores.directory.store import DirectoryStore

    # gcsfs looks for the user's keys otherwise; the other file systems do not know this option
    gcs = urlsplit(source.url).scheme in ("gs", "gcs")
    asker = "" if source.anonymous or not gcs else f"google={os.environ.get('GOOGLE_APPLICATION_CREDENTIALS', '')}"
    options = {"token": "anon"} if gcs and source.anonymous else {}
    return DirectoryStore(FsspecBackend(source.url, options, asker=asker))


def _open_web(source: SourceConfig) -> Store:
    from .stores.directory.http_backend import HttpBackend
    from .stores.directory.store import DirectoryStore

    return DirectoryStore(HttpBackend(source.url))


def _open_dandi(source: SourceConfig) -> Store:
    from .stores.directory.dandi_backend import open_dandi
    from .stores.directory.store import DirectoryStore

    return DirectoryStore(open_dandi(source.url, source.endpoint_url))


# What opens a source, by the scheme of its URL ("": it has none, but a file of signed links). fsspec opens all others.
# These functions import what they open: most verbs need no store.
STORES: Mapping[str, Callable[[SourceConfig], Store]] = {
    "": _open_signed_links,
    "s3": _open_s3,
    "dandi": _open_dandi,
    "http": _open_web,
    "https": _open_web,
}


# Views: stores around a store that show its objects in another way, innermost first. Each is given the store and its
# source, and returns the store unchanged where the source does not want it.
VIEWS: Sequence[Callable[[Store, SourceConfig], Store]] = [
    lambda store, source: OneObject(store, _prefix(source)) if source.one_object else store,
]


def _prefix(source: SourceConfig) -> str:
    return split_bucket(source.url.removeprefix("s3://"))[1]


def _bare_store(source: SourceConfig) -> Store:
    return STORES.get(urlsplit(source.url).scheme, _open_with_fsspec)(source)


def _locked(store: Store, source: SourceConfig, names: PrivatePath | None) -> Store:
    """`store`, or the objects of the source's lockfile in it."""
    if source.lockfile is None:
        return store
    from .lockfile.table import Table
    from .stores.locked import LockedStore

    return LockedStore(store, Table.load(source.lockfile, names), source.below)


def open_store(source: SourceConfig, *, offline: bool = False, state_dir: PrivatePath | None = None) -> Store:
    """The store of one source with retries, and its views. Raises ConfigError, NoCredentials, ...

    Args:
        offline: it refuses all calls.
        state_dir: where sources keep their names; there it keeps what it learns of its server.
    """
    store = _bare_store(source)
    if state_dir is not None:
        store.remember(FileNotes(source_directory(state_dir, store.source) / "server.json"))
    if offline:
        store = Offline(store)
    else:
        store = Retrying(store, on_retry=lambda error, pause: log.info("%s; again in %.1f s", error, pause))
    store = _locked(store, source, state_dir)
    for view in VIEWS:
        store = view(store, source)
    return store


def open_catalogue(source: SourceConfig, *, timeout: float = 60.0) -> Catalogue:
    """A catalogue of one source, to look at its names without a mount. Close it when done."""
    workers = _workers("names", _shares().names, NAME_RESERVED)
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
    stats, usage, shares = Stats(), UsageLog(), _shares(byte_workers)
    names = _workers("names", shares.names, NAME_RESERVED)
    bytes_ = _workers("bytes", shares.bytes, BYTE_RESERVED)
    waiter = Waiter(reader=reader, standing_in=standing_in, polled=(polled, names.nudge, bytes_.nudge))
    limit = memory_limit.limit()
    fitting = memory_limit.shares(limit, blocks=config.memory, sources=len(config.sources))
    on_disk = kept_in(config)
    if on_disk is not None and usable(PrivatePath(on_disk)) is None:
        on_disk = None
    names_dir = usable(names_dir_of(on_disk)) if on_disk else None
    bytes_dir = usable(blocks_dir(on_disk)) if on_disk else None
    stores = {s.name: open_store(s, offline=config.offline, state_dir=names_dir) for s in config.sources}
    if names_dir:
        for store in stores.values():
            _tell_set_aside(store, names_dir)
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
            limit_bytes=fitting.names,
            waits=usage.waits,
        )
        for source in config.sources
    }
    blocks = Blocks(
        by_identity(list(stores.values())),
        memory=config.memory,
        workers=bytes_,
        waiter=waiter,
        timeout=config.timeout,
        stats=stats,
        disk=_disk_cache(bytes_dir, config.cache_size, stats, shares) if bytes_dir else None,
        readahead=WindowPolicy,
        usage=usage,
    )
    owner = Ownership(uid=config.uid, gid=config.gid, file_mode=config.file_mode, dir_mode=config.dir_mode)
    prefetcher = Prefetcher(blocks, stats)
    for name, catalogue in catalogues.items():
        prefetcher.add(catalogue, source_salt(name))
    vfs = Vfs(catalogues, blocks, owner, stats, single=len(config.sources) == 1, prefetcher=prefetcher)
    return Mount(vfs, stats, catalogues, stores, blocks, (names, bytes_), {**fitting._asdict(), **limit._asdict()})


def _shares(byte_workers: int = BYTE_WORKERS) -> descriptors.Shares:
    """What each part may open of what this process may."""
    most = descriptors.Shares(byte_workers, NAME_WORKERS, OPEN_FILES, WRITTEN_FILES)
    return descriptors.shares(descriptors.limit(), most)


def _most_requests() -> int:
    """How many requests for names, and for bytes, there may be with those that a server does not answer."""
    return descriptors.most_requests(descriptors.limit(), MOST_REQUESTS)


def _workers(name: str, threads: int, reserved: int) -> Workers:
    return Workers(threads, name, reserved=min(reserved, threads // 2), most=_most_requests())


def _disk_cache(root: PrivatePath, limit: int | None, stats: Stats, shares: descriptors.Shares) -> DiskCache:
    return DiskCache(root, limit, stats, open_files=shares.cache_files, written_files=shares.written_files)


def _tell_set_aside(store: Store, names: PrivatePath) -> None:
    """Say once that what was cached under an identity of old is not used: the next mount finds listings of the new."""
    old, new = store.former_source, store.source
    if old and has_listings(names, old) and not has_listings(names, new):
        log.warning(
            "%s: what the cache holds of %s does not say whose keys read it, and is not used here", store.url, old
        )
