"""What this machine must have before anything can be mounted, and the command that installs it.

Each check looks at one thing and returns a `Finding`; `run_mount` refuses on a bad one, `doctor` prints them all.
"""

from __future__ import annotations

import ctypes
import os
import pwd
import stat
from ctypes.util import find_library
from pathlib import Path
from typing import Literal, NamedTuple

from ..fusermount import find as find_fusermount
from ..fusermount import is_needed as fusermount_is_needed

FUSE_DEVICE = Path("/dev/fuse")
FUSE_CONF = Path("/etc/fuse.conf")


Level = Literal["ok", "warn", "bad"]


class Finding(NamedTuple):
    """Outcome of one check: its level, what was found, and the command that fixes it ("" when ok)."""

    level: Level
    what: str
    fix: str = ""


def fuse_device(path: Path = FUSE_DEVICE) -> Finding:
    """Whether this user can open the FUSE device for reading and writing."""
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CLOEXEC))
    except FileNotFoundError:
        return Finding(
            "bad", f"{path} is missing", "sudo modprobe fuse   (in a container: start it with --device /dev/fuse)"
        )
    except PermissionError:
        mode = stat.S_IMODE(path.stat().st_mode)
        return Finding("bad", f"{path} (mode {mode:04o}) is not open to this user", f"sudo chmod 0666 {path}")
    except OSError as e:
        return Finding(
            "bad", f"{path} cannot be opened: {e.strerror}", "sudo modprobe fuse   (in a container: it needs SYS_ADMIN)"
        )
    mode = stat.S_IMODE(path.stat().st_mode)
    if os.getuid() == 0 and mode & 0o006 != 0o006:
        return Finding("warn", f"{path} (mode {mode:04o}) is open to root only", f"sudo chmod 0666 {path}")
    return Finding("ok", f"{path} can be opened")


def fusermount() -> Finding:
    """Whether fusermount3 is there, and may mount for an ordinary user. Root mounts without it, and so does the owner
    of a namespace."""
    if os.getuid() != 0 and not fusermount_is_needed():
        return Finding("ok", "fusermount3 is not needed: in this namespace the user may mount")
    path = find_fusermount()
    if path is None:
        level: Level = "warn" if os.getuid() == 0 else "bad"
        return Finding(level, "fusermount3 is not installed", "sudo apt-get install fuse3   (or: dnf install fuse3)")
    st = os.stat(path)
    if not (st.st_mode & stat.S_ISUID and st.st_uid == 0):
        level = "ok" if os.getuid() == 0 else "warn"
        return Finding(level, f"{path} is not setuid root", f"sudo chown root {path} && sudo chmod u+s {path}")
    return Finding("ok", f"{path} is installed, setuid root")


def user() -> Finding:
    """Whether this user has a name; fusermount3 refuses one that has none, as in many containers."""
    uid = os.getuid()
    if uid != 0 and not fusermount_is_needed():
        return Finding("ok", f"user {uid}")
    try:
        return Finding("ok", f"user {pwd.getpwuid(uid).pw_name} ({uid})")
    except KeyError:
        level: Level = "warn" if uid == 0 else "bad"
        home = os.environ.get("HOME") or "/"
        line = f"reader:x:{uid}:{os.getgid()}::{home}:/bin/sh"
        return Finding(
            level, f"user {uid} has no name, which fusermount3 needs", f"echo '{line}' | sudo tee -a /etc/passwd"
        )


def libfuse() -> Finding:
    """Whether libfuse 3 can be loaded, and which version it is."""
    fix = "sudo apt-get install fuse3   (or: dnf install fuse3)"
    name = find_library("fuse3")
    if name is None:
        return Finding("bad", "libfuse 3 is not installed", fix)
    try:
        library = ctypes.CDLL(name)
        library.fuse_pkgversion.restype = ctypes.c_char_p
        version: bytes = library.fuse_pkgversion()
    except (OSError, AttributeError) as e:
        return Finding("bad", f"{name} cannot be used: {e}", fix)
    return Finding("ok", f"libfuse {version.decode()} ({name})")


def allows_other(conf: str) -> bool:
    """Whether the text of fuse.conf lets ordinary users pass allow_other. Pure."""
    return any(line.strip() == "user_allow_other" for line in conf.splitlines())


def allow_other(conf: Path = FUSE_CONF) -> Finding:
    """Whether this user may mount with --allow-other."""
    fix = f"echo user_allow_other | sudo tee -a {conf}"
    if os.getuid() == 0:
        return Finding("ok", "root may use --allow-other")
    if not fusermount_is_needed():
        return Finding("ok", "in this namespace the user may use --allow-other")
    try:
        allowed = allows_other(conf.read_text())
    except OSError:
        allowed = False
    if allowed:
        return Finding("ok", f"{conf} has user_allow_other: --allow-other works")
    return Finding("warn", f"{conf} has no user_allow_other: --allow-other is refused", fix)


def proc(path: Path = Path("/proc/self/mountinfo")) -> Finding:
    """Whether this process can see in /proc what is mounted."""
    try:
        path.read_bytes()
    except OSError as e:
        return Finding(
            "bad",
            f"{path} cannot be read ({e.strerror}), so what is mounted cannot be seen",
            "sudo mount -t proc proc /proc   (in a container: start it with a /proc of its own)",
        )
    return Finding("ok", "/proc shows what is mounted")


def kernel() -> Finding:
    """Whether the kernel knows the FUSE file system type."""
    try:
        known = any(line.split()[-1:] == ["fuse"] for line in Path("/proc/filesystems").read_text().splitlines())
    except OSError:
        known = True  # no /proc/filesystems to ask: the device decides
    if known:
        return Finding("ok", f"Linux {os.uname().release} has FUSE")
    return Finding("bad", "this kernel has no FUSE", "sudo modprobe fuse")
