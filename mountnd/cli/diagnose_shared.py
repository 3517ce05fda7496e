"""What `mountnd doctor` looks at of a cache that nodes share: does it answer, who may use it, whose clock is wrong."""

from __future__ import annotations

import os
import secrets
import shlex
import time
from collections.abc import Iterator
from pathlib import Path

from ..daemon import mounts
from ..daemon.host import Finding
from ..report import figures
from ..shared_directory.directory import SharedDirectory
from ..shared_directory.guard import PATIENCE_S
from ..shared_directory.place import SharedPlace, made_by, remarks

# Clocks that differ by more make listings that nodes share look older or newer than they are.
_SKEW_S = 60.0


def diagnose_shared(path: Path, mode: int) -> Iterator[Finding]:
    """Findings about the directory at `path`. Ends within some seconds, also where its file system hangs."""
    if mounts.probe(path, PATIENCE_S) is None:  # in a process of its own: one that hangs in FUSE could not end
        yield Finding("bad", f"shared cache {path} does not answer; mounts do without it", "ask whoever runs it")
        return
    place = SharedPlace(path, mode, told=False)
    try:
        yield from _findings(place, path)
    finally:
        place.close()


def _findings(place: SharedPlace, path: Path) -> Iterator[Finding]:
    what, quoted = f"shared cache {path}", shlex.quote(str(path))
    if why := place.guard.why_out:
        if place.is_missing:
            yield Finding("bad", f"{what}: there is no such directory; mounts do without it", made_by(path))
        else:
            fix = f"ls -ld {quoted}   (or choose another: --shared-cache DIR)"
            yield Finding("bad", f"{what}: {why}; mounts do without it", fix)
        return
    try:
        held = place.guard.call(place.path.open)
        assert isinstance(held, SharedDirectory)
        found = place.guard.call(remarks, held)
        space = place.guard.call(os.statvfs, path)
        writable = place.may_write and place.guard.call(_can_make, held)
    except OSError as e:
        yield Finding("bad", f"{what}: {e.strerror or e}; mounts do without it", f"ls -ld {quoted}")
        return
    if not writable:
        yield Finding("warn", f"{what}: you may only read it; others get nothing of what you fetch", f"ls -ld {quoted}")
    for remark in found:
        words, _, fix = remark.partition(": ")
        yield Finding("warn", f"{what}: {words}", f"{fix} {quoted}")
    ahead = place.path.clock.now() - time.time()
    if abs(ahead) > _SKEW_S:
        order = "behind" if ahead > 0 else "ahead of"
        words = f"the clock of this node is {figures.duration(abs(ahead))} {order} that of its file system"
        yield Finding("warn", f"{what}: {words}", "timedatectl   (or ask whoever runs the node)")
    if writable and not found:
        yield Finding("ok", f"{what}: {figures.size(space.f_bavail * space.f_frsize)} free")


def _can_make(held: SharedDirectory) -> bool:
    """Whether a file can be made and removed there."""
    name = f".{secrets.token_hex(8)}.tmp"
    try:
        os.close(held.create(name))
    except OSError:
        return False
    return held.remove(name)
