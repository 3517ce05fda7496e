"""The composition root: a settled configuration becomes a running mount. The only file that names concrete classes."""

from __future__ import annotations

import gc
import logging
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from .blocks.disk.cache import DiskCache
from .blocks.stream import Blocks
from .catalog.catalogue import Catalogue
from .config.resolve import INDEFINITE, MountConfig, SourceConfig
from .daemon import control
from .errors import ServerFault, Throttled, TimedOut, Unreachable
from .stats import Stats
from .stores.base import Deadline, Page, Store
from .stores.offline import Offline
from .stores.retry import Retrying
from .vfs.inodes import Ownership
from .vfs.prefetch.prefetcher import Prefetcher
from .vfs.tree import Vfs
from .workers import Waiter, Workers

log = logging.getLogger(__name__)

# Requests for bytes under way at once: enough for small ones, which are a matter of round trips. Large prefetches are
# fewer (`blocks.fetch.budget`), and so many threads stay free for what a reader waits for.
BYTE_WORKERS = 48
BYTE_RESERVED = 8
# Listings and HEADs under way at once.
NAME_WORKERS = 16
NAME_RESERVED = 4
# The kernel's time-outs add to a listing's age: a change is seen at the latest TTL + 1 s after.
KERNEL_TTL_S = 1.0
KERNEL_TTL_INDEFINITE_S = 86_400.0 * 365
# A thread that comes back from the network waits up to this long for the interpreter. Python's 5 ms is a sixth of a
# round trip; a tenth of it gave ranged GETs beside a busy thread up to 4 times the throughput (measured).
SWITCH_S = 0.0005
# Objects made before Python looks for cycles; its 700 are fewer than the blocks of one stream.
GC_THRESHOLD = 20_000
# What start-up may take of the 20 s that the waiting parent grants.
PROBE_S = 15.0


class Mount(NamedTuple):
    """Everything between the kernel's door and the stores. `close()` when done."""

    vfs: Vfs
    stats: Stats
    catalogues: dict[str, Catalogue]
    stores: dict[str, Store]
    blocks: Blocks
    workers: tuple[Workers, ...]

    def counters(self) -> dict[str, Any]:
        """What `mountnd stats` shows: counters of the whole mount and of each source."""
        sources = {name: self.stats.of(store.source).snapshot() for name, store in self.stores.items()}
        return {"total": self.stats.snapshot(), "sources": sources}

    def close(self) -> None:
        for workers in self.workers:
            workers.close()
        for catalogue in self.catalogues.values():
            catalogue.close()
        self.blocks.close()
        for store in self.stores.values():
            store.close()


def open_store(source: SourceConfig) -> Store:
    """The store of one source, retries included. Raises ConfigError, NoCredentials, ..."""
    return Retrying(_bare_store(source), notice=lambda error, pause: log.info("%s; again in %.1f s", error, pause))


def _bare_store(source: SourceConfig) -> Store:
    # Imported where chosen: s3fs alone takes 0.3 s, and most verbs need no store.
    if source.urls is not None:
        from .stores.links.store import SignedUrlStore

        return SignedUrlStore(source.urls)
    parts = urlsplit(source.url)
    if parts.scheme == "s3":
        from .stores.s3 import S3Store

        bucket, _, prefix = source.url.removeprefix("s3://").partition("/")
        return S3Store(
            bucket,
            prefix if not prefix or prefix.endswith("/") else prefix + "/",
            endpoint_url=source.endpoint_url,
            region=source.region,
            profile=source.profile,
            anonymous=source.anonymous,
            requester_pays=source.requester_pays,
            path_style=source.path_style,
            connections=BYTE_WORKERS,
        )
    from .stores.directory.store import FsspecStore

    # gcsfs looks for keys of the user's otherwise; the other file systems take no such word
    options = {"token": "anon"} if parts.scheme in ("gs", "gcs") and source.anonymous else {}
    return FsspecStore(source.url, options=options)


def _open_offline(source: SourceConfig) -> Store:
    return Offline(_bare_store(source))


def open_catalogue(source: SourceConfig, *, timeout: float = 60.0) -> Catalogue:
    """A catalogue of its own for one source: for looking at names without a mount. Close it when done."""
    workers = Workers(NAME_WORKERS, "names", reserved=NAME_RESERVED)
    return Catalogue(
        open_store(source), ttl=source.ttl, workers=workers, waiter=Waiter(), timeout=timeout, stats=Stats()
    )


def build(config: MountConfig, *, interrupted: Callable[[], bool] = lambda: False) -> Mount:
    """Wire up a mount without a door. No request is made; threads start with the first."""
    stats, waiter = Stats(), Waiter(interrupted)
    names = Workers(NAME_WORKERS, "names", reserved=NAME_RESERVED)
    bytes_ = Workers(BYTE_WORKERS, "bytes", reserved=BYTE_RESERVED)
    open_ = _open_offline if config.offline else open_store
    stores = {source.name: open_(source) for source in config.sources}
    on_disk = _on_disk(config)
    catalogues = {
        source.name: Catalogue(
            stores[source.name],
            ttl=source.ttl,
            workers=names,
            waiter=waiter,
            timeout=config.timeout,
            stats=stats.of(stores[source.name].source),
            state_dir=on_disk / "names" if on_disk else None,
            offline=config.offline,
        )
        for source in config.sources
    }
    blocks = Blocks(
        {store.source: store for store in stores.values()},
        memory=config.memory,
        workers=bytes_,
        waiter=waiter,
        timeout=config.timeout,
        stats=stats,
        disk=DiskCache(blocks_dir(on_disk), config.cache_size, stats) if on_disk else None,
    )
    owner = Ownership(uid=config.uid, gid=config.gid, file_mode=config.file_mode, dir_mode=config.dir_mode)
    prefetcher = Prefetcher(blocks, stats)
    for catalogue in catalogues.values():
        prefetcher.add(catalogue)
    vfs = Vfs(catalogues, blocks, owner, stats, single=len(config.sources) == 1, prefetcher=prefetcher)
    return Mount(vfs, stats, catalogues, stores, blocks, (names, bytes_))


def blocks_dir(cache_dir: Path) -> Path:
    """Where the blocks lie below a cache directory."""
    return cache_dir / "blocks"


def _on_disk(config: MountConfig) -> Path | None:
    """The cache directory; None where nothing is to be kept on disk, neither bytes nor names."""
    return None if config.cache_size == 0 else config.cache_dir


def serve(config: MountConfig, ready: Callable[[], None]) -> None:
    """Mount, say `ready` when the tree answers, and return when it is unmounted. Call it in the main thread.

    Raises MountError and what the stores' probes raise (no such bucket, forbidden, refused connection, ...).
    """
    from .fuse.binding import interrupted
    from .fuse.kernel import forgets_names
    from .fuse.session import Session

    os.umask(0o077)  # what the caches hold may need keys to be read elsewhere
    sys.setswitchinterval(SWITCH_S)
    mount = build(config, interrupted=interrupted)
    try:
        for source in config.sources:
            store = mount.stores[source.name]
            if not config.offline:
                _probe_or_recall(store, mount.catalogues[source.name])
            if notice := getattr(getattr(store, "store", store), "notice", ""):
                log.warning("%s", notice)  # until `ready` warnings go to the terminal
        session = Session(
            mount.vfs,
            str(config.mountpoint),
            fsname=_fsname(config),
            allow_other=config.allow_other,
            timeout=kernel_ttl(config, forgets=forgets_names(os.uname().release)),
        )
        # What is imported by now stays: walking it at each collection took a tenth of a stream's CPU (measured), and
        # reference counts free nearly all of what comes after.
        gc.collect()
        gc.freeze()
        gc.set_threshold(GC_THRESHOLD)

        def refresh(question: dict[str, Any]) -> dict[str, Any]:
            session.refresh(os.fsencode(question["path"]))
            return {}

        with control.serving(config.mountpoint, {"stats": lambda _: mount.counters(), "refresh": refresh}):
            session.run(ready)
    finally:
        mount.close()


def kernel_ttl(config: MountConfig, *, forgets: bool) -> float:
    """Seconds the kernel may keep names: for ever only where no source is asked again, and where `refresh` has it
    forget them (`forgets`)."""
    frozen = all(source.ttl == INDEFINITE for source in config.sources)
    return KERNEL_TTL_INDEFINITE_S if frozen and forgets else KERNEL_TTL_S


def _probe_or_recall(store: Store, catalogue: Catalogue) -> None:
    """Probe the store; where it is out of reach but its names are known from an earlier mount, only warn.

    The probe is the listing that whoever looks into the mount wants first, so the catalogue keeps it.
    """
    try:
        catalogue.top(lambda: probe(store, limit=1000 if store.flat else 1))
    except (Unreachable, TimedOut) as error:
        if not catalogue.out_of_reach(error):
            raise
        log.warning("%s. Its names are known from before: what is cached can be read, the rest cannot", error)


def probe(store: Store, seconds: float = PROBE_S, *, limit: int = 1) -> Page:
    """Whether the store answers: up to `limit` entries of its root. Raises what the store does; the message names the
    source."""
    deadline = Deadline(seconds)
    try:
        # Once, past the retries: a refused connection or an unknown host at start-up is a mistake to be told at once.
        page: Page = getattr(store, "store", store).list_page(store.root, limit=limit, deadline=deadline)
    except (Throttled, ServerFault):
        page = store.list_page(store.root, limit=limit, deadline=deadline)
    return page


def _fsname(config: MountConfig) -> str:
    if len(config.sources) > 1:
        return "mountnd"
    source = config.sources[0]
    return source.url or source.name
