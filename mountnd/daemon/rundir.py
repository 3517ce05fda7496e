"""The run directory: a record of each mount, one JSON file each, for `umount`, `doctor` and the next mount.

It is `$XDG_RUNTIME_DIR/mountnd`, else `/run/user/UID/mountnd`, else `/tmp/mountnd-UID`: the first that is safe and can
be written. It belongs to the user and is open to nobody else (0700). A mount is looked for in all of them, because the
variable may differ between the shell that mounted and the one that unmounts, and because any of them may be removed (a
logout takes `/run/user/UID` away) or fill up meanwhile.

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
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from ..errors import MountError
from ..private_directory import PrivateDirectory
from ..regular_file import UntrustedDirectory

# A log is kept after its mount has ended, to be looked at; after a week nobody will.
LOGS_KEPT_S = 7 * 86400
# The names of what lies there, by `stem`. Nothing else is read or removed.
_RECORD_NAME = re.compile(r".*-[0-9a-f]{8}\.json", re.DOTALL)
_LOG_NAME = re.compile(r"(.+)\.log(?:\.1)?", re.DOTALL)
# A record of a mount of very many sources.
_RECORD_BYTES = 4 << 20
_KINDS = {"mountpoint": str, "pid": int, "started": int, "made": bool, "log": str, "device": str}


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One mount.

    Attributes:
        mountpoint: absolute, resolved.
        pid: of the daemon.
        started: field 22 of its /proc/PID/stat (clock ticks after boot): a reused pid does not match.
        since: seconds since the epoch when it was mounted.
        sources: names and URLs.
        made: mountnd made the mountpoint, and removes it when the mount ends.
        log: where the daemon logs, "" for the terminal.
        device: "major:minor" of what it mounted, "" until it has.
    """

    mountpoint: str
    pid: int
    started: int
    since: float
    sources: tuple[tuple[str, str], ...] = ()
    made: bool = False
    log: str = ""
    device: str = ""

    def alive(self) -> bool:
        """Whether the daemon that wrote it still runs."""
        return started(self.pid) == self.started or _is_hidden(self.pid)


def started(pid: int) -> int | None:
    """When process `pid` started, in clock ticks after boot; None where there is none, or only its zombie."""
    try:
        text = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return None
    # The name (field 2) is in brackets and may hold anything, brackets too: count from the last one.
    fields = text[text.rindex(b")") + 2 :].split()
    return None if fields[0] in (b"Z", b"X") else int(fields[19])


def _is_hidden(pid: int) -> bool:
    """Whether there is a process of ours that /proc does not show: mounted with hidepid=2, it shows none that hides its
    memory, as daemons do."""
    if pid <= 0 or os.path.exists(f"/proc/{pid}"):
        return False
    try:
        os.kill(pid, 0)
    except (OSError, OverflowError):
        return False
    return True


def candidates(environ: Mapping[str, str], uid: int) -> list[Path]:
    """Where the run directory of `uid` may be, best first. Pure."""
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
    why = "; ".join(refused) or "there is no /tmp"
    raise MountError(f"No safe run directory: {why}. Set XDG_RUNTIME_DIR to a directory of yours.")


def _unusable(path: Path, uid: int) -> str:
    """Make `path` and say why it must not be the run directory, "" when it may. Raises OSError where it cannot be."""
    shared = path.parent == Path("/tmp")  # anybody may have made a directory of our name there
    if not shared and path.parent.stat().st_uid != uid:
        return f"lies in a directory that is not user {uid}'s"  # `su` and `sudo -E` keep the variable of somebody else
    with suppress(FileExistsError):
        path.mkdir(mode=0o700)
    try:
        held = PrivateDirectory.open(path, follow=False, owners={uid})
        if not shared:
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
        fields = json.loads(held.read(name, _RECORD_BYTES))
        fields["sources"] = tuple((str(name), str(url)) for name, url in fields["sources"])
        record = Record(**fields)
        right = all(type(getattr(record, name)) is kind for name, kind in _KINDS.items()) and record.pid > 0
        right = right and "\0" not in record.mountpoint + record.log + record.device
        return replace(record, since=float(record.since)) if right else None
    except (OSError, ValueError, TypeError, KeyError, OverflowError, RecursionError):
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
    """Remove the records of dead daemons whose mountpoint is no longer mounted, and old logs.

    Args:
        mounted: paths where something is mounted.
        now: seconds since the epoch.

    Returns the records removed.
    """
    place = open_place(run_dir())
    entries = place.entries() if place is not None else []
    names = {entry.name for entry in entries}
    for entry in entries:
        if place is None or not (log := _LOG_NAME.fullmatch(entry.name)) or f"{log[1]}.json" in names:
            continue
        with suppress(FileNotFoundError):
            info = entry.stat(follow_symlinks=False)
            if stat.S_ISREG(info.st_mode) and info.st_mtime < now - LOGS_KEPT_S:
                place.remove(entry.name)
    stale = [r for r in records() if not r.alive() and r.mountpoint not in mounted]
    for record in stale:
        release(record)
    return stale
