"""Daemons that hang: stopped, or without a thread that answers. Is it one, and how to end it all the same.

Nothing here looks into a mount from this process. A daemon is ended by the pid that its record holds, after a look at
whether that is still the same process, and the same user's: root reads records that users wrote.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path

from . import ask, mounts, rundir

# How long a mount and its control socket may take to answer before the daemon counts as hung; on a healthy machine both
# do so in milliseconds.
_ANSWER_S = 4.0
# How long a process that was killed may take to go.
_END_S = 3.0


def hangs(path: Path, record: rundir.Record | None) -> bool:
    """Whether the daemon of the mount at `path` hangs: it is stopped, or answers neither the kernel nor its socket.

    One that only waits for its source still answers on the socket.
    """
    if record is not None and is_stopped(record):
        return True
    if mounts.probe(path, _ANSWER_S) is not None:
        return False
    return record is None or not ask.answers(path, _ANSWER_S)


def is_stopped(record: rundir.Record) -> bool:
    """Whether the daemon was stopped, by a signal or a debugger."""
    return record.alive() and mounts.is_stopped(record.pid)


def end(record: rundir.Record, device: str, owner: int) -> str:
    """Kill the daemon of a mount that was unmounted. Returns what was done, as the end of a sentence about it.

    Args:
        device: of the mount, "major:minor".
        owner: the user whose daemon it is.
    """
    state = "was stopped" if mounts.is_stopped(record.pid) else "did not answer"
    try:
        fd = os.pidfd_open(record.pid)
    except OSError:
        return "has ended"
    try:
        # The descriptor is of one process: what is true of the pid now is true of it.
        if (since := rundir.started(record.pid)) is None:  # /proc hides it (hidepid=2)
            return f"{state}; to end it: kill -9 {record.pid}"
        if since != record.started or _user_of(record.pid) != owner:
            abort(device)
            return "did not answer, and is another process than its record says: nothing was killed"
        signal.pidfd_send_signal(fd, signal.SIGKILL)
    except OSError as e:
        return f"{state} and cannot be killed ({e.strerror}); to end it: sudo kill -9 {record.pid}"
    finally:
        os.close(fd)
    if not mounts.wait_exit(record.pid, _END_S):
        # It waits in the kernel, for its own mount perhaps, and dies when that is aborted.
        abort(device)
        if not mounts.wait_exit(record.pid, _END_S):
            return f"{state} and was killed, but waits in the kernel; it goes when that answers"
    return f"{state} and was killed"


def abort(device: str) -> bool:
    """Have the kernel answer every request of a FUSE mount with an error. Returns whether it could be told: only the
    mount's user and root may, and only where /sys/fs/fuse/connections is mounted."""
    try:
        (mounts.CONNECTIONS / device.partition(":")[2] / "abort").write_text("1")
    except OSError:
        return False
    return True


def _user_of(pid: int) -> int | None:
    # Not by the owner of /proc/PID: that is root for a daemon that hides its memory.
    try:
        lines = Path(f"/proc/{pid}/status").read_text(errors="replace").splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) for line in lines if line.startswith("Uid:")), None)
