"""The run directory: a record of each mount, one JSON file each, for `umount`, `doctor` and the next mount.

It is `$XDG_RUNTIME_DIR/mountnd`, else `/run/user/UID/mountnd`, else `/tmp/mountnd-UID`: the first that is safe and can
be written. It belongs to the user and is open to nobody else (0700). A mount is looked for in all of them, because the
variable may differ between the shell that mounted and the one that unmounts, and because any of them may be removed (a
logout takes `/run/user/UID` away) or fill up meanwhile. Where `MOUNTND_RUN_DIR` names a directory, that one takes the
place of all of them.

What lies in it is reached through the directory's descriptor, never by a path or a link (`private_directory`). A record
is claimed by link(2), which is atomic: of two daemons for one mountpoint the second finds the first.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
import shlex
import stat
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

from ..errors import MountError
from ..private_directory import PrivateDirectory
from ..regular_file import UntrustedDirectory
from .record import Record as Record
from .record import parse
from .record import started as started

VARIABLE = "MOUNTND_RUN_DIR"
# A log is kept after its mount has ended, to be looked at; after a week nobody will, nor through more than these.
LOGS_KEPT_S, LOGS_KEPT = 7 * 86400, 20
# What is empty or unfinished may be another process's that works on it right now; after an hour it is not.
LEFT_S = 3600
# The names of what lies there, by `stem`. Nothing else is read or removed.
_RECORD_NAME = re.compile(r".*-[0-9a-f]{8}\.json", re.DOTALL)
_LOG_NAME = re.compile(r"(.+)\.log(?:\.1)?", re.DOTALL)
# Sockets (`ask.address_of`) by the hash of their mount, and records that were not finished.
_SOCKET_NAME = re.compile(r"([0-9a-f]{8})\.sock")
_TEMPORARY_NAME = re.compile(r"tmp[0-9a-f]{8}\.tmp")
# A record of a mount of very many sources.
_RECORD_BYTES = 4 << 20


def candidates(environ: Mapping[str, str], uid: int) -> list[Path]:
    """Where the run directory of `uid` may be, best first. Pure."""
    if environ.get(VARIABLE):
        return [Path(environ[VARIABLE])]
    found = []
    if environ.get("XDG_RUNTIME_DIR"):
        found.append(Path(environ["XDG_RUNTIME_DIR"]) / "mountnd")
    found += [Path(f"/run/user/{uid}/mountnd"), Path(f"/tmp/mountnd-{uid}")]
    return list(dict.fromkeys(found))


def open_place(path: Path, uid: int | None = None) -> PrivateDirectory | None:
    """The run directory at `path`, None unless it is a directory (no link) of this user's, or of `uid`'s, that is
    closed to all others."""
    try:
        held = PrivateDirectory.open(path, follow=False, owners={os.getuid() if uid is None else uid})
    except OSError:
        return None
    return None if held.info.st_mode & 0o077 else held


def run_dir() -> Path:
    """This user's run directory, made where it is missing. Raises MountError when no place for it can be used."""
    uid, refused = os.getuid(), []
    for path in candidates(os.environ, uid):
        try:
            if why := _unusable(path, uid):
                refused.append(f"{path} {why}")
            else:
                return path
        except FileNotFoundError:
            pass  # its parent is missing
        except OSError as e:
            refused.append(f"{path}: {e.strerror}")
    if os.environ.get(VARIABLE):
        why = "; ".join(refused) or f"the directory above {path} is missing"
        raise MountError(f"No safe run directory: {why}. {VARIABLE} names it; set it to another, or unset it.")
    why = "; ".join(refused) or "there is no /tmp"
    raise MountError(f"No safe run directory: {why}. Set {VARIABLE} to a directory of yours that is closed to others.")


def _unusable(path: Path, uid: int) -> str:
    """Make `path` and say why it must not be the run directory, "" when it may. Raises OSError where it cannot be."""
    named = bool(os.environ.get(VARIABLE))
    if named and not path.is_absolute():
        return "is relative; a daemon works elsewhere"
    shared = path.parent == Path("/tmp")  # anybody may have made a directory of our name there
    if not shared and not named and path.parent.stat().st_uid != uid:
        return f"lies in a directory that is not user {uid}'s"  # `su` and `sudo -E` keep the variable of somebody else
    with suppress(FileExistsError):
        path.mkdir(mode=0o700)
    try:
        held = PrivateDirectory.open(path, follow=False, owners={uid})
        if not shared and not named:  # what the user names may be used for something else, too
            held.hide()
        closed = not held.info.st_mode & 0o077
    except (UntrustedDirectory, NotADirectoryError):
        closed = False
    if not closed:
        return f"is not a directory of user {uid} with mode 0700"
    # A full disk may let files be made, and a read-only one directories be there: only writing tells.
    with tempfile.TemporaryFile(dir=path, buffering=0) as file:
        file.write(b"\n")
    return ""


def stem(mountpoint: Path) -> str:
    """Name of a mount's files in the run directory: readable, and unique by a hash. Pure."""
    readable = re.sub(r"[^A-Za-z0-9._-]+", "-", str(mountpoint)).strip("-.")[-60:]
    return f"{readable}-{hashlib.sha256(os.fsencode(mountpoint)).hexdigest()[:8]}"


def log_path(mountpoint: Path) -> Path:
    """Where the daemon of `mountpoint` logs when nobody named a file. What is no file there is removed. Raises
    MountError."""
    path = run_dir() / f"{stem(mountpoint)}.log"
    held = open_place(path.parent)
    with suppress(FileNotFoundError):
        if held is not None and not stat.S_ISREG(held.stat(path.name).st_mode) and not held.remove(path.name):
            raise MountError(f"The log {path} is no file; remove it.")
    return path


def _read(held: PrivateDirectory, name: str) -> Record | None:
    """A record; None where there is none, or it was not written by this version."""
    try:
        return parse(held.read(name, _RECORD_BYTES))
    except OSError:
        return None


def records(uid: int | None = None) -> list[Record]:
    """All records of a user (default: this one), also those whose daemon is dead. Others' are only readable by root."""
    uid = os.getuid() if uid is None else uid
    environ = os.environ if uid == os.getuid() else {}
    return [
        record
        for place in candidates(environ, uid)
        if (held := open_place(place, uid))
        for name in sorted(entry.name for entry in held.entries() if _RECORD_NAME.fullmatch(entry.name))
        if (record := _read(held, name))
    ]


def find(mountpoint: Path, uid: int | None = None) -> Record | None:
    """The record of the mount at `mountpoint`: a living daemon's before a dead one's."""
    here = [r for r in records(uid) if r.mountpoint == str(mountpoint)]
    return max(here, key=lambda r: (r.alive(), r.since), default=None)


def is_recorded(mountpoint: Path) -> bool:
    """Whether there is a record of the mount at `mountpoint`, whoever's. Opens no file."""
    return any((place / f"{stem(mountpoint)}.json").exists() for place in candidates(os.environ, os.getuid()))


def claim(record: Record) -> Path:
    """Write `record`, in place of one whose daemon is dead. Returns its file.

    Raises MountError when a living daemon has the mountpoint, or the record cannot be written.
    """
    place = run_dir()
    final = f"{stem(Path(record.mountpoint))}.json"
    if (other := find(Path(record.mountpoint))) is not None and other.alive():  # in another run directory, perhaps
        raise _served(other)
    held = open_place(place)
    if held is None:
        raise MountError(f"The run directory {place} was replaced meanwhile; try again.")
    temporary = _write(held, record)
    try:
        for _ in range(10):  # each turn somebody else won a race for a dead record
            try:
                held.link(temporary, final)
                return place / final
            except FileExistsError:
                other = _read(held, final)
                if other is not None and other.alive():
                    raise _served(other) from None
                held.remove(final)
    except OSError as e:
        raise MountError(f"The run directory {place} cannot be written: {e.strerror}.") from e
    finally:
        held.remove(temporary)
    raise MountError(f"{place / final} is written by several daemons at once, or cannot be removed; try again.")


def _served(record: Record) -> MountError:
    return MountError(
        f"{record.mountpoint} is being served already by process {record.pid}; "
        f"end it with: mountnd umount {shlex.quote(record.mountpoint)}"
    )


def _write(held: PrivateDirectory, record: Record) -> str:
    """Write `record` under a temporary name; that name. Raises MountError."""
    temporary = f"tmp{secrets.token_hex(4)}.tmp"
    try:
        with open(held.create(temporary), "w") as file:
            json.dump(asdict(record), file)
    except OSError as e:
        held.remove(temporary)
        raise MountError(f"The run directory {held.path} cannot be written: {e.strerror}.") from e
    return temporary


def replace_own(record: Record) -> None:
    """Write `record` in place of the one of the same daemon that was claimed. Raises MountError."""
    for held, name in _files(record):
        held.rename(_write(held, record), name)


def release(record: Record) -> bool:
    """Remove the record if it is still this one. Returns whether it was."""
    files = _files(record)
    for held, name in files:
        held.remove(name)
    return bool(files)


def _files(record: Record) -> list[tuple[PrivateDirectory, str]]:
    """The files that hold a record of the same daemon for the same mountpoint."""
    name = f"{stem(Path(record.mountpoint))}.json"
    return [
        (place, name)
        for path in candidates(os.environ, os.getuid())
        if (place := open_place(path)) is not None
        and (held := _read(place, name)) is not None
        and (held.pid, held.started) == (record.pid, record.started)
    ]


def clean(mounted: set[str], now: float) -> list[Record]:
    """Remove the records of dead daemons whose mountpoint is no longer mounted, and what no record belongs to.

    That is: logs that are old, empty, or not among the newest `LOGS_KEPT`, sockets, and unfinished records.

    Args:
        mounted: paths where something is mounted.
        now: seconds since the epoch.

    Returns the records removed.
    """
    stale = [r for r in records() if not r.alive() and r.mountpoint not in mounted]
    for record in stale:
        release(record)
    for path in candidates(os.environ, os.getuid()):
        if (place := open_place(path)) is not None:
            _clean(place, now)
    return stale


def _clean(place: PrivateDirectory, now: float) -> None:
    """Remove what no record belongs to from one run directory."""
    entries = place.entries()
    recorded = {entry.name.removesuffix(".json") for entry in entries if _RECORD_NAME.fullmatch(entry.name)}
    hashes = {name[-8:] for name in recorded}
    logs: list[tuple[float, str]] = []
    for entry in entries:
        log, socket = _LOG_NAME.fullmatch(entry.name), _SOCKET_NAME.fullmatch(entry.name)
        with suppress(FileNotFoundError):
            info = entry.stat(follow_symlinks=False)
            left = info.st_mtime < now - LEFT_S
            if log and log[1] not in recorded and stat.S_ISREG(info.st_mode):
                if info.st_mtime < now - LOGS_KEPT_S or (left and not info.st_size):
                    place.remove(entry.name)
                else:
                    logs.append((info.st_mtime, entry.name))
            elif left and ((socket and socket[1] not in hashes) or _TEMPORARY_NAME.fullmatch(entry.name)):
                place.remove(entry.name)
    for _, name in sorted(logs, reverse=True)[LOGS_KEPT:]:
        place.remove(name)
