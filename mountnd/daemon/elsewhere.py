"""Where a mount still is after it was unmounted here: bind mounts of it, and other mount namespaces.

A new mount namespace begins with a copy of every mount. What is unmounted here stays there, and with it the daemon.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from . import mounts


class Copy(NamedTuple):
    """Another place of a mount: a path here (`pid` 0), or in the mount namespace of a process."""

    path: Path
    pid: int = 0
    name: str = ""

    def __str__(self) -> str:
        if not self.pid:
            return f"It is also mounted at {self.path}"
        return f"{self.name} (pid {self.pid}) still has it at {self.path} in a mount namespace of its own"


def copies(device: str) -> list[Copy]:
    """Where `device` ("major:minor") is mounted, as far as this user may see; one process for each namespace."""
    return [Copy(mount.path) for mount in mounts.mounts() if mount.device == device] + list(_in_namespaces(device))


def holders(device: str) -> str:
    """Who or what keeps a FUSE mount that was unmounted here, in words; "" where nothing is known of that."""
    if held := copies(device):
        return "; ".join(str(copy) for copy in held)
    # The kernel says that it lives; the process is one that this user may not look at.
    if (mounts.CONNECTIONS / device.partition(":")[2]).exists():
        return "A program of another user still has it in a mount namespace of its own"
    return ""


def still_running(pid: int, held: str) -> str:
    """Why a daemon has not ended, with what `holders` says, and how to end it: a sentence for the person."""
    if not held:
        return f"Its daemon (pid {pid}) is still finishing requests."
    return f"{held}; its daemon (pid {pid}) ends with that, or now: kill {pid}"


def _in_namespaces(device: str) -> Iterator[Copy]:
    seen = {_namespace("self")}
    for pid in sorted((name for name in os.listdir("/proc") if name.isdigit()), key=int):
        namespace = _namespace(pid)
        if namespace is None or namespace in seen:
            continue
        seen.add(namespace)
        try:
            text = Path(f"/proc/{pid}/mountinfo").read_text(errors="surrogateescape")
            name = Path(f"/proc/{pid}/comm").read_text(errors="replace").strip()
        except OSError:
            seen.discard(namespace)  # it has just ended; another process may have the same
            continue
        found = next((mount for mount in mounts.parse(text) if mount.device == device), None)
        if found is not None:
            yield Copy(found.path, int(pid), name)


def _namespace(pid: str) -> str | None:
    try:
        return os.readlink(f"/proc/{pid}/ns/mnt")
    except OSError:
        return None  # another user's process
