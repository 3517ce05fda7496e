"""One running mount: open its sources, mount, answer the control socket, and close everything when it is unmounted."""

from __future__ import annotations

import gc
import logging
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, nullcontext
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import descriptors, fusermount, installation, memory_limit
from .account import Account
from .assembly import Mount, build
from .blocks.bulk import GETS_ALONE
from .config.addresses import Address
from .config.options import INDEFINITE, MountConfig
from .daemon import control, handed_over, mounts, notify
from .daemon.holders import NoHolders
from .daemon.unmount import named_holders
from .errors import MountError, UsageError
from .foreign_text import line
from .gathering import Gathering
from .jobs.desk import desks
from .opening import opened
from .parallelism import BYTE_RESERVED
from .path_facts import explain
from .stores.http.event_loop import event_loop
from .threads import check_room

if TYPE_CHECKING:
    from .metrics.exporter import Exporter

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


def serve(config: MountConfig, ready: Callable[[], None], holders: NoHolders | None = None) -> None:
    """Mount, call `ready` when the tree answers, and return when it is unmounted. Call it in the main thread.

    `holders`: who uses it, where several processes share it; it ends with the last of them.

    Raises MountError and what the stores' probes raise (no such bucket, forbidden, refused connection, ...).
    """
    with ExitStack() as after:
        exporter = after.enter_context(closing(open_exporter(config.metrics))) if config.metrics else None
        _serve(config, ready, exporter, holders or NoHolders(config))


def _serve(config: MountConfig, ready: Callable[[], None], exporter: Exporter | None, holders: NoHolders) -> None:
    """As `serve`, with the metrics told by `exporter`, if any."""
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
    event_loop.on_many = Gathering()

    def wire_up(config: MountConfig) -> Mount:
        return build(config, reader=KernelReader, standing_in=threads.waiting, polled=threads.poll)

    config, mount = opened(config, wire_up)
    jobs = desks(mount.vfs, mount.blocks)
    try:
        for store in mount.stores.values():
            for said in filter(None, (store.notice, store.exposure)):
                log.warning("%s", said)  # until `ready` warnings go to the terminal
            if (via := store.via) is not None and via.passed_by:
                log.warning("%s: caching proxies (--via) are passed by: %s", store.url, via.passed_by)
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

        def explained(request: dict[str, Any]) -> dict[str, Any]:
            return explain(mount, config, _path_of(request), ask=request.get("ask") is True)

        def counters(_: dict[str, Any]) -> dict[str, Any]:
            return {**mount.counters(), "metrics": exporter.url if exporter is not None else None}

        if exporter is not None:
            from .measuring import measure

            exporter.serve(partial(measure, mount, config, time.time()))
        account = Account(mount, config)
        handlers: dict[str, control.Handler] = {
            "stats": counters,
            "refresh": refresh,
            "explain": explained,
            **{verb: desk.answer for verb, desk in jobs.items()},
            **account.handlers,
            **holders.handlers,
        }

        def tick() -> None:
            account.tick()
            holders.look()

        with nullcontext() if handed else control.serving(config.mountpoint, handlers, tick):
            session.run(mounted)
            account.write_report()
    finally:
        notify.stopping()
        for desk in jobs.values():
            desk.close()
        try:
            mount.close()
        finally:
            if session is not None and session.is_left:
                log.error("%s: no process is granted to unmount it; this one becomes fusermount3", config.mountpoint)
                fusermount.become(config.mountpoint)


def open_exporter(address: Address) -> Exporter:
    """What serves the metrics, bound to `address`. Raises MountError; UsageError where its library is missing."""
    try:
        from .metrics.exporter import Exporter
    except ImportError as e:
        if (e.name or "").partition(".")[0] != "prometheus_client":
            raise
        raise UsageError(f"--metrics needs a package: {installation.here(['prometheus-client'])}") from None
    exporter = Exporter(*address)
    readers = "everybody who can reach this machine" if exporter.is_open else "every user of this machine"
    log.warning("%s can be read by %s", exporter.url, readers)  # until `ready` warnings go to the terminal
    return exporter


@contextmanager
def opened_alone(config: MountConfig) -> Iterator[Mount]:
    """The tree of a configuration without a mount, for work of this process's own. Raises as `serve`."""
    descriptors.raise_limit()
    os.umask(0o077)
    sys.setswitchinterval(SWITCH_S)
    gc.set_threshold(GC_THRESHOLD)
    _, mount = opened(config, partial(build, byte_workers=GETS_ALONE + BYTE_RESERVED))
    try:
        yield mount
    finally:
        mount.close()


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


def _fsname(config: MountConfig) -> str:
    """What df and /proc/mounts, which everybody reads, show as the device."""
    if len(config.sources) > 1:
        return "mountnd"
    source = config.sources[0]
    return line(source.url or source.name, FSNAME_LENGTH)
