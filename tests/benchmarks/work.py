"""What the workloads are made of: timed reads through a mount, each compared with the source's bytes."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

MIB = 1 << 20
KIB = 1 << 10


class Late(Exception):
    """The limit is over."""


class Work:
    """Counts and times the operations of one run, and checks its bytes against `source`."""

    def __init__(self, source: Path, limit: float) -> None:
        self.source, self.limit = source, limit
        self.bytes = self.done = self.total = 0
        self.seconds: list[float] = []
        self._lock = threading.Lock()
        self.begun = time.perf_counter()
        self.ended: float | None = None  # where what comes after the work is not to be counted

    def due(self) -> None:
        if time.perf_counter() - self.begun > self.limit:
            raise Late

    def tick(self, n: int, seconds: float | None = None) -> None:
        with self._lock:
            self.bytes += n
            self.done += 1
            if seconds is not None:
                self.seconds.append(seconds)

    def same(self, key: str, offset: int, data: bytes | memoryview) -> None:
        with (self.source / key).open("rb") as file:
            file.seek(offset)
            if file.read(len(data)) != bytes(data):
                raise AssertionError(f"wrong bytes: {key} at {offset}")


def cat(w: Work, mnt: Path, key: str, step: int = 128 * KIB) -> None:
    """read(2) by 128 KiB as cat does; the first 4 KiB of every 16 MiB are compared with the source."""
    fd = os.open(mnt / key, os.O_RDONLY)
    buffer = bytearray(step)
    offset = 0
    try:
        while n := os.readv(fd, [buffer]):
            if offset % (16 * MIB) == 0:
                w.same(key, offset, memoryview(buffer)[: min(n, 4096)])
            offset += n
            w.due()
    finally:
        os.close(fd)
    if offset != (w.source / key).stat().st_size:
        raise AssertionError(f"short: {key} {offset}")
    w.tick(offset)


def pread(w: Work, fd: int, key: str, offset: int, n: int) -> None:
    begun = time.perf_counter()
    data = os.pread(fd, n, offset)
    while len(data) < n and (more := os.pread(fd, n - len(data), offset + len(data))):
        data += more
    w.tick(len(data), time.perf_counter() - begun)
    w.same(key, offset, data)
    w.due()


def start(w: Work, mnt: Path, key: str, n: int = -1) -> None:
    """Open, read the first n bytes (-1: all), close."""
    begun = time.perf_counter()
    with (mnt / key).open("rb") as file:
        data = file.read(n)
    w.tick(len(data), time.perf_counter() - begun)
    w.same(key, 0, data)
    w.due()
