"""Unmounting through fusermount3: the one place that runs it."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess

# Of umount2(2), in linux/fs.h.
_MNT_DETACH, _UMOUNT_NOFOLLOW = 2, 8


def find() -> str | None:
    """Where fusermount3 is installed."""
    return shutil.which("fusermount3")


def unmount(path: str | os.PathLike[str], *, lazy: bool = False) -> str:
    """Unmount `path` through fusermount3 (where it is missing: umount, for root). Returns "" or the tool's complaint.

    The complaint is one line. Neither tool looks into the mount, so this also ends one whose daemon is dead.

    Args:
        lazy: take it out of the tree at once, also while programs use it.
    """
    if tool := find():
        command = [tool, "-u", *(["-z"] if lazy else [])]
    elif tool := shutil.which("umount"):
        command = [tool, "-i", *(["-l"] if lazy else [])]
    else:
        return "neither fusermount3 nor umount is installed"
    done = subprocess.run(
        [*command, "--", os.fspath(path)], cwd="/", stdin=subprocess.DEVNULL, capture_output=True, check=False
    )
    if done.returncode == 0:
        return ""
    complaint = done.stderr.decode(errors="replace").strip().replace("\n", "; ")
    return complaint or f"{tool} ended with {done.returncode}"


def detach(path: str | os.PathLike[str]) -> bool:
    """As `unmount(path, lazy=True)` where no descriptor is free, and for root where no process can be made.

    Returns whether it is unmounted. Never raises, and says nothing.
    """
    if os.geteuid() == 0:
        failed: int = ctypes.CDLL(None).umount2(os.fsencode(path), _MNT_DETACH | _UMOUNT_NOFOLLOW)
        return not failed
    if not (tool := find()):
        return False
    quiet = [(os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDWR, 0), *((os.POSIX_SPAWN_DUP2, 0, fd) for fd in (1, 2))]
    try:
        pid = os.posix_spawn(tool, [tool, "-u", "-z", "--", os.fspath(path)], os.environ, file_actions=quiet)
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    except OSError:
        return False


def become(path: str | os.PathLike[str]) -> None:
    """End this process by becoming the tool that unmounts `path`: that takes no process more. Returns where it is
    missing."""
    if tool := find():
        os.execv(tool, [tool, "-u", "-z", "--", os.fspath(path)])
