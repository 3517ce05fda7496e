"""Who may do what, where the kernel was not told to find out (`default_permissions`): the check of mode bits.

As the kernel's own (generic_permission in fs/namei.c), with one class of users after the other: the owner's bits count
for the owner, though others may have more. Pure, but for the groups of a process.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Collection
from typing import NamedTuple

from ..vfs.inodes import Attributes


class Caller(NamedTuple):
    """Whose request it is.

    Attributes:
        groups: gives the other groups that it is in.
    """

    uid: int
    gid: int
    groups: Callable[[], Collection[int]] = tuple


def may(caller: Caller, wanted: int, of: Attributes) -> bool:
    """Whether `caller` may do what is `wanted` (os.R_OK, os.X_OK; 0: nothing) with what has these attributes."""
    if caller.uid == 0:
        return stat.S_ISDIR(of.mode) or not wanted & os.X_OK or bool(of.mode & 0o111)
    if caller.uid == of.uid:
        bits = of.mode >> 6
    elif caller.gid == of.gid or of.gid in caller.groups():
        bits = of.mode >> 3
    else:
        bits = of.mode
    return wanted & ~bits & 0o7 == 0


def groups_of(pid: int) -> frozenset[int]:
    """The supplementary groups of a process or thread; none where that is not seen (another pid namespace)."""
    if pid > 0:
        try:
            with open(f"/proc/{pid}/status", encoding="latin-1") as status:
                line = next((line for line in status if line.startswith("Groups:")), "")
            return frozenset(map(int, line.split()[1:]))
        except (OSError, ValueError):
            pass  # it has just ended, or is hidden
    return frozenset()
