"""Whole objects, read once to be compared with what is known of them: what `mountnd verify` reads.

Bytes come as programs get them, from memory, the disk cache or the source, and are kept as for these; but they do not
count as read by a program (`usage`). What the provider says of an object is asked for on the workers of bytes, behind
what readers wait for.

No lock of its own.
"""

from __future__ import annotations

import ctypes
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from concurrent.futures import TimeoutError as FutureTimeout
from typing import NamedTuple, Protocol

from ..checks.digest import Told
from ..errors import Cancelled, StoreError
from ..stats import BYTES_FETCHED, DISK_DAMAGED, GETS, HEADS
from ..stores.base import Deadline, ObjectId
from ..workers import cancels
from .begun import BegunRead
from .fetch.fetcher import Fetcher

# One GET past the caches.
PIECE = 8 << 20
# Bytes of an object that are asked for before those are taken that came first.
AHEAD = 16 << 20
# How often it is looked whether to end.
_LOOK_S = 0.1


class Opened(Protocol):
    """An object that is read (`stream.Stream`)."""

    def begin(self, size: int, offset: int) -> BegunRead: ...

    def close(self) -> None: ...


class Brought(NamedTuple):
    """Bytes of an object that its source, and the disk cache, gave; the rest of a read was in memory."""

    source: int
    disk: int


class Checking:
    """Reads objects whole. Safe to use from many threads.

    Args:
        opened: a stream that does not count as a program's.
        brought: what source and disk gave of an object since the mount began, as long as that is remembered.
        cancelled: whether to end; what waits then raises Cancelled.
    """

    def __init__(
        self,
        fetcher: Fetcher,
        opened: Callable[[ObjectId, int], Opened],
        brought: Callable[[ObjectId], tuple[int, int]],
        cancelled: Callable[[], bool],
    ) -> None:
        self._fetcher, self._opened, self._brought, self._cancelled = fetcher, opened, brought, cancelled

    @property
    def memory(self) -> int:
        """Bytes that memory may hold."""
        return self._fetcher.memory.limit

    @property
    def damaged(self) -> int:
        """Blocks on disk whose checksum has failed since the mount began."""
        return self._fetcher.stats.snapshot().get(DISK_DAMAGED, 0)

    def provider_id(self, id: ObjectId) -> ObjectId:
        """The object as its provider knows it: a source may show it under another key."""
        return self._fetcher.store(id).provider_id(id)

    def digests(self, id: ObjectId) -> Told:
        """What the provider says of an object's content. Raises StoreError."""
        try:
            task = self._fetcher.submit_prefetch(self._ask, id)
        except RuntimeError:
            raise StoreError("the mount is closing") from None
        while True:
            try:
                return task.future.result(_LOOK_S)
            except CancelledError:
                raise StoreError("the mount is closing") from None
            except FutureTimeout:
                if task.future.done():
                    raise
                if self._cancelled():
                    task.cancel()
                    raise Cancelled(id.key) from None

    def chunks(self, id: ObjectId, size: int, buffer: bytearray) -> Iterator[memoryview]:
        """The bytes of an object, in order, each time in the same `buffer`; some more of them are asked for meanwhile.
        Raises StoreError."""
        held = (ctypes.c_char * len(buffer)).from_buffer(buffer)
        address, view = ctypes.addressof(held), memoryview(buffer)
        stream, offsets = self._opened(id, size), iter(range(0, size, len(buffer)))
        begun: deque[tuple[int, BegunRead]] = deque()
        try:
            while True:
                self._check(id)
                # One that waits for its turn waits for those before it to end: nothing is begun behind it.
                while (not begun or begun[-1][1].under_way) and sum(n for n, _ in begun) < AHEAD:
                    if (offset := next(offsets, None)) is None:
                        break
                    n = min(len(buffer), size - offset)
                    begun.append((n, stream.begin(n, offset)))
                if not begun:
                    return
                n, read = begun.popleft()
                read.finish(lambda: address)
                yield view[:n]
        finally:
            for _, read in begun:
                read.abandon()
            stream.close()

    def chunks_from_source(self, id: ObjectId, size: int) -> Iterator[memoryview]:
        """The same, past all caches, which are left as they are. Raises StoreError."""
        view = memoryview(bytearray(min(PIECE, size)))
        for offset in range(0, size, PIECE):
            self._check(id)
            part = view[: min(PIECE, size - offset)]
            stats = self._fetcher.stats.of(id.source)
            stats.add(GETS)
            self._fetcher.store(id).read(id, offset, [part], deadline=Deadline(self._fetcher.timeout))
            stats.add(BYTES_FETCHED, len(part))
            yield part

    def brought(self, id: ObjectId) -> Brought:
        """For the difference of two looks."""
        return Brought(*self._brought(id))

    def _ask(self, id: ObjectId) -> Told:
        deadline = Deadline(self._fetcher.timeout)
        cancels(deadline.cancel)
        told = self._fetcher.store(id).digests(id, deadline=deadline)
        self._fetcher.stats.of(id.source).add(HEADS, told.requests)
        return told

    def _check(self, id: ObjectId) -> None:
        if self._cancelled():
            raise Cancelled(id.key)
