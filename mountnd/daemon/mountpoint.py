"""The directory that is mounted on: made where it is missing, freed of a dead mount, removed when the mount ends."""

from __future__ import annotations

import errno
import logging
import os
import shlex
import stat
from collections.abc import Callable
from pathlib import Path

from .. import fusermount
from ..errors import MountError
from . import elsewhere, mounts, rundir

log = logging.getLogger(__name__)

# How long an existing mount may take to answer: it does so in milliseconds or, when its daemon hangs, never.
_ANSWER_S = 3.0
# How long a daemon whose mount has just gone may take to end.
_ENDING_S = 1.0


def prepare(path: Path, say: Callable[[str], None]) -> bool:
    """Make `path` (resolved) ready to be mounted on.

    Args:
        say: called with a line for the person when a dead mount was unmounted.

    Returns:
        Whether mountnd made the directory, and so removes it when the mount ends.

    Raises:
        MountError: it is a file, is not empty, is mounted already, or cannot be made; with the line to type.
    """
    mounted = mounts.mount_at(path)
    if mounted is not None and mounted.fstype == mounts.AUTOFS:
        mounted = None  # an automounter waits there for somebody to look, and lets us mount
    if outer := mounts.enclosing(path):
        raise MountError(
            f"{path} lies inside the mount {outer.path} ({outer.source}), which is read-only. {_use_home(path)}"
        )
    made = _unmount_dead(path, mounted, say) if mounted else _displace(path, say)
    try:
        st = os.stat(path)
    except FileNotFoundError:
        _make(path)
        return True
    except NotADirectoryError:
        raise MountError(f"{path} lies below a file; choose another directory.") from None
    except PermissionError:
        raise MountError(f"{path} cannot be reached by this user. {_use_home(path)}") from None
    except OSError as e:
        raise MountError(f"{path}: {e.strerror}.") from e
    if not stat.S_ISDIR(st.st_mode):
        raise MountError(f"{path} is a file; a mountpoint must be an empty directory.")
    _check_usable(path)
    return made


def dangling(typed: Path, resolved: Path) -> str:
    """How an error about `resolved` begins where a link that leads nowhere was typed; "" for all else."""
    if mounts.is_in_fuse(resolved) or not os.path.islink(typed) or os.path.exists(resolved):
        return ""
    return f"{typed} is a link to {resolved}, which is not there: "


def remove_made(path: Path, *, owner: int | None = None) -> None:
    """Remove a mountpoint that mountnd made, now that its mount has ended; what is not empty stays.

    Args:
        owner: remove it only if this user owns it. For records of other users, which must not make root remove
            a directory of somebody else.
    """
    try:
        if owner is None or path.lstat().st_uid == owner:
            path.rmdir()
    except OSError as e:
        log.info("%s stays: %s", path, e.strerror)


def _check_usable(path: Path) -> None:
    """It is empty, and the kernel lets this user mount there."""
    try:
        with os.scandir(path) as entries:
            first = next(entries, None)
    except PermissionError:
        raise MountError(f"{path} cannot be read by this user. {_hint(path)}") from None
    if first is not None:
        raise MountError(
            f"{path} is not empty (it holds {first.name!r}); a mountpoint must be an empty directory, "
            f"for instance {path / 'mnt'}."
        )
    if os.getuid() != 0 and not os.access(path, os.W_OK):  # fusermount3 requires it
        raise MountError(f"{path} is not writable by this user, so it may not mount there. {_hint(path)}")


def _make(path: Path) -> None:
    try:
        path.mkdir()
    except FileExistsError:
        return  # somebody else just made it
    except FileNotFoundError:
        _check_writable_disk(path)
        raise MountError(f"{path} cannot be made: {path.parent} is missing. Type: {_install(path)}") from None
    except OSError as e:
        _check_writable_disk(path)
        raise MountError(f"{path} is missing and cannot be made ({e.strerror}). {_hint(path)}") from e


def _check_writable_disk(path: Path) -> None:
    """Raise MountError where nobody can make `path`, not root either: its file system is read-only."""
    parent = _existing(path)
    try:
        read_only = os.statvfs(parent).f_flag & os.ST_RDONLY or os.path.realpath(parent).startswith(_UNMADE)
    except OSError:
        return
    if read_only:
        raise MountError(f"{path} is missing and cannot be made: {parent} is read-only. {_use_home(path)}")


# File systems of the kernel's own, in which no directory can be made.
_UNMADE = ("/proc", "/sys")


def _existing(path: Path) -> Path:
    """The nearest directory above `path` that is there."""
    return next(p for p in path.parents if p.exists())


def _install(path: Path) -> str:
    """The command that makes `path` for this user; without sudo where the user may."""
    parent = _existing(path)
    if os.access(parent, os.W_OK):
        return f"mkdir -p {shlex.quote(str(path))}"
    return f"sudo install -d -o $USER {shlex.quote(str(path))}"


def _hint(path: Path) -> str:
    return f"Type: sudo install -d -o $USER {shlex.quote(str(path))}   or use a directory of yours: {_at_home(path)}"


def _use_home(path: Path) -> str:
    return f"Use a directory of yours: {_at_home(path)}"


def _at_home(path: Path) -> str:
    return f"mountnd ~/{shlex.quote(path.name)}"


def _displace(path: Path, say: Callable[[str], None]) -> bool:
    """Take the record of a daemon away that lives although its mount is no longer here: another mount namespace has it.

    Returns whether mountnd made the directory.
    """
    record = rundir.find(path)
    if record is None or not record.device or not record.alive():
        return False  # none, one that is just starting, or what `claim` replaces
    if mounts.wait_exit(record.pid, _ENDING_S):
        return False  # it was just unmounted
    why = elsewhere.still_running(record.pid, elsewhere.holders(record.device))
    say(f"An earlier mount of {path} has not ended. {why}")
    return rundir.release(record) and record.made


def _unmount_dead(path: Path, mounted: mounts.Mount, say: Callable[[str], None]) -> bool:
    """Unmount a dead mount of ours. Returns whether mountnd made its directory; raises for every other mount."""
    record = rundir.find(path)
    ours = mounted.fstype == mounts.FSTYPE and (record is not None or mounted.user_id == os.getuid())
    if ours and record is not None and record.alive():
        shown, end = ", ".join(url for _, url in record.sources) or mounted.source, shlex.join(["umount", str(path)])
        raise MountError(f"{path} is mounted already ({shown}, process {record.pid}). End it with: mountnd {end}")
    answer = mounts.probe(path, _ANSWER_S)
    if answer is None:
        command = _command_to_end(path, mounted, ours)
        raise MountError(f"{path} is mounted already and does not answer. End it with: {command}")
    if answer not in (errno.ENOTCONN, errno.ECONNABORTED):
        raise MountError(
            f"{path} is mounted already ({mounted.source}, type {mounted.fstype}). Choose another directory."
        )
    if not ours:
        raise MountError(
            f"{path} is a dead mount ({mounted.source}, type {mounted.fstype}) that is not mountnd's: "
            f"{os.strerror(answer)}. End it with: {_command_to_end(path, mounted, ours)}"
        )
    if complaint := fusermount.unmount(path, lazy=True):
        raise MountError(f"{path} is a dead mount and cannot be unmounted: {complaint}.")
    if record is not None:
        rundir.release(record)
    say(f"{path} was left behind by a mountnd that died ({os.strerror(answer)}); it was unmounted first.")
    return record is not None and record.made


def _command_to_end(path: Path, mounted: mounts.Mount, ours: bool) -> str:
    quoted = shlex.quote(str(path))
    if ours:
        return f"mountnd umount --lazy {quoted}"
    if mounted.user_id == os.getuid() and os.getuid() != 0:
        return f"fusermount3 -u -z {quoted}"
    return f"umount -l {quoted}" if os.getuid() == 0 else f"sudo umount -l {quoted}"
