"""Plays a host that hands over a mount, as Apptainer's --fusemount does: opens /dev/fuse, mounts it, starts a program.

    unshare --mount --propagation private python -m tests.functional.command.fuse_host MNT HOW COMMAND...

Mounts at MNT as Apptainer does (nosuid, nodev; neither `ro` nor `default_permissions`), runs COMMAND with /dev/fd/N in
place of {}, and prints a line of JSON when it serves: what root and another user see and may do. Then HOW it ends:
`term` (SIGTERM), `unmount`, `late` (as `term`, and it is mounted a second after the start), `keep` (as `term`, and the
host keeps its descriptor open). Prints a second line: the exit code, and the mounts of FUSE that there were.
"""

from __future__ import annotations

import ctypes
import errno
import json
import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

STRANGER = 65_002  # a user and a group of nobody's
GROUP = 65_003
NOSUID, NODEV, DETACH = 2, 4, 2  # linux/mount.h
START_S, END_S = 60.0, 60.0

libc = ctypes.CDLL(None, use_errno=True)


def mount(fd: int, where: Path) -> None:
    options = f"fd={fd},rootmode=40000,user_id={os.getuid()},group_id={os.getgid()},allow_other"
    if libc.mount(b"fuse_host", os.fsencode(where), b"fuse", NOSUID | NODEV, options.encode()):
        raise OSError(ctypes.get_errno(), "mount")


def outcome(call: Callable[[], Any]) -> Any:
    """What a call gives, or the name of its errno."""
    try:
        given = call()
    except OSError as e:
        return errno.errorcode[e.errno or 0]
    return given if isinstance(given, (int, str, bool, list)) else None


def read(path: Path) -> str:
    return path.read_bytes()[:16].decode("latin-1")


def attempts(top: Path, file: Path) -> dict[str, Any]:
    """What this user may do with a file of the mount, with its directory and in it."""
    folder, new = file.parent, file.parent / "new"
    calls: dict[str, Callable[[], Any]] = {
        "list": lambda: sorted(os.listdir(folder)),
        "read": lambda: read(file),
        "chdir": lambda: os.chdir(folder),
        "access r": lambda: os.access(file, os.R_OK),
        "access w": lambda: os.access(file, os.W_OK),
        "access x": lambda: os.access(file, os.X_OK),
        "access top w": lambda: os.access(top, os.W_OK),
        "write": lambda: os.open(file, os.O_WRONLY),
        "append": lambda: os.open(file, os.O_RDWR | os.O_APPEND),
        "truncate at open": lambda: os.open(file, os.O_RDONLY | os.O_TRUNC),
        "truncate": lambda: os.truncate(file, 0),
        "create": lambda: os.open(new, os.O_CREAT | os.O_WRONLY, 0o644),
        "create to read": lambda: os.open(new, os.O_CREAT | os.O_RDONLY, 0o644),
        "mkdir": lambda: os.mkdir(new),
        "mknod": lambda: os.mknod(new, stat.S_IFREG | 0o644),
        "symlink": lambda: os.symlink("x", new),
        "link": lambda: os.link(file, new),
        "rename": lambda: os.rename(file, new),
        "unlink": lambda: os.unlink(file),
        "rmdir": lambda: os.rmdir(folder),
        "chmod": lambda: os.chmod(file, 0o777),
        "chown": lambda: os.chown(file, os.getuid(), os.getgid()),
        "utime": lambda: os.utime(file, (1, 1)),
        "setxattr": lambda: os.setxattr(file, "user.x", b"1"),
    }
    found = {name: outcome(call) for name, call in calls.items()}
    os.chdir("/")
    return found


def as_user(uid: int, groups: list[int], call: Callable[[], Any]) -> Any:
    """What a call gives in a process of another user."""
    out, into = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.setgroups(groups)
            os.setresgid(uid, uid, uid)
            os.setresuid(uid, uid, uid)
            os.write(into, json.dumps(call()).encode())
        finally:
            os._exit(0)
    os.close(into)
    with os.fdopen(out, "rb") as answer:
        text = answer.read()
    os.waitpid(pid, 0)
    return json.loads(text)


def fuse_mounts() -> list[str]:
    """Where FUSE is mounted in this namespace."""
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    return [line.split()[4] for line in lines if " - fuse" in line and "fusectl" not in line]


def main(where: str, how: str, *command: str) -> None:
    for path in fuse_mounts():
        libc.umount2(os.fsencode(path), DETACH)  # copies of others'
    top, fd = Path(where), os.open("/dev/fuse", os.O_RDWR | os.O_CLOEXEC)
    if how != "late":
        mount(fd, top)
    argv = [word.replace("{}", f"/dev/fd/{fd}") for word in command]
    process = subprocess.Popen(argv, pass_fds=(fd,), stdin=subprocess.DEVNULL)
    try:
        if how == "late":
            time.sleep(1)
            mount(fd, top)
        if how != "keep":
            os.close(fd)
        files = sorted(p for p in top.rglob("*") if p.is_file())  # waits for the program's greeting
        report = {
            "files": [str(p.relative_to(top)) for p in files],
            "root": attempts(top, files[0]),
            "stranger": as_user(STRANGER, [], lambda: attempts(top, files[0])),
            "member": as_user(STRANGER, [GROUP], lambda: attempts(top, files[0])),
        }
        print(json.dumps(report), flush=True)
        if how == "unmount":
            assert libc.umount2(os.fsencode(top), 0) == 0
        else:
            process.send_signal(signal.SIGTERM)
        code = process.wait(END_S)
    finally:
        process.kill()
        process.wait()
        mounted = fuse_mounts()
        libc.umount2(os.fsencode(top), DETACH)
    print(json.dumps({"code": code, "mounts": mounted}), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
