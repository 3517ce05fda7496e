"""A mount for the length of one command: mount, run it, unmount whatever happens.

The command is a child of this process, the daemon another one. When this process is killed the daemon sees that, and
ends the mount; so nothing is left behind but by killing both.
"""

from __future__ import annotations

import os
import select
import signal
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

from .. import fusermount
from ..config.options import MountConfig
from ..errors import MountError
from . import command, control, host, mounts, namespace, rundir, signals
from .run import Serve, run_mount
from .unmount import named_holders, unmount

# How long the counters of a mount are waited for, and a mount that the command's own children may still be leaving.
_ANSWER_S, _LEAVING_S = 3.0, 1.0
# How long a command has the mount after a signal for all processes. Whoever sends one sends SIGKILL later, after which
# nobody can unmount: PBS and Docker after 10 s, Slurm and Kubernetes after 30 s.
_STOPPING_S = 8.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """How it went.

    Attributes:
        code: the command's exit code, as `command.run` gives it.
        seconds: that the command took.
        counters: what the mount counted (`assembly.Mount.counters`); empty where its daemon did not answer.
        log: the daemon's log.
        is_gone: the daemon had ended before the command did.
    """

    code: int
    seconds: float
    counters: dict[str, Any]
    log: str
    is_gone: bool


def run_exec(
    config: MountConfig,
    argv: Sequence[str],
    *,
    private: bool,
    serve: Serve,
    say: Callable[[str], None],
    remark: Callable[[str], None],
    introduce: Callable[[], object] = lambda: None,
    connecting: Callable[[], AbstractContextManager[None]] = nullcontext,
) -> Outcome:
    """Mount as `config` says, run a command with each `{}` in `argv` replaced by the mountpoint, and unmount.

    Args:
        private: the mountpoint was made for this, and is removed at the end.
        serve, introduce, connecting: as for `run_mount`.
        say, remark: print a line for the person: an error, or something that may be left out.

    Raises MountError, and what `run_mount` raises: the command was not run.
    """
    umask = os.umask(0o077)
    os.umask(umask)  # `run_mount` changes it
    if os.getuid() != 0 and not (fusermount.may_be_used() and host.user().level == "ok"):
        namespace.enter()
    path = mounts.resolve(config.mountpoint.expanduser())
    config = replace(config, mountpoint=path, foreground=False)
    with signals.raised():
        lasting = _ending_with(os.getpid(), serve)
        run_mount(config, serve=lasting, say=remark, introduce=introduce, connecting=connecting, private=private)
        try:
            record, begun = rundir.find(path), time.monotonic()
            code = command.run([word.replace("{}", str(path)) for word in argv], umask=umask, say=say)
            seconds = time.monotonic() - begun
        finally:
            with signals.deferred():
                counters = _counters(path)
                is_gone = record is not None and not record.alive()
                _end(path, say, remark)
                if private:
                    with suppress(OSError):  # the daemon has removed it, unless it was killed
                        path.rmdir()
    return Outcome(code, seconds, counters, record.log if record is not None else "", is_gone)


def _ending_with(parent: int, serve: Serve) -> Serve:
    """`serve` for a daemon that ends the mount when process `parent` ends without having done so."""

    def served(config: MountConfig, ready: Callable[[], None]) -> None:
        def watched() -> None:
            ready()
            _leave_signals_to(parent, config.mountpoint)
            threading.Thread(target=_end_after, args=(parent, config.mountpoint), name="parent", daemon=True).start()

        serve(config, watched)

    return served


def _leave_signals_to(parent: int, path: Path) -> None:
    """Have signals end the mount at once only when process `parent` is gone. While it runs it passes them on to its
    command, which may need the mount to stop in good order: Slurm sends SIGTERM to each process of a job."""
    mounted = mounts.mount_at(path)
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        handler = signal.getsignal(number)
        if callable(handler):
            signal.signal(number, partial(_signalled, parent, path, mounted.device if mounted else "", handler))


def _signalled(
    parent: int,
    path: Path,
    device: str,
    handler: Callable[[int, FrameType | None], Any],
    number: int,
    frame: FrameType | None,
) -> None:
    if os.getppid() != parent:
        handler(number, frame)
        return
    later = threading.Timer(_STOPPING_S, _detach, [path, device])
    later.daemon = True
    later.start()


def _detach(path: Path, device: str) -> None:
    """Take the mount out of the tree, where it still is. What is open can be read on."""
    if mounts.is_mounted(path, device):
        fusermount.unmount(path, lazy=True)


def _end_after(parent: int, path: Path) -> None:
    try:
        fd = os.pidfd_open(parent)
    except ProcessLookupError:
        pass
    else:
        if os.getppid() == parent:  # else the number is another process's by now
            select.select([fd], [], [])
        os.close(fd)
    if mounts.mount_at(path) is not None:  # else it was unmounted, and programs may still read on
        os.kill(os.getpid(), signal.SIGTERM)


def _counters(path: Path) -> dict[str, Any]:
    try:
        counters: dict[str, Any] = control.request(path, "stats", seconds=_ANSWER_S)
    except MountError:
        return {}
    return counters


def _end(path: Path, say: Callable[[str], None], remark: Callable[[str], None]) -> None:
    """Unmount, also where processes that the command left behind use it; whatever cannot be done is said."""
    until = time.monotonic() + _LEAVING_S
    while (held := named_holders(path)) and time.monotonic() < until:
        time.sleep(0.05)
    try:
        said = unmount(path, lazy=bool(held)) if mounts.mount_at(path) is not None else ""
        if held:
            remark(f"{path} is unmounted while it is still used: {held}. Files that are open can be read on.")
        elif said:
            remark(said)
    except MountError as e:
        try:
            remark(unmount(path, lazy=True) or f"{path} was busy, and is unmounted now")
        except MountError:
            say(str(e))
