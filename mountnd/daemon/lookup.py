"""Which daemon serves a mountpoint, also just after its record was removed."""

from __future__ import annotations

import os
import time
from pathlib import Path

from . import mounts, rundir

# A daemon whose record or socket was removed makes it anew: it looks every half second (`control.CHECK_S`), later on a
# busy machine.
RESTORE_S = 5.0


def daemon_of(path: Path, seconds: float = RESTORE_S) -> rundir.Record | None:
    """The record of the mount of this user at `path` (resolved), None where there is none.

    Where something of this user's is mounted but has no record it waits for that, at most `seconds`.
    """
    end = time.monotonic() + seconds
    while (record := rundir.find(path)) is None and is_ours(path) and time.monotonic() < end:
        time.sleep(0.05)
    return record


def is_ours(path: Path) -> bool:
    """Whether what is mounted at `path` is a mount of mountnd's that this user made."""
    mounted = mounts.mount_at(path)
    return mounted is not None and mounted.fstype == mounts.FSTYPE and mounted.user_id == os.getuid()
