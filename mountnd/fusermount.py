"""Unmounting, through fusermount3 where an ordinary user needs it: the one place that runs it."""

from __future__ import annotations

import ctypes
import os
import shutil
import stat
import subprocess

# Of umount2(2), in linux/fs.h.
_MNT_DETACH, _UMOUNT_NOFOLLOW = 2, 8
# Of linux/capability.h and linux/prctl.h.
_CAPABILITY_VERSION_3, _CAP_SYS_ADMIN, _PR_GET_NO_NEW_PRIVS = 0x20080522, 21, 39


def find() -> str | None:
    """Where fusermount3 is installed."""
    return shutil.which("fusermount3")


def is_needed() -> bool:
    """Whether this process needs it to mount: it is no root's, and not the owner of its namespace either.

    (Of root nothing is assumed: whether he may mount, the kernel says.)
    """
    return os.geteuid() != 0 and not _may_mount()


def may_be_used() -> bool:
    """Whether it can mount for an ordinary user's process: it is installed setuid root, and nothing keeps that from
    having effect (a mount option, or no_new_privs as in Apptainer)."""
    path = find()
    if path is None:
        return False
    info = os.stat(path)
    setuid = info.st_mode & stat.S_ISUID and info.st_uid == 0
    nosuid = os.statvfs(path).f_flag & os.ST_NOSUID
    return bool(setuid and not nosuid and not ctypes.CDLL(None).prctl(_PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0))


def _may_mount() -> bool:
    """Whether this process has CAP_SYS_ADMIN, in its user namespace. See capget(2)."""
    header, data = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0), (ctypes.c_uint32 * 6)()
    return not ctypes.CDLL(None).capget(header, data) and bool(data[0] >> _CAP_SYS_ADMIN & 1)


def unmount(path: str | os.PathLike[str], *, lazy: bool = False) -> str:
    """Unmount `path` through fusermount3 (where it is missing: umount, for root), or without where this process may.

    Returns "" or the complaint, which is one line. Nothing looks into the mount, so this also ends one whose daemon is
    dead.

    Args:
        lazy: take it out of the tree at once, also while programs use it.
    """
    if os.geteuid() != 0 and _may_mount():
        return _unmount_here(path, lazy=lazy)
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


def _unmount_here(path: str | os.PathLike[str], *, lazy: bool) -> str:
    """umount2(2); "" or why not."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.umount2(os.fsencode(path), _UMOUNT_NOFOLLOW | (_MNT_DETACH if lazy else 0)):
        return os.strerror(ctypes.get_errno())
    return ""


def detach(path: str | os.PathLike[str]) -> bool:
    """As `unmount(path, lazy=True)` where no descriptor is free, and for root where no process can be made.

    Returns whether it is unmounted. Never raises, and says nothing.
    """
    if not is_needed():
        return not _unmount_here(path, lazy=True)
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
