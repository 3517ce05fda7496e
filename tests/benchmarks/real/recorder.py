"""`python -m tests.benchmarks.real.recorder FILE ...`: mountnd with these arguments, which writes down its calls.

One JSON line a call of the vfs, as it is answered: ["list", path], ["open", handle, path, size], ["read", handle,
offset, size], ["close", handle] (close(2)). Look-ups of single names and attributes are left out. The product's code is
as it is: its vfs gets other methods before the mount is made.
"""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Callable
from typing import Any

from mountnd.cli.main import main
from mountnd.vfs.inodes import Inode
from mountnd.vfs.open_directories import OpenDirectories
from mountnd.vfs.tree import Vfs


def record(path: str) -> None:
    """Have every `Vfs` write to `path` from now on."""
    lock, out = threading.Lock(), open(path, "a")  # noqa: SIM115

    def told(*event: object) -> None:
        with lock:
            out.write(json.dumps(event) + "\n")
            out.flush()

    opendir, open_, read_into, flush = OpenDirectories.opendir, Vfs.open, Vfs.read_into, Vfs.flush

    def where(owner: Vfs | OpenDirectories, inode: Inode) -> str:
        return owner._namespace.path(inode).rstrip("/")

    def opendir_told(self: OpenDirectories, inode: Inode) -> int:
        told("list", where(self, inode))
        return opendir(self, inode)

    def open_told(self: Vfs, inode: Inode) -> tuple[int, bool]:
        opened = open_(self, inode)
        handle = opened[0]
        told("open", handle, where(self, inode), self.fstat(handle).size)
        return opened

    def read_told(self: Vfs, fh: int, address: Callable[[], int], size: int, offset: int) -> int:
        told("read", fh, offset, size)
        return read_into(self, fh, address, size, offset)

    def flush_told(self: Vfs, fh: int) -> None:
        told("close", fh)
        flush(self, fh)

    replaced: dict[str, Any] = {
        "open": open_told,
        "read_into": read_told,
        "flush": flush_told,
    }
    OpenDirectories.opendir = opendir_told  # type: ignore[method-assign]
    for name, method in replaced.items():
        setattr(Vfs, name, method)


if __name__ == "__main__":
    record(sys.argv[1])
    sys.argv = ["mountnd", *sys.argv[2:]]
    main()
