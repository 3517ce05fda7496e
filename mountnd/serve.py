"""One running mount: probe its stores, mount, answer the control socket, and close everything when it is unmounted."""

from __future__ import annotations

import gc
import logging
import os
import sys
import threading
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

from . import descriptors, fusermount, memory_limit
from .assembly import Mount, build
from .cache_directory import kept_in
from .config.options import INDEFINITE, MountConfig, SourceConfig
from .daemon import control, handed_over, mounts, notify
from .daemon.unmount import named_holders
from .errors import Forbidden, MountError, TimedOut, Unreachable, UsageError
from .foreign_text import line
from .offline import as_known_object, cached
from .probing import list_root, look, probe_seconds
from .stores.base import Deadline, Store
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
# The kernel takes a page of mount options, and df a column.
FSNAME_LENGTH = 1000
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
    memory_limit.use_few_arenas()  # before any thread: `check_room` makes as many as there may be
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
    session: Session | None = None

    def wire_up(config: MountConfig) -> Mount:
        return build(config, reader=KernelReader, standing_in=threads.waiting, polled=threads.poll)

    config, mount = _open(config, wire_up)
    try:
        for store in mount.stores.values():
            for said in filter(None, (store.notice, store.exposure)):
                log.warning("%s", said)  # until `ready` warnings go to the terminal
        handed = handed_over.descriptor(config.mountpoint) is not None
        place = _Place(config.mountpoint)
        session = Session(
            mount.vfs,
            str(config.mountpoint),
            fsname=_fsname(config),
            allow_other=config.allow_other,
            timeout=kernel_ttl(config, forgets=forgets_names(os.uname().release)),
            threads=threads,
            is_there=place.is_ours,
            busy=partial(_tell_busy, config.mountpoint) if config.foreground and not handed else None,
            make_room=mount.end_workers,
            handed_over=handed,
            stopping=notify.stopping,
        )
        # What is imported by now stays: walking it at each collection took a tenth of a stream's CPU (measured), and
        # reference counts free nearly all objects that come after.
        gc.collect()
        gc.freeze()
        gc.set_threshold(GC_THRESHOLD)

        def refresh(request: dict[str, Any]) -> dict[str, Any]:
            session.refresh(_path_of(request))
            return {}

        def mounted() -> None:
            if not handed:
                place.note()
            ready()

        handlers: dict[str, control.Handler] = {"stats": lambda _: mount.counters(), "refresh": refresh}
        with nullcontext() if handed else control.serving(config.mountpoint, handlers):
            session.run(mounted)
    finally:
        notify.stopping()
        try:
            mount.close()
        finally:
            if session is not None and session.is_left:
                log.error("%s: no process is granted to unmount it; this one becomes fusermount3", config.mountpoint)
                fusermount.become(config.mountpoint)


def _tell_busy(mountpoint: Path) -> None:
    """Say after Ctrl-C what keeps the mount."""
    held = named_holders(mountpoint) or "a program of another user, or a mount inside it"
    log.warning("%s is busy: %s. End them, or press Ctrl-C again to take it away from them", mountpoint, held)


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


def _path_of(request: dict[str, Any]) -> bytes:
    """The path, from the mount's root, that a control request is about. Raises UsageError."""
    path = request.get("path")
    if not isinstance(path, str) or "\0" in path:
        raise UsageError("the request names no path")
    try:
        return os.fsencode(path)
    except UnicodeEncodeError:
        raise UsageError("the request's path cannot be that of a file") from None


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


def _open(config: MountConfig, wire_up: Callable[[MountConfig], Mount]) -> tuple[MountConfig, Mount]:
    """Wire the mount up and probe its sources: the mount, and the configuration as it turned out to be.

    A source whose URL is the key of an object becomes one that shows this object. Raises what the probes raise, within
    `config.timeout` for all of them.
    """
    mount = wire_up(config)
    try:
        mount.load_libraries()
        deadline = Deadline(probe_seconds(config.timeout))  # from here on, as it is for the network
        sources = tuple(_probed(source, mount, config, deadline) for source in config.sources)
        if sources != config.sources:
            mount.close()
            before, config = config.sources, replace(config, sources=sources)
            mount = wire_up(config)
            for source, was in zip(sources, before, strict=True):
                if source == was:
                    _probed(source, mount, config, deadline)
        if config.offline:
            _tell_cached(mount, config)
    except BaseException:
        mount.close()
        raise
    return config, mount


def _probed(source: SourceConfig, mount: Mount, config: MountConfig, deadline: Deadline) -> SourceConfig:
    """The source, or the one object that it names. What a person should know is logged: it goes to the terminal."""
    store, catalogue = mount.stores[source.name], mount.catalogues[source.name]
    if config.offline:
        return source if catalogue.is_kept() else as_known_object(source, config) or source
    if not source.probe:
        log.warning("%s: not asked whether it can be listed (--no-probe)", store.url)
        return source
    try:
        found = look(
            store, deadline, lambda: catalogue.prime_root(lambda limit: list_root(store, deadline, limit=limit))
        )
    except Forbidden as error:
        raise _advised(error, store) from error
    except (Unreachable, TimedOut) as error:
        if not catalogue.out_of_reach(error):
            if (single := as_known_object(source, config)) is not None:
                return single
            raise
        log.warning("%s. Its names are known from an earlier mount: what is cached can be read, the rest cannot", error)
        return source
    if found.warning:
        log.warning("%s", found.warning)
    return replace(source, one_object=True) if found.kind == "object" else source


def _tell_cached(mount: Mount, config: MountConfig) -> None:
    """Say what is there without a network. Raises MountError where it is nothing."""
    found = [(mount.stores[source.name].url, cached(mount, config, source.name)) for source in config.sources]
    if any(held.names or held.bytes for _, held in found):
        for url, held in found:
            log.warning("%s: offline: %s", url, held)  # until `ready` warnings go to the terminal
    else:
        urls = ", ".join(url for url, _ in found)
        where = f" in {place}" if (place := kept_in(config)) is not None else ""
        raise MountError(
            f"{urls}: nothing is cached{where}, so there is nothing to show offline. Mount it once without --offline, "
            "and read what is needed"
        )


def _advised(error: Forbidden, store: Store) -> Forbidden:
    """A refused listing, with what may be mounted instead."""
    if type(error) is not Forbidden or error.code not in NOT_LISTED or not store.url.startswith("s3://"):
        return error
    prefix = f"{store.url.rstrip('/')}/PREFIX"
    return Forbidden(
        f"{error}. Where only a prefix may be listed, mount that: {prefix}; to mount it unlisted: --no-probe",
        code=error.code,
    )


def _fsname(config: MountConfig) -> str:
    """What df and /proc/mounts, which everybody reads, show as the device."""
    if len(config.sources) > 1:
        return "mountnd"
    source = config.sources[0]
    return line(source.url or source.name, FSNAME_LENGTH)
