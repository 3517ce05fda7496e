"""Another user of the machine, and a place where he and we may both make files. Needs root."""

from __future__ import annotations

import os
import shutil
import signal
import stat
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

UID = 65534


@contextmanager
def shared_place() -> Iterator[Path]:
    """A directory as /scratch is: anybody may make something in it. It is removed afterwards."""
    place = Path(tempfile.mkdtemp(prefix="mountnd-scratch-", dir="/tmp"))
    try:
        place.chmod(0o1777)
        yield place
    finally:
        shutil.rmtree(place)


def give(path: Path, uid: int = UID) -> None:
    """Make `path`, and all below it, a user's."""
    for each in (path, *path.rglob("*")):
        os.chown(each, uid, uid, follow_symlinks=False)


def as_stranger(function: Callable[[], object], uid: int = UID, groups: Sequence[int] = ()) -> str:
    """What `function` returns, or raises, in a process of another user's, as text.

    By fork, since the interpreter may lie where he may not read; the function must have imported what it uses.
    """
    ours, his = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.close(ours)
            signal.alarm(60)  # whatever it waits for
            os.setgroups(groups)
            os.setgid(uid)
            os.setuid(uid)
            try:
                said = f"{function()}"
            except Exception as e:
                said = f"{type(e).__name__}: {e}"
            os.write(his, said.encode(errors="replace"))
        finally:
            os._exit(0)
    os.close(his)
    with open(ours, errors="replace") as answer:
        said = answer.read()
    os.waitpid(pid, 0)
    return said


def picture(top: Path) -> dict[str, tuple[int, int, int, bytes | str]]:
    """All that is at `top` and below it: owner, mode, links, and content or target. What was touched differs."""
    found = {}
    for path in (top, *sorted(top.rglob("*"))):
        info = path.lstat()
        content: bytes | str = b""
        if stat.S_ISLNK(info.st_mode):
            content = os.readlink(path)
        elif stat.S_ISREG(info.st_mode):
            content = path.read_bytes()
        found[str(path)] = (info.st_uid, stat.S_IMODE(info.st_mode), info.st_nlink, content)
    return found


def plant_special(path: Path, kind: str) -> None:
    """Make something that is no regular file: `fifo`, `socket`, `directory`, `loop`, `device`, `link` (to a FIFO)."""
    path.unlink(missing_ok=True)
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "socket":
        os.mknod(path, stat.S_IFSOCK | 0o600)
    elif kind == "directory":
        path.mkdir()
    elif kind == "loop":
        path.symlink_to(path.name)
    elif kind == "device":
        os.mknod(path, stat.S_IFCHR | 0o600, os.makedev(1, 5))  # /dev/zero: it never ends
    else:
        fifo = path.with_name("a-fifo")
        if not fifo.exists():
            os.mkfifo(fifo)
        path.symlink_to(fifo.name)


KINDS = ("fifo", "socket", "directory", "loop", "device", "link")
