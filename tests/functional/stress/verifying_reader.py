"""A process that reads the files of a mount as hard as it can and compares every byte with the source's.

    python -m tests.functional.stress.verifying_reader MNT SOURCE SEED SECONDS

SOURCE is a directory of the same files. Prints `ready`, reads until its stdin closes (at most SECONDS), and then says
in one line of JSON what it did. Ends with 1 at the first wrong byte or unexpected error; that the mount went away
under it is neither, and is told as `gone`.
"""

from __future__ import annotations

import errno
import json
import os
import random
import select
import sys
import time
from pathlib import Path

KIB = 1 << 10
HANDLES = 6  # kept open: what was opened before an eviction, a damage or a kill goes on being read
SIZES = (1, 512, 4 * KIB, 64 * KIB, 70_000, 300_000)
# What the kernel says of a mount whose daemon was killed, when asked, and when that interrupts the asking.
GONE = (errno.ENOTCONN, errno.ECONNABORTED)


class WrongBytes(Exception):
    """A read gave other bytes than the source has."""


class Reader:
    """Reads files below `mnt` as `dice` decides, and compares each read with `source`."""

    def __init__(self, mnt: Path, source: Path, dice: random.Random) -> None:
        self.mnt, self.source, self.dice = mnt, source, dice
        self.bodies = {path.name: path.read_bytes() for path in sorted(source.iterdir())}
        self.handles: list[tuple[str, int]] = []
        self.reads = self.bytes = self.files = 0

    def do_something(self) -> None:
        """One thing that readers do."""
        name = self.dice.choice([*self.bodies])
        chance = self.dice.random()
        if chance < 0.10:
            self.read_whole(name, os.O_DIRECT)
        elif chance < 0.20:
            self.read_whole(name, 0)
        elif chance < 0.30:
            self.read_through_page_cache(name)
        else:
            self.read_scattered(name)

    def read_scattered(self, name: str) -> None:
        """A random read through a handle of ours, past the kernel's page cache, so that the daemon has to answer."""
        if len(self.handles) < HANDLES:
            self.handles.append((name, self.open(name, os.O_DIRECT)))
        elif self.dice.random() < 0.05:
            os.close(self.handles.pop(self.dice.randrange(HANDLES))[1])
            return
        name, fd = self.dice.choice(self.handles)
        self.pread(name, fd, self.dice.randrange(len(self.bodies[name])), self.dice.choice(SIZES))

    def read_whole(self, name: str, flags: int) -> None:
        """All of a file from its start, by an ordinary size."""
        fd, step = self.open(name, flags), self.dice.choice((64 * KIB, 128 * KIB, 1024 * KIB))
        try:
            for offset in range(0, len(self.bodies[name]) + 1, step):
                self.pread(name, fd, offset, step)
            os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
            self.files += 1
        finally:
            os.close(fd)

    def read_through_page_cache(self, name: str) -> None:
        """A few consecutive reads through the kernel's page cache, from anywhere."""
        fd, offset = self.open(name, 0), self.dice.randrange(len(self.bodies[name]))
        try:
            for _ in range(4):
                self.pread(name, fd, offset, 64 * KIB)
                offset += 64 * KIB
        finally:
            os.close(fd)

    def open(self, name: str, flags: int) -> int:
        return os.open(self.mnt / name, os.O_RDONLY | os.O_CLOEXEC | flags)

    def pread(self, name: str, fd: int, offset: int, size: int) -> None:
        """Read all of that, as read(2) loops do."""
        wanted = self.bodies[name][offset : offset + size]
        got = b""
        while len(got) < len(wanted) and (part := os.pread(fd, size - len(got), offset + len(got))):
            got += part
        if got != wanted:
            at = next((i for i, (a, b) in enumerate(zip(got, wanted, strict=False)) if a != b), len(got))
            raise WrongBytes(f"{name} at {offset + at}, in {len(got)} bytes of {len(wanted)} from {offset}")
        self.reads += 1
        self.bytes += len(got)


def main(mnt: str, source: str, seed: str, seconds: str) -> int:
    reader = Reader(Path(mnt), Path(source), random.Random(int(seed)))
    end = time.monotonic() + float(seconds)
    report: dict[str, object] = {}
    print("ready", flush=True)
    try:
        while time.monotonic() < end and not select.select([sys.stdin], [], [], 0)[0]:
            reader.do_something()
    except OSError as error:
        report["gone" if error.errno in GONE else "error"] = repr(error)
    except WrongBytes as error:
        report["wrong"] = str(error)
    report |= {"reads": reader.reads, "bytes": reader.bytes, "files": reader.files}
    print(json.dumps(report), flush=True)
    return 1 if "wrong" in report or "error" in report else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
