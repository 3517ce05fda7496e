"""Unmounting: who holds a mount, how to end it, and waiting until its daemon is gone.

Reads only /proc and the run directory, so it neither hangs on a mount that hangs nor wakes one that is busy. (`hung`
looks at mounts from a process of its own.)
"""

from __future__ import annotations

import os
import shlex
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from .. import fusermount
from ..errors import MountError
from . import ask, elsewhere, hung, lookup, mounts, rundir
from .mountpoint import remove_made

# A daemon that was unmounted closes its connections and goes; at most it waits for one request.
_GONE_S = 10.0

# And one that writes a report of what was read, which whoever unmounts may want to look at.
_REPORT_S = 60.0

# How long a daemon that has not ended may take to say that it lives.
_ANSWER_S = 3.0

# After a lazy unmount the daemon lives as long as the last open file does; only see whether it goes at once. The same
# where another mount namespace still has it.
_GONE_AT_ONCE_S = 1.0
# How long a record that was just removed is waited for.
_RECORD_S = 2.0


@dataclass(frozen=True, slots=True)
class Holder:
    """A process that keeps a mount busy. `how`: "working directory", "root directory", "open file", "mapped file"."""

    pid: int
    name: str
    how: str


def _inside(target: str, path: str) -> bool:
    return target == path or target.startswith(path + "/")


def _uses(proc: Path, path: str) -> str:
    """How the process below `proc` uses `path`, "" when it does not or may not be looked at."""
    for link, how in (("cwd", "working directory"), ("root", "root directory")):
        try:
            if _inside(os.readlink(proc / link), path):
                return how
        except OSError:
            pass
    try:
        fds = os.listdir(proc / "fd")
    except OSError:
        fds = []
    for fd in fds:
        try:
            if _inside(os.readlink(proc / "fd" / fd), path):
                return "open file"
        except OSError:
            pass
    if _waits_in_kernel(proc):
        return ""  # perhaps on a page fault, with the lock that reading its maps would wait for
    try:
        maps = (proc / "maps").read_text(errors="surrogateescape")
    except OSError:
        return ""
    # address perms offset dev inode PATH, the path with newlines as \012
    wanted = path.replace("\n", "\\012")
    if any(len(f := line.split(maxsplit=5)) == 6 and _inside(f[5], wanted) for line in maps.split("\n")):
        return "mapped file"
    return ""


def _waits_in_kernel(proc: Path) -> bool:
    try:
        return (proc / "stat").read_bytes().rpartition(b") ")[2][:1] == b"D"
    except OSError:
        return True  # it has just gone


def holders(path: Path) -> Iterator[Holder]:
    """The processes (as far as this user may see) that keep the mount at `path` busy, this one left out."""
    for name in sorted((n for n in os.listdir("/proc") if n.isdigit()), key=int):
        proc = Path("/proc") / name
        if int(name) != os.getpid() and (how := _uses(proc, str(path))):
            try:
                comm = (proc / "comm").read_text(errors="replace").strip()
            except OSError:
                continue  # it has just gone
            yield Holder(int(name), comm, how)


def named_holders(path: Path) -> str:
    """The processes that keep the mount at `path` busy, for a message; "" where none is seen."""
    return ", ".join(f"{held.name} (pid {held.pid}, {held.how})" for held in holders(path))


def unmount(directory: Path, *, lazy: bool = False) -> str:
    """Unmount a mountnd mount, and wait until its daemon is gone.

    A daemon that hangs is killed, so that the mount can always be ended. The caller must not stand in it.

    Args:
        lazy: take it out of the tree at once; it ends when the last program closes its last file.

    Returns:
        "" or a line for the person (the daemon still serves open files, or was killed).

    Raises:
        MountError: not a mount of mountnd's, or busy (names the holders), or not permitted.
    """
    path = mounts.resolve(directory)
    mounted = mounts.mount_at(path)
    if mounted is None:
        raise MountError(f"{path} is not mounted{_enclosing(path)}.")
    record: rundir.Record | None = lookup.daemon_of(path, _RECORD_S)
    if record is None and mounted.user_id not in (None, os.getuid()):
        record = rundir.find(path, mounted.user_id)  # root unmounts for somebody
    if mounted.fstype != mounts.FSTYPE:
        raise MountError(
            f"{path} is a mount of type {mounted.fstype} ({mounted.source}), not mountnd's. "
            f"To unmount it: sudo umount {shlex.quote(str(path))}"
        )
    hangs = lazy and hung.hangs(path, record)  # to be found out while it is there
    complaint = fusermount.unmount(path, lazy=lazy)
    still = mounts.mount_at(path) if complaint else None
    if still is not None and still.device == mounted.device:
        raise MountError(_why_not(path, mounted, record, complaint))
    if record is None:
        return _without_record(path, mounted.device) if hangs else ""
    owner = os.getuid() if mounted.user_id is None else mounted.user_id
    if hangs or hung.is_stopped(record):
        return _end_hung(path, mounted.device, record, owner)
    return _after_unmount(path, mounted.device, record, owner, lazy)


def unmount_all(*, lazy: bool = False) -> Iterator[str]:
    """Unmount the mounts that this user's run directories know of, the innermost first: a line for each.

    Raises MountError at the end, with what could not be unmounted and why.
    """
    recorded = {(record.mountpoint, record.device) for record in rundir.records()}
    failed = []
    for mount in reversed(mounts.mounts()):
        if mount.fstype != mounts.FSTYPE or (str(mount.path), mount.device) not in recorded:
            continue
        try:
            yield unmount(mount.path, lazy=lazy)
        except MountError as e:
            failed.append(str(e))
    if failed:
        raise MountError("; ".join(failed))


def _enclosing(path: Path) -> str:
    """A remark " (it lies inside the mount X)", when the path is a directory of the tree instead of its root."""
    ours = {m.path for m in mounts.mounts() if m.fstype == mounts.FSTYPE}
    inside = next((p for p in path.parents if p in ours), None)
    return f" (it lies inside the mount {inside})" if inside else ""


def _end_hung(path: Path, device: str, record: rundir.Record, owner: int) -> str:
    held = elsewhere.holders(device)
    done = hung.end(record, device, owner)
    _free(path, record)
    if owner == os.getuid():
        ask.remove_socket(path)
    there = f" {held}; there it answers no more." if held else ""
    return f"{path} is unmounted. Its daemon (pid {record.pid}) {done}.{there}"


def _without_record(path: Path, device: str) -> str:
    if hung.abort(device):
        return f"{path} is unmounted. Its daemon did not answer and left no record; its requests were aborted."
    return f"{path} is unmounted. Its daemon did not answer and left no record; to find it: pgrep -af mountnd"


def _why_not(path: Path, mounted: mounts.Mount, record: rundir.Record | None, complaint: str) -> str:
    quoted = shlex.quote(str(path))
    if record is not None and hung.hangs(path, record):
        return f"{path} is busy, and its daemon (pid {record.pid}) hangs. To end both: mountnd umount --lazy {quoted}"
    below = [m.path for m in mounts.mounts() if m.path != path and m.path.is_relative_to(path)]
    if below:
        return f"{path} is busy: {below[0]} is mounted inside it; unmount that first."
    if held := named_holders(path):
        return f"{path} is busy: {held}. End them, or: mountnd umount --lazy {quoted}"
    if os.getuid() not in (0, mounted.user_id):
        return f"{path} was mounted by user {mounted.user_id}; only that user or root can unmount it: {complaint}"
    return (
        f"{path} cannot be unmounted: {complaint}. If it is busy, another user's program holds it "
        f"(sudo fuser -vm {quoted}); or: mountnd umount --lazy {quoted}"
    )


def _after_unmount(path: Path, device: str, record: rundir.Record, owner: int, lazy: bool) -> str:
    if lazy:
        # Here and not at the daemon's end, so that the mountpoint is free for another mount now.
        _free(path, record)
        if wait_gone(record, _GONE_AT_ONCE_S):
            return ""
        return f"Programs still use files of {path}; its daemon (pid {record.pid}) ends when they close them."
    gone = wait_gone(record, _GONE_AT_ONCE_S)
    held = "" if gone else elsewhere.holders(device)
    if not gone and not held:
        gone = wait_gone(record, _GONE_S) or (ask.is_writing(path, _ANSWER_S) and wait_gone(record, _REPORT_S))
    if not gone and not held and not ask.answers(path, _ANSWER_S) and not (gone := wait_gone(record, 0)):
        return _end_hung(path, device, record, owner)  # nobody uses it any more
    _free(path, record)
    if gone:
        return ""
    # A directory that is removed takes what is mounted on it along, in every namespace.
    if held and record.made and wait_gone(record, _GONE_AT_ONCE_S):
        return f"{path} is unmounted. {held}; there it is gone, too."
    return f"{path} is unmounted. {elsewhere.still_running(record.pid, held)}"


def _free(path: Path, record: rundir.Record) -> None:
    """Let another mount be made at `path`, whatever becomes of the daemon."""
    rundir.release(record)
    if record.made:
        remove_made(path, owner=os.getuid())


def wait_gone(record: rundir.Record, seconds: float) -> bool:
    """Whether the daemon has ended within `seconds`."""
    if not record.alive():
        return True
    end = time.monotonic() + seconds
    mounts.wait_exit(record.pid, seconds)
    while record.alive() and time.monotonic() < end:  # it has ended, but /proc may say so a moment later
        time.sleep(0.01)
    return not record.alive()
