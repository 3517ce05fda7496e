"""A user and a mount namespace of this process's own, in which an ordinary user may mount without any setuid program.

The kernel lets the owner of a user namespace mount FUSE in it (since Linux 4.18). This user is mapped to itself, so
that programs see the user and the owner of its files as ever; all others, root among them, are "nobody" in there. What
is mounted is seen by this process and its children only, and is gone with the last of them. See user_namespaces(7).
"""

from __future__ import annotations

import ctypes
import errno
import os
from pathlib import Path

from ..errors import MountError

_NEWNS, _NEWUSER = 0x00020000, 0x10000000  # CLONE_... of linux/sched.h

# Settings by which distributions keep users from making namespaces: what they are, and the value that does.
_SETTINGS = (
    ("kernel/unprivileged_userns_clone", "0", "kernel.unprivileged_userns_clone=1"),
    ("kernel/apparmor_restrict_unprivileged_userns", "1", "kernel.apparmor_restrict_unprivileged_userns=0"),
    ("user/max_user_namespaces", "0", "user.max_user_namespaces=15000"),
)


def enter() -> None:
    """Move this process, which must have one thread, into new namespaces. Raises MountError where it may not."""
    uid, gid = os.getuid(), os.getgid()  # afterwards they are nobody's until they are mapped
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_NEWUSER | _NEWNS):
        raise _refused(ctypes.get_errno())
    try:
        # Without privileges outside a group may be mapped only by who gives up changing groups.
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{uid} {uid} 1")
        Path("/proc/self/gid_map").write_text(f"{gid} {gid} 1")
    except OSError as e:
        raise _refused(e.errno or errno.EPERM) from e


def _refused(number: int) -> MountError:
    found = next((setting for setting in _SETTINGS if _value(setting[0]) == setting[1]), None)
    fix = "sudo apt-get install fuse3   (or: dnf install fuse3)"
    if found is None:
        why = os.strerror(number)
        if number == errno.EPERM:
            why += "; in a container its seccomp profile may forbid it"
    else:
        name, value, allowing = found
        why, fix = f"{name.replace('/', '.')} is {value}", f"{fix}; or: sudo sysctl -w {allowing}"
    return MountError(
        f"Without fusermount3 a user mounts in a namespace of his own, and this kernel allows none ({why}). "
        f"To fix it: {fix}"
    )


def _value(name: str) -> str:
    try:
        return Path("/proc/sys", name).read_text().strip()
    except OSError:
        return ""  # this kernel has no such setting
