"""One running mount: probe its stores, mount, answer the control socket, and close everything when it is unmounted."""

from __future__ import annotations

import gc
import logging
import os
import sys
import threading
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

from . import descriptors, fusermount
from .assembly import build
from .catalog.catalogue import Catalogue
from .config.options import INDEFINITE, MountConfig
from .daemon import control, mounts
from .errors import Forbidden, MountError, ServerFault, Throttled, TimedOut, Unreachable
from .stores.base import Deadline, Page, Store
from .threads import check_room

log = logging.getLogger(__name__)

# The kernel's time-outs add to a listing's age: a change is seen at the latest TTL + 1 s after.
KERNEL_TTL_S = 1.0
KERNEL_TTL_INDEFINITE_S = 86_400.0 * 365
# A thread that comes back from the network waits up to this long for the interpreter. Python's 5 ms is a sixth of a
# round trip; a tenth of it gave ranged GETs beside a busy thread up to 4 times the throughput (measured).
SWITCH_S = 0.0005
# What a mount has with the first programs that read: those that serve the kernel, and some that make requests.
THREADS = 80
# Of each thread; there may be thousands. What is not touched is no memory, but counts against `ulimit -v`.
STACK_BYTES = 1 << 20
# Objects made before Python looks for cycles; its 700 are fewer than the blocks of one stream.
GC_THRESHOLD = 20_000
# Codes of refusals that may be of this listing only; others are of the credentials.
NOT_LISTED = ("AccessDenied", "403")
# What start-up may take of the 20 s that the waiting parent grants.
PROBE_S = 15.0
# What the standard library imports only when it is first needed. Where no descriptor is free then, that fails, and a
# codec that was not found once is never looked for again. (A test looks for others.)
LATE_MODULES = (
    "encodings.idna",
    "encodings.latin_1",
    "encodings.ascii",
    "encodings.unicode_escape",
    "_strptime",
    "stringprep",
)


def serve(config: MountConfig, ready: Callable[[], None]) -> None:
    """Mount, call `ready` when the tree answers, and return when it is unmounted. Call it in the main thread.

    Raises MountError and what the stores' probes raise (no such bucket, forbidden, refused connection, ...).
    """
    threading.stack_size(STACK_BYTES)
    check_room(THREADS)  # before anything needs one: whatever fails for want of it would say something else
    # Imported here: it loads libfuse, and `mountnd doctor` probes a source where there is none.
    from .fuse.kernel import forgets_names
    from .fuse.readers import KernelReader
    from .fuse.session import Session
    from .fuse.threads import LoopThreads

    descriptors.raise_limit()
    _import_ahead()
    os.umask(0o077)  # what the caches hold may need keys to be read at its source
    sys.setswitchinterval(SWITCH_S)
    threads = LoopThreads()
    mount = build(config, reader=KernelReader, standing_in=threads.waiting, polled=threads.poll)
    try:
        for source in config.sources:
            store = mount.stores[source.name]
            if not config.offline and not source.probe:
                log.warning("%s: not asked whether it can be listed (--no-probe)", store.url)
            elif not config.offline:
                _probe_or_recall(store, mount.catalogues[source.name])
            if store.notice:
                log.warning("%s", store.notice)  # until `ready` warnings go to the terminal
        place = _Place(config.mountpoint)
        session = Session(
            mount.vfs,
            str(config.mountpoint),
            fsname=_fsname(config),
            allow_other=config.allow_other,
            timeout=kernel_ttl(config, forgets=forgets_names(os.uname().release)),
            threads=threads,
            is_there=place.is_ours,
            make_room=mount.end_workers,
        )
        # What is imported by now stays: walking it at each collection took a tenth of a stream's CPU (measured), and
        # reference counts free nearly all objects that come after.
        gc.collect()
        gc.freeze()
        gc.set_threshold(GC_THRESHOLD)

        def refresh(request: dict[str, Any]) -> dict[str, Any]:
            session.refresh(os.fsencode(request["path"]))
            return {}

        def mounted() -> None:
            place.note()
            ready()

        with control.serving(config.mountpoint, {"stats": lambda _: mount.counters(), "refresh": refresh}):
            session.run(mounted)
    finally:
        mount.close()
    if session.is_left:
        log.error("%s: no process more is granted to unmount it; this one becomes fusermount3", config.mountpoint)
        fusermount.become(config.mountpoint)


class _Place:
    """The mountpoint. After a lazy unmount a later mount may stand there, which is not ours to unmount."""

    def __init__(self, path: Path) -> None:
        self._path, self._device = path, ""

    def note(self) -> None:
        """It is mounted now."""
        mounted = mounts.mount_at(self._path)
        self._device = mounted.device if mounted else ""

    def is_ours(self) -> bool:
        """Whether what we mounted stands there, as far as that can be known."""
        try:
            return not self._device or mounts.is_mounted(self._path, self._device)
        except MountError:
            return True


def kernel_ttl(config: MountConfig, *, forgets: bool) -> float:
    """Seconds that the kernel may keep names: for ever only where no source is listed again, and where `refresh` can
    make it forget them (`forgets`)."""
    frozen = all(source.ttl == INDEFINITE for source in config.sources)
    return KERNEL_TTL_INDEFINITE_S if frozen and forgets else KERNEL_TTL_S


def _import_ahead() -> None:
    """Import what is used while serving: see `LATE_MODULES`."""
    for name in LATE_MODULES:
        import_module(name)
    "".encode("idna")


def _probe_or_recall(store: Store, catalogue: Catalogue) -> None:
    """Probe the store; where it cannot be reached but its names are known from an earlier mount, only warn.

    The probe is the listing that a reader of the mount needs first, so the catalogue keeps it.
    """
    try:
        catalogue.prime_root(lambda limit: probe(store, limit=limit))
    except Forbidden as error:
        if type(error) is not Forbidden or error.code not in NOT_LISTED or not store.url.startswith("s3://"):
            raise
        prefix = f"{store.url.rstrip('/')}/PREFIX"
        raise Forbidden(
            f"{error}. Where only a prefix may be listed, mount that: {prefix}; to mount it unlisted: --no-probe",
            code=error.code,
        ) from error
    except (Unreachable, TimedOut) as error:
        if not catalogue.out_of_reach(error):
            raise
        log.warning("%s. Its names are known from an earlier mount: what is cached can be read, the rest cannot", error)


def probe(store: Store, seconds: float = PROBE_S, *, limit: int = 1) -> Page:
    """Whether the store answers: up to `limit` entries of its root. Raises what the store does; the message names the
    source."""
    deadline = Deadline(seconds)
    try:
        # Without retries: a refused connection or an unknown host at start-up is a mistake to be reported at once.
        return store.once.list_page(store.root, limit=limit, deadline=deadline)
    except (Throttled, ServerFault):
        return store.list_page(store.root, limit=limit, deadline=deadline)


def _fsname(config: MountConfig) -> str:
    if len(config.sources) > 1:
        return "mountnd"
    source = config.sources[0]
    return source.url or source.name
