"""How a process begins and ends to hold a mount that others may hold, too: what `sharing` says to its daemon."""

from __future__ import annotations

import fcntl
import json
import logging
import os
import select
import stat
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..config.resolve import resolve_mount
from ..daemon import control, holders, mounts, rundir
from ..daemon.unmount import unmount
from ..errors import MountError
from . import command, keywords

log = logging.getLogger(__name__)

# How long a mount that is about to end, or begins, is waited for: a command that mounts gives up sooner. And one that
# others hold who want something else: they may just be about to leave.
PATIENCE_S, OTHERS_S = 60.0, 15.0
_PAUSE_S = 0.1


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a process wants to hold.

    Attributes:
        sources: as the command takes them.
        options: by name, as JSON can hold them.
        where: the mountpoint, resolved.
        private: it is there for this mount alone, and is removed at its end.
        holder: this process.
    """

    sources: Sequence[str]
    options: Mapping[str, Any]
    where: Path
    private: bool
    holder: holders.Holder

    @property
    def words(self) -> list[str]:
        """The command's."""
        return [*self.sources, str(self.where)]


def hold(wanted: Wanted) -> tuple[bool, str]:
    """Have the daemon count this process, a new daemon where there is none.

    Returns whether it is counted (else the mount is somebody's who will end it), and the device, "major:minor".

    Raises UsageError (ConfigError) and MountError.
    """
    # What is wrong is found here, before a process is started.
    identity = holders.identity(resolve_mount(wanted.words, keywords.read(wanted.options, mounts=True)).config)
    begun, shown, why = time.monotonic(), "", ""
    while time.monotonic() < begun + (OTHERS_S if shown else PATIENCE_S):
        answer, why = _ask(wanted, holders.HOLD, identity=identity)
        said = answer.get("is")
        if said in (holders.HELD, holders.UNSHARED):
            mounted = mounts.mount_at(wanted.where)
            return said == holders.HELD, mounted.device if mounted else ""
        if said in (holders.OTHER, holders.TAKEN):
            shown = answer["shown"]
            if said == holders.TAKEN:
                break
        elif not said and not why:
            _start(wanted, begun + PATIENCE_S)
            continue
        time.sleep(_PAUSE_S)
    if shown:
        why = f"{wanted.where} shows {shown} already; choose another directory (at=...)"
    raise MountError(why or f"{wanted.where}: the mount that was there did not end within {PATIENCE_S:.0f} s")


def leave(wanted: Wanted, device: str) -> None:
    """Be counted no longer. The last one unmounts, and waits until the daemon has ended. Raises MountError."""
    answer, why = _ask(wanted, holders.LEAVE)
    if answer.get("left"):
        return
    if why:
        log.info("%s", why)
    if not mounts.is_mounted(wanted.where, device):
        return
    try:
        said = unmount(wanted.where)
    except MountError:  # what is still open can be read on
        said = unmount(wanted.where, lazy=True)
    if said:
        log.info("%s", said)


def ends(where: Path, woken: int) -> bool:
    """Wait until the daemon of the mount at `where` has ended (True), or the descriptor `woken` can be read (False)."""
    record = rundir.find(where)
    try:
        if record is None or not record.alive():
            raise ProcessLookupError
        pidfd = os.pidfd_open(record.pid)
    except ProcessLookupError:
        return not select.select([woken], [], [], 0)[0]
    try:
        poll = select.poll()  # not select(2): descriptors of a worker may have high numbers
        poll.register(pidfd, select.POLLIN)
        poll.register(woken, select.POLLIN)
        return all(fd != woken for fd, _ in poll.poll())
    finally:
        os.close(pidfd)


def _ask(wanted: Wanted, verb: str, **more: Any) -> tuple[dict[str, Any], str]:
    """What the daemon answers, or why it does not; nothing of both where there is none."""
    record = rundir.find(wanted.where)
    if record is None or not record.alive():
        return {}, ""
    try:
        return control.request(wanted.where, verb, holder=wanted.holder, **more), ""
    except MountError as e:  # it begins, or ends, or has too much to do
        return {}, str(e)


def _start(wanted: Wanted, end: float) -> None:
    """Have a daemon started, unless somebody else does. Raises UsageError and MountError."""
    with _one_at_a_time(end):
        if _is_served(wanted.where):
            return
        if not wanted.private:
            with suppress(OSError):  # which the command says better
                wanted.where.mkdir()
        elif mounts.mount_at(wanted.where) is None:
            _make_private(wanted.where)
        asked = {
            "words": wanted.words,
            "options": wanted.options,
            "private": wanted.private,
            "holder": wanted.holder,
        }
        try:
            said = command.run((), module="mountnd.api.sharing_daemon", given=json.dumps(asked))
        except MountError:
            if not _is_served(wanted.where):  # by one that was quicker, whose lock is not seen here
                raise
            return
        for remark in said:
            log.info("%s", remark)


def _is_served(where: Path) -> bool:
    record = rundir.find(where)
    return record is not None and record.alive()


@contextmanager
def _one_at_a_time(end: float) -> Iterator[None]:
    """Of this user's processes, so that of many which begin at once one mounts; at `end` all the same."""
    fd = os.open(rundir.run_dir(), os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        while time.monotonic() < end:
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                time.sleep(_PAUSE_S)
            except OSError:
                break  # no locks on this file system
        yield
    finally:
        os.close(fd)


def _make_private(path: Path) -> None:
    """Make a directory where anybody may have made one. Raises MountError where it is not ours."""
    try:
        with suppress(FileExistsError):
            path.mkdir(mode=0o700)
        info = path.lstat()
    except OSError as e:
        raise MountError(f"no directory can be made to mount on ({e}); choose one (at=...)") from e
    if not stat.S_ISDIR(info.st_mode) or info.st_uid != os.getuid():
        raise MountError(f"{path} is not a directory of this user's; choose one (at=...)")
