"""The floor: one file served from memory by the plainest tuned loop over mfusepy that there is.

    python -m tests.benchmarks.floor FILE MNT

No store, no cache, no policies: Python threads in `fuse_session_loop`, and a `memmove` from the file's bytes into
libfuse's reply buffer for each read. What mountnd takes beyond this is what its own rooms cost.
"""

from __future__ import annotations

import ctypes
import errno
import os
import stat
import sys
import threading
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("FUSE_LIBRARY_NAME", "fuse3")
import mfusepy

LIB = mfusepy._libfuse
THREADS = 16
# A short interval hands the interpreter to the thread that has a request to answer (default: 5 ms).
SWITCH_S = 0.0005
MAX_BACKGROUND = 64


class Floor(mfusepy.Operations):
    """A root directory with one file. Built on mfusepy's callbacks for everything but `read`."""

    use_ns = True

    def __init__(self, file: Path) -> None:
        self.name = f"/{file.name}"
        self.size = file.stat().st_size
        self.content = ctypes.create_string_buffer(self.size)
        with file.open("rb") as source:
            source.readinto(self.content)
        self.address = ctypes.addressof(self.content)

    def getattr(self, path: str, fh: int | None = None) -> dict[str, int]:
        if path == "/":
            return {"st_mode": stat.S_IFDIR | 0o555, "st_nlink": 2}
        if path != self.name:
            raise OSError(errno.ENOENT, "")
        return {"st_mode": stat.S_IFREG | 0o444, "st_nlink": 1, "st_size": self.size}

    def readdir(self, path: str, fh: int) -> list[str]:
        return [".", "..", self.name[1:]]

    def open(self, path: str, flags: int) -> int:
        return 0

    def read(self, path: str, size: int, offset: int, fh: int) -> bytes:
        raise NotImplementedError  # mfusepy registers only callbacks that stand here; Door.read is what runs


class Door(mfusepy.FUSE):
    """mfusepy's FUSE with the loop in Python's threads and the read without a copy in between."""

    operations: Floor

    def init_fuse_3(self, connection: object, config: object) -> None:
        connection.contents.max_background = MAX_BACKGROUND  # type: ignore[attr-defined]
        connection.contents.max_readahead = 1 << 30  # type: ignore[attr-defined]

    def read(self, path: bytes, buffer: object, size: int, offset: int, info: object) -> int:
        floor = self.operations
        n = max(0, min(size, floor.size - offset))
        ctypes.memmove(buffer, floor.address + offset, n)
        return n


def serve(argc: int, argv: object, operations: object, size: int, data: object) -> int:
    """In place of libfuse's main: as many Python threads as wanted, each in the session's loop."""

    class Args(ctypes.Structure):
        _fields_ = (("argc", ctypes.c_int), ("argv", ctypes.c_void_p), ("allocated", ctypes.c_int))

    options = (ctypes.c_char_p * 2)(b"floor", None)
    args = Args(1, ctypes.cast(options, ctypes.c_void_p), 0)
    LIB.fuse_get_session.restype = ctypes.c_void_p
    LIB.fuse_new.restype = ctypes.c_void_p
    handle = ctypes.c_void_p(LIB.fuse_new(ctypes.byref(args), operations, ctypes.c_size_t(size), None))
    if LIB.fuse_mount(handle, argv[argc - 1]):  # type: ignore[index]
        return 4
    session = ctypes.c_void_p(LIB.fuse_get_session(handle))
    loop: Callable[..., int] = LIB.fuse_session_loop
    threads = [threading.Thread(target=loop, args=(session,), daemon=True) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    LIB.fuse_unmount(handle)
    return 0


if __name__ == "__main__":
    sys.setswitchinterval(SWITCH_S)
    mfusepy.fuse_main_real = serve
    Door(Floor(Path(sys.argv[1])), sys.argv[2], foreground=True, ro=True)
