"""A mount's life: check the mountpoint, claim it, go to the background, serve, and leave nothing behind."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path

from .. import fusermount
from ..config.options import MountConfig
from ..errors import MountError
from ..redaction import redacted
from . import detach, handed_over, host, logs, mountpoint, mounts, notify, privacy, rundir, signals

log = logging.getLogger(__name__)

# A person waits at most this long for the prompt; a listing takes seconds over the worst network.
READY_S = 20.0
# What it may take beside that to find out which files a snapshot has, where that is not known here yet: the service
# makes a list of them, and all versions of a data set are listed, 1,000 with a request. Ctrl-C ends the wait.
SNAPSHOT_S = 600.0

Serve = Callable[[MountConfig, Callable[[], None]], None]


def run_mount(
    config: MountConfig,
    *,
    serve: Serve,
    say: Callable[[str], None],
    introduce: Callable[[], object] = lambda: None,
    connecting: Callable[[], AbstractContextManager[None]] = nullcontext,
    private: bool = False,
) -> int:
    """Mount as `config` says, in the background unless `config.foreground`. Returns the exit code 0.

    In the background it returns in the parent once the tree answers, at most `ready_seconds` after the fork.

    Args:
        serve: mounts, calls its second argument when the tree is there, and blocks until it is unmounted.
            Runs in the process that serves, on its main thread.
        say: prints a line for the person.
        introduce: called in the process that was called once the tree answers, never before an error.
        connecting: a context for the time until the tree answers; it may start threads, for nothing forks in it.
        private: the mountpoint is there for this mount alone, and is removed at its end.

    Raises:
        MountError: the machine, the mountpoint or the source does not allow it; nothing is left behind.
    """
    # A umask that takes rights from ourselves would lock us out of our own files.
    os.umask(os.umask(0o077) & 0o077)
    privacy.hide_arguments()
    if (device := handed_over.descriptor(config.mountpoint)) is not None:
        return _handed_over(config, device, serve, say, introduce, connecting)
    typed, config = config.mountpoint.expanduser(), _absolute(config)
    _check_machine(config)
    rundir.run_dir()  # where there can be none, that is said before anything is made
    rundir.clean({str(mount.path) for mount in mounts.mounts()}, time.time())
    try:
        made = mountpoint.prepare(config.mountpoint, say) or private
    except MountError as e:
        raise MountError(f"{mountpoint.dangling(typed, config.mountpoint)}{e}") from e
    try:
        with signals.raised():
            if config.foreground:
                return _in_front(config, made, serve, say, introduce, connecting)
            code = _in_background(config, made, serve, say, connecting)
            introduce()
            return code
    except BaseException:
        if rundir.find(config.mountpoint) is None:
            _remove(config.mountpoint, made)
        raise


def ready_seconds(config: MountConfig) -> float:
    """How long the tree of a mount may keep whoever wants it waiting."""
    return READY_S + (SNAPSHOT_S if any(source.snapshot is not None for source in config.sources) else 0)


def _absolute(config: MountConfig, mountpoint: Path | None = None) -> MountConfig:
    """The daemon's working directory is "/", so that it keeps no file system busy: paths must not depend on it.

    `mountpoint`: another one, as it is.
    """

    def absolute(path: Path | None) -> Path | None:
        return None if path is None else Path(os.path.abspath(path.expanduser()))

    return replace(
        config,
        mountpoint=mountpoint or mounts.resolve(config.mountpoint.expanduser()),
        cache_dir=absolute(config.cache_dir),
        shared_cache=absolute(config.shared_cache),
        log_file=absolute(config.log_file),
        report=absolute(config.report),
        sources=tuple(replace(s, urls=absolute(s.urls)) for s in config.sources),
    )


def _check_machine(config: MountConfig) -> None:
    for check in (host.kernel, host.proc, host.fuse_device, host.fusermount, host.user):
        finding = check()
        if finding.level == "bad":
            raise MountError(f"{finding.what}. To fix it: {finding.fix}")
    if config.allow_other:
        finding = host.allow_other()
        if finding.level != "ok":
            raise MountError(f"{finding.what}. To fix it: {finding.fix}   or leave out --allow-other.")


def _in_front(
    config: MountConfig,
    made: bool,
    serve: Serve,
    say: Callable[[str], None],
    introduce: Callable[[], object],
    connecting: Callable[[], AbstractContextManager[None]],
) -> int:
    with _claimed(config, made, str(config.log_file or "")) as record:

        def mounted() -> None:
            _note_device(record)
            introduce()
            say(f"{config.mountpoint} is mounted; Ctrl-C unmounts it.")

        _serve_here(config, serve, mounted, connecting)
    return 0


def _handed_over(
    config: MountConfig,
    device: int,
    serve: Serve,
    say: Callable[[str], None],
    introduce: Callable[[], object],
    connecting: Callable[[], AbstractContextManager[None]],
) -> int:
    """Serve a mount of somebody else's, in the foreground, until he unmounts it or sends SIGTERM."""
    handed_over.check(device)

    def mounted() -> None:
        introduce()
        say(f"/dev/fd/{device} is served, until it is unmounted or SIGTERM comes.")

    with signals.raised():
        _serve_here(_absolute(config, Path(f"/dev/fd/{device}")), serve, mounted, connecting)
    return 0


def _serve_here(
    config: MountConfig,
    serve: Serve,
    mounted: Callable[[], object],
    connecting: Callable[[], AbstractContextManager[None]],
) -> None:
    """Serve in this process. `mounted`: called when the tree answers."""
    privacy.hide_memory()
    if config.log_file:
        logs.to_file(config.log_file, config.verbose, config.debug, own=False)
    else:
        logs.to_terminal(config.verbose, config.debug)
    with ExitStack() as until_ready:
        until_ready.enter_context(connecting())

        def ready() -> None:
            until_ready.close()
            mounted()
            notify.ready()

        serve(config, ready)


def _in_background(
    config: MountConfig,
    made: bool,
    serve: Serve,
    say: Callable[[str], None],
    connecting: Callable[[], AbstractContextManager[None]],
) -> int:
    own = config.log_file is None
    path = config.log_file or rundir.log_path(config.mountpoint)
    logs.check(path)  # here, so that the terminal shows it
    if threading.active_count() > 1:
        raise RuntimeError(f"threads before the fork: {threading.enumerate()}")

    def work(report: detach.Reporter) -> int:
        # First: a daemon that is refused must not touch another's log.
        with _claimed(config, made, str(path)) as record:
            logs.to_file(path, config.verbose, config.debug, own=own)
            privacy.hide_memory()
            with detach.early_output(str(path), report) as end_early_output:
                stop = logs.forward(report.say, config.verbose, config.debug)

                def ready() -> None:
                    _note_device(record)
                    stop()
                    end_early_output()
                    report.ready()

                try:
                    serve(config, ready)
                finally:
                    stop()
        return 0

    start, seconds = time.monotonic(), ready_seconds(config)
    child = detach.detach(work)
    try:
        with connecting():  # after the fork, which knows no other thread
            detach.await_ready(child, seconds, path, say)
        answer = mounts.probe(config.mountpoint, seconds - (time.monotonic() - start))
        if answer != 0:
            child.end()
            why = "no answer" if answer is None else os.strerror(answer)
            raise MountError(f"{config.mountpoint} was mounted but does not answer ({why}); unmounted again.")
    except BaseException:
        _clean_up(config.mountpoint, child.pid, made)
        raise
    return 0


@contextmanager
def _claimed(config: MountConfig, made: bool, log_name: str) -> Iterator[rundir.Record]:
    """A record in the run directory while this process serves; removed afterwards, as is a mountpoint that we made."""
    start = rundir.started(os.getpid())
    assert start is not None
    record = rundir.Record(
        mountpoint=str(config.mountpoint),
        pid=os.getpid(),
        started=start,
        since=time.time(),
        sources=tuple((s.name, redacted(s.url) or str(s.urls)) for s in config.sources),
        made=made,
        log=log_name,
    )
    rundir.claim(record)
    try:
        yield record
    finally:
        _leave(record)


def _note_device(record: rundir.Record) -> None:
    """Write into the record what was mounted, by which it is known when something else stands there."""
    mounted = mounts.mount_at(Path(record.mountpoint))
    try:
        rundir.replace_own(replace(record, device=mounted.device if mounted else ""))
    except (MountError, OSError) as e:
        log.warning("%s", e)


def _leave(record: rundir.Record) -> None:
    """Clean up at the end. A mount that is still there is left, with its record: it says "not connected" rather than
    looking like an empty dataset, and the next mount removes it."""
    path = Path(record.mountpoint)
    try:
        now, mounted = rundir.find(path), mounts.mount_at(path)
    except (OSError, MountError) as e:  # no descriptor is free
        log.error("%s: what is mounted there cannot be seen: %s", path, e)
        return
    if now is not None and now.alive() and now.pid != record.pid:
        return  # a later mount at the same place
    if mounted is not None and mounted.fstype == mounts.FSTYPE:
        log.error("%s is still mounted; the next mount there, or mountnd umount, removes it", path)
        return
    if rundir.release(record):  # else `umount --lazy` has done both, and another mount may stand there
        _remove(path, record.made)


def _clean_up(path: Path, pid: int, made: bool) -> None:
    """Remove what a daemon that failed or was killed at its start has left behind."""
    record = rundir.find(path)
    if record is not None and record.pid != pid:
        return  # somebody else's mount
    mounted = mounts.mount_at(path)
    if mounted is not None and mounted.fstype == mounts.FSTYPE:
        fusermount.unmount(path, lazy=True)
    if record is not None:
        rundir.release(record)
    _remove(path, made)


def _remove(path: Path, made: bool) -> None:
    if made:
        mountpoint.remove_made(path)
