"""What the tests of the bytes room share: a store in memory, workers, and reads that come back as bytes."""

from __future__ import annotations

import ctypes
import random
import struct
import time
from collections.abc import Callable, Sequence
from typing import Any, Self

from mountnd.blocks.disk.base import DiskTier, SharedTier
from mountnd.blocks.readahead.base import PolicyFactory
from mountnd.blocks.readahead.window import WindowPolicy
from mountnd.blocks.stream import Blocks, Stream
from mountnd.stats import Stats
from mountnd.stores.base import Deadline, ObjectId, ObjectStat
from mountnd.stores.memory import MemoryStore
from mountnd.workers import Waiter, Workers
from tests.support.threads import Gate as Gate
from tests.support.waiting import Clock as Clock
from tests.support.waiting import wait_until

KIB, MIB = 1 << 10, 1 << 20

# Long enough that only a hang reaches it.
PATIENCE_S = 20.0


def body(size: int, seed: int = 1) -> bytes:
    """Bytes in which no two places look alike."""
    return random.Random(seed).randbytes(size)


def read(stream: Stream, offset: int, size: int) -> bytes:
    """What `read_into` fills in, with a guard on both sides that must stay as it is."""
    buffer = bytearray(b"\xa5" * (size + 32))
    address = ctypes.addressof(ctypes.c_char.from_buffer(buffer)) + 16
    stream.read_into(lambda: address, size, offset)
    assert buffer[:16] == buffer[-16:] == b"\xa5" * 16
    return bytes(buffer[16:-16])


def until(condition: Callable[[], bool]) -> None:
    """Wait until `condition` holds, looking every millisecond."""
    wait_until(condition, seconds=PATIENCE_S, pause=0.001)


class BlocksHarness:
    """A bytes room over a store in memory. A context manager: its workers end with it."""

    def __init__(
        self,
        *,
        memory: int = 64 * MIB,
        timeout: float = PATIENCE_S,
        threads: int = 16,
        reserved: int = 4,
        clock: Callable[[], float] = time.monotonic,
        interrupted: Callable[[], bool] = lambda: False,
        disk: DiskTier | None = None,
        shared: SharedTier | None = None,
        readahead: PolicyFactory = WindowPolicy,
        store: Any = None,
        stats: Stats | None = None,
    ) -> None:
        self.store: Any = store or MemoryStore()
        self.stats = stats or Stats()
        self.disk = disk
        self.workers = Workers(threads, "test", reserved=reserved)
        self.blocks = Blocks(
            {self.store.source: self.store},
            memory=memory,
            workers=self.workers,
            waiter=Waiter(interrupted),
            timeout=timeout,
            stats=self.stats,
            disk=disk,
            shared=shared,
            clock=clock,
            readahead=readahead,
        )
        self.fetcher = self.blocks._fetcher

    def put(self, key: str, data: bytes) -> ObjectStat:
        return self.store.put(key, data)

    def open(self, key: str, data: bytes) -> Stream:
        """A stream on a new object `key`."""
        stat = self.put(key, data)
        return self.blocks.open(stat.id, stat.size)

    @property
    def gets(self) -> list[tuple[int, int]]:
        """The ranges asked for, sorted."""
        return sorted((c.start, c.stop) for c in list(self.store.calls) if c.op == "read")

    @property
    def used(self) -> int:
        with self.fetcher.lock:
            return self.fetcher.memory.used

    def quiet(self) -> None:
        """Wait until nothing is on its way."""
        until(lambda: not self.fetcher._flights)

    def count(self, name: str) -> int:
        return self.stats.snapshot().get(name, 0)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.blocks.close()
        self.workers.close()


class Endless:
    """A store of one object of any size: the bytes at an offset follow from the offset."""

    source = url = "memory://endless"
    root = ""
    flat = pins = True
    latency = None
    begins_reads = False

    def __init__(self, size: int) -> None:
        self.size, self.fetched = size, 0

    def connections_for(self, id: ObjectId, length: int, sharing: int) -> int:
        return 0

    @property
    def id(self) -> ObjectId:
        return ObjectId(self.source, "endless", '"1"')

    @staticmethod
    def at(offset: int, size: int) -> bytes:
        first = offset // 8
        words = struct.pack(f"<{size // 8 + 2}Q", *range(first, first + size // 8 + 2))
        return words[offset % 8 : offset % 8 + size]

    def read(self, id: ObjectId, start: int, views: Sequence[memoryview], *, deadline: Deadline) -> None:
        for view in views:
            view[:] = self.at(start, len(view))
            start += len(view)
            self.fetched += len(view)
