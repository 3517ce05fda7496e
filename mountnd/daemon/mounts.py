"""What is mounted where, according to the kernel, and how to find out whether a mount answers without hanging.

Nothing here calls stat(2) on a mountpoint from this process: a mount whose daemon hangs would hang us too.
"""

from __future__ import annotations

import os
import re
import select
import signal
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from ..errors import MountError

# The type that the kernel shows for our mounts: libfuse makes it of the mount option `subtype=mountnd`.
FSTYPE = "fuse.mountnd"
# What automounters (autofs, systemd) put where something is to be mounted.
AUTOFS = "autofs"

MOUNTINFO = Path("/proc/self/mountinfo")
# One directory for each FUSE connection that lives, by the minor number of its device.
CONNECTIONS = Path("/sys/fs/fuse/connections")

# How long a process that was killed may take to go.
_KILLED_S = 1.0
# Symbolic links followed by `resolve` before it gives up: the kernel's own limit (MAXSYMLINKS).
_MAX_LINKS = 40


@dataclass(frozen=True, slots=True)
class Mount:
    """One line of mountinfo (proc(5)).

    Attributes:
        device: "major:minor", the st_dev of everything inside.
        path: the mountpoint, absolute.
        fstype: `fuse.mountnd`, `ext4`, ...
        source: what was mounted, as the mounter named it.
        options: the options of the superblock (`user_id=1000`, ...).
    """

    device: str
    path: Path
    fstype: str
    source: str
    options: tuple[str, ...]

    @property
    def user_id(self) -> int | None:
        """The user who mounted it (FUSE only)."""
        for option in self.options:
            name, _, value = option.partition("=")
            if name == "user_id" and re.fullmatch("[0-9]{1,10}", value):
                return int(value)
        return None


def _unescape(field: str) -> str:
    """mountinfo writes space, tab, newline and backslash as \\ooo."""
    raw = re.sub(rb"\\([0-3][0-7]{2})", lambda m: bytes([int(m[1], 8)]), os.fsencode(field))
    return os.fsdecode(raw)


def parse(text: str) -> list[Mount]:
    """The mounts in a mountinfo file, oldest first; lines that are not of its form are skipped."""
    found = []
    for line in text.split("\n"):
        head, dash, tail = line.partition(" - ")
        left, right = head.split(" "), tail.split(" ")
        if not dash or len(left) < 6 or len(right) < 3:
            continue
        found.append(
            Mount(
                device=left[2],
                path=Path(_unescape(left[4])),
                fstype=right[0],
                source=_unescape(right[1]),
                options=tuple(_unescape(right[2]).split(",")),
            )
        )
    return found


def mounts() -> list[Mount]:
    """Everything mounted in this process's mount namespace, oldest first. Raises MountError where /proc is hidden."""
    try:
        return parse(MOUNTINFO.read_text(errors="surrogateescape"))
    except OSError as e:
        raise MountError(
            f"{MOUNTINFO} cannot be read ({e.strerror}), so what is mounted cannot be seen. "
            "To fix it: sudo mount -t proc proc /proc"
        ) from None


def mount_at(path: Path) -> Mount | None:
    """The topmost mount at exactly this (resolved) path, None where nothing is mounted."""
    return next((m for m in reversed(mounts()) if m.path == path), None)


def enclosing(path: Path) -> Mount | None:
    """The mount of mountnd's that `path` (resolved) lies inside, without being its mountpoint."""
    around = [m for m in mounts() if path.is_relative_to(m.path)]
    inner = next(
        (m for m in reversed(around) if m.path == max((m.path for m in around), key=lambda p: len(p.parts))), None
    )
    return inner if inner is not None and inner.fstype == FSTYPE and inner.path != path else None


def is_mounted(path: Path, device: str) -> bool:
    """Whether `device` ("major:minor") is mounted at exactly this (resolved) path."""
    return any(m.path == path and m.device == device for m in mounts())


def resolve(path: Path) -> Path:
    """`path` absolute and without symbolic links, never looking into a FUSE mount, nor at a mountpoint: what lies
    inside one stays as it is written, links there included.

    Component by component, as the kernel does, with the mount table for a map: stat(2) or readlink(2) of anything at or
    below a mount whose daemon hangs would hang, too.
    """
    table = mounts()
    mounted, fuse = {m.path for m in table}, {m.path for m in table if m.fstype.startswith("fuse")}
    done, pending, links = Path("/"), list(reversed(Path(os.path.abspath(path)).parts[1:])), 0
    while pending:
        name = pending.pop()
        if name == "..":
            done = done.parent
            continue
        done /= name
        if done in mounted or not fuse.isdisjoint((done, *done.parents)) or links == _MAX_LINKS:
            continue
        try:
            target = os.readlink(done)
        except OSError:
            continue  # no link, or not there
        links += 1
        parts = Path(target).parts
        done = Path("/") if parts[:1] == ("/",) else done.parent
        pending += [part for part in reversed(parts) if part != "/"]
    return done


def answers(paths: Collection[Path], seconds: float) -> dict[Path, int | None]:
    """As `probe`, for several mounts side by side: `seconds` for all of them."""
    end, started = time.monotonic() + seconds, {path: _start(partial(os.statvfs, path)) for path in paths}
    return {path: _finish(pid, max(0.0, end - time.monotonic())) for path, pid in started.items()}


def call_in_child(function: Callable[[], object], seconds: float) -> int | None:
    """Call `function` in a process of its own. Returns 0, the errno of its OSError, or None when it took too long.

    A process, because one that waits for a hung FUSE daemon can be killed and a thread cannot. Call it
    only while this process has no threads, or with a function that takes no lock.
    """
    return _finish(_start(function), seconds)


def _start(function: Callable[[], object]) -> int:
    pid = os.fork()
    if pid == 0:
        status = 255
        try:
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            nothing = os.open(os.devnull, os.O_RDWR)
            for stream in range(3):  # it may be there for long yet, and whoever reads our output waits for its end
                os.dup2(nothing, stream)
            function()
            status = 0
        except OSError as e:
            status = e.errno or 255
        finally:
            os._exit(status)
    return pid


def _finish(pid: int, seconds: float) -> int | None:
    done = False
    try:
        done = wait_exit(pid, seconds)
    finally:
        if not done:
            os.kill(pid, signal.SIGKILL)
            # A daemon that took the request and never answers keeps it from dying; then it is left to init.
            wait_exit(pid, _KILLED_S)
        reaped, status = os.waitpid(pid, os.WNOHANG)
    return os.waitstatus_to_exitcode(status) if done and reaped else None


def probe(path: Path, seconds: float) -> int | None:
    """Whether the file system at `path` answers: 0, the errno of its refusal, or None when nothing came in time.

    By statvfs(2), not by stat(2): the kernel answers that from its cache, long after the daemon died.
    """
    return call_in_child(lambda: os.statvfs(path), seconds)


def top_of(path: Path) -> Path:
    """The mountpoint of the mountnd mount that `path` (resolved) lies in; the path itself where it lies in none."""
    inside = [m.path for m in mounts() if m.fstype == FSTYPE and path.is_relative_to(m.path)]
    return max(inside, key=lambda place: len(place.parts), default=path)


def is_in_fuse(path: Path) -> bool:
    """Whether `path` (resolved) is, or lies inside, a FUSE mount: looking at it may hang."""
    return any(m.fstype.startswith("fuse") and path.is_relative_to(m.path) for m in mounts())


def is_stopped(pid: int) -> bool:
    """Whether process `pid` was stopped, by a signal or a debugger."""
    try:
        text = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return False
    return text[text.rindex(b")") + 2 :][:1] in (b"T", b"t")


def wait_exit(pid: int, seconds: float) -> bool:
    """Whether process `pid` has ended within `seconds`; a child of ours is left to be waited for."""
    try:
        fd = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return _readable(fd, seconds)
    finally:
        os.close(fd)


def _readable(fd: int, seconds: float) -> bool:
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    end = time.monotonic() + seconds
    while True:
        if poll.poll(max(0.0, end - time.monotonic()) * 1000):
            return True
        if time.monotonic() >= end:
            return False
