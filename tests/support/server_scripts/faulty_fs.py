"""A file system that shows a directory and fails on demand, as one on a network does.

    python faulty_fs.py ROOT MNT CONTROL

What CONTROL, a file elsewhere, says is done from the next call on. "": nothing; "EIO" or another errno's name: every
call fails so; "hang": every call waits until CONTROL says something else; "hang write": calls that write wait. Prints a
line when it is mounted, and ends when stdin closes.
"""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import mfusepy

READING = ("getattr", "readdir", "open", "read", "statfs", "access", "opendir")
WRITING = ("create", "write", "truncate", "unlink", "rename", "link", "mkdir", "rmdir", "chmod", "chown", "utimens",
           "flush", "fsync")  # fmt: skip


class Faulty(mfusepy.Operations):  # type: ignore[misc]
    """The calls, passed on to the directory."""

    use_ns = True

    def __init__(self, root: str, control: str) -> None:
        self._root, self._control = root, Path(control)
        for name in (*READING, *WRITING):
            setattr(self, name, self._checked(getattr(self, name), writes=name in WRITING))

    def _checked(self, call: Callable[..., Any], *, writes: bool) -> Callable[..., Any]:
        @wraps(call)
        def checked(*args: Any) -> Any:
            said = self._said()
            while said == "hang" or (said == "hang write" and writes):
                time.sleep(0.05)
                said = self._said()
            if said and said != "hang write":
                raise mfusepy.FuseOSError(getattr(errno, said))
            return call(*args)

        return checked

    def _said(self) -> str:
        try:
            return self._control.read_text().strip()
        except FileNotFoundError:
            return ""

    def _at(self, path: str) -> str:
        return self._root + path

    def getattr(self, path: str, fh: int | None = None) -> dict[str, Any]:
        info = os.lstat(self._at(path))
        names = ("st_mode", "st_nlink", "st_uid", "st_gid", "st_size", "st_blocks", "st_ino")
        times = {f"st_{kind}time": getattr(info, f"st_{kind}time_ns") for kind in "amc"}
        return {name: getattr(info, name) for name in names} | times

    def access(self, path: str, amode: int) -> int:
        return 0

    def opendir(self, path: str) -> int:
        return 0

    def readdir(self, path: str, fh: int) -> list[str]:
        return [".", "..", *os.listdir(self._at(path))]

    def statfs(self, path: str) -> dict[str, int]:
        info = os.statvfs(self._at(path))
        names = ("f_bsize", "f_frsize", "f_blocks", "f_bfree", "f_bavail", "f_files", "f_ffree", "f_namemax")
        return {name: getattr(info, name) for name in names}

    def open(self, path: str, flags: int) -> int:
        return os.open(self._at(path), flags & ~os.O_NOFOLLOW)

    def create(self, path: str, mode: int, fi: Any = None) -> int:
        return os.open(self._at(path), os.O_RDWR | os.O_CREAT | os.O_EXCL, mode)

    def read(self, path: str, size: int, offset: int, fh: int) -> bytes:
        return os.pread(fh, size, offset)

    def write(self, path: str, data: bytes, offset: int, fh: int) -> int:
        return os.pwrite(fh, data, offset)

    def truncate(self, path: str, length: int, fh: int | None = None) -> int:
        os.truncate(self._at(path) if fh is None else fh, length)
        return 0

    def flush(self, path: str, fh: int) -> int:
        return 0

    def fsync(self, path: str, datasync: int, fh: int) -> int:
        return 0

    def release(self, path: str, fh: int) -> int:
        os.close(fh)
        return 0

    def unlink(self, path: str) -> int:
        os.unlink(self._at(path))
        return 0

    def rename(self, old: str, new: str) -> int:
        os.rename(self._at(old), self._at(new))
        return 0

    def link(self, target: str, source: str) -> int:
        os.link(self._at(source), self._at(target))
        return 0

    def mkdir(self, path: str, mode: int) -> int:
        os.mkdir(self._at(path), mode)
        return 0

    def rmdir(self, path: str) -> int:
        os.rmdir(self._at(path))
        return 0

    def chmod(self, path: str, mode: int) -> int:
        os.chmod(self._at(path), mode)
        return 0

    def chown(self, path: str, uid: int, gid: int) -> int:
        os.chown(self._at(path), uid, gid)
        return 0

    def utimens(self, path: str, times: tuple[int, int] | None = None) -> int:
        os.utime(self._at(path), ns=times)
        return 0

    def init(self, path: str) -> None:
        print("mounted", flush=True)


def main() -> None:
    root, mnt, control = sys.argv[1:]
    os.umask(0)

    def end_with_stdin() -> None:
        sys.stdin.read()
        subprocess.run(["fusermount3", "-uz", mnt], check=False)
        os._exit(0)

    threading.Thread(target=end_with_stdin, daemon=True).start()
    options = {"attr_timeout": 0, "entry_timeout": 0, "negative_timeout": 0, "hard_remove": True}
    mfusepy.FUSE(Faulty(root, control), mnt, foreground=True, allow_other=True, default_permissions=True, **options)


if __name__ == "__main__":
    main()
