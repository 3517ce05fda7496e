"""Compressed bytes on their way to be inflated: pieces that are fetched side by side, ahead of whoever inflates.

They are kept nowhere else: what was inflated of them is cached.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from itertools import repeat

from ..errors import Unreachable
from ..stores.base import Deadline, ObjectId, Store
from ..workers import Task, Workers, cancels

# One GET; a smaller one where less is wanted.
PIECE = 1 << 20
# Where nothing was fetched for so many seconds, TCP starts slowly: 2 MiB over one connection take eight round trips. So
# small pieces come first, side by side, and larger ones from piece to piece: how many of which length.
COLD_S = 1.0
RAMP = ((32, 64 << 10), (8, 256 << 10), (8, 512 << 10))
# Where the end of what is wanted is a guess, so much more is fetched: a second request costs a round trip. And where
# that was too little, so much, and twice as much each time.
SLACK, BEYOND = 64 << 10, 256 << 10
# What is fetched of a piece that somebody waits for, where all feeds together have fetched too much ahead.
LEAST = 256 << 10
# Seconds that one piece may take, retries included.
PIECE_S = 60.0


class Allowance:
    """Bytes that all feeds together may have fetched ahead. Thread-safe; its lock is a leaf."""

    def __init__(self, limit: int) -> None:
        self._lock, self._left, self._limit = threading.Lock(), limit, limit

    @property
    def is_short(self) -> bool:
        """Whether more than half of them are taken."""
        return self._left < self._limit // 2

    def take(self, count: int, *, must: bool) -> bool:
        """Whether `count` bytes more may be fetched; where they `must`, they may."""
        with self._lock:
            if not must and count > self._left:
                return False
            self._left -= count
            return True

    def give_back(self, count: int) -> None:
        """They are used, or not wanted any more."""
        with self._lock:
            self._left += count


class ConnectionUse:
    """Whether those over which all feeds fetch are fast, because they were in use lately. Thread-safe.

    Args:
        clock: monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._used = clock, float("-inf")

    @property
    def are_cold(self) -> bool:
        return self._clock() - self._used > COLD_S

    def used(self) -> None:
        """A piece has come."""
        self._used = self._clock()


class Feed:
    """The compressed bytes of one object, in order: for one thread at a time, while others may say what they `want`.

    Its lock comes before those of the allowance and the workers; nothing is waited for under it.

    Args:
        head: its first bytes, as far as they are here.
        start: where to begin.
        allowance, connections: shared by all feeds.
    """

    def __init__(
        self,
        store: Store,
        id: ObjectId,
        workers: Workers,
        allowance: Allowance,
        connections: ConnectionUse,
        *,
        head: bytes = b"",
        start: int = 0,
    ) -> None:
        self._store, self._id, self._workers, self._allowance = store, id, workers, allowance
        self._connections = connections
        self._ramp = piece_lengths(cold=connections.are_cold)
        self._lock = threading.Lock()
        self._ahead: deque[tuple[int, Task[bytearray]]] = deque()
        self._head = head[start:]
        self._asked = start + len(self._head)
        self._goal = self._asked
        self._in_use = 0
        self._beyond = BEYOND  # fetched beyond the goal, where that was too near
        self.deadline = Deadline(float("inf"))  # of whoever inflates now

    def want(self, stop: int, goal: int) -> None:
        """All before the offset `stop` will be asked for, as far as can be told; what is fetched for that comes up to
        `goal`."""
        with self._lock:
            if stop > self._asked:
                self._goal = min(max(self._goal, goal), self._id.size)
                self._fetch_ahead(must=False)

    def next(self) -> bytearray:
        """The next bytes, as many as came together; empty at the end. Raises StoreError, also by `deadline`."""
        with self._lock:
            self._release(self._in_use)
            self._in_use = 0
            if self._head:
                head, self._head = bytearray(self._head), b""
                return head
            self._fetch_ahead(must=not self._ahead)
            if not self._ahead:
                return bytearray()
            size, task = self._ahead[0]
        try:
            piece = self.deadline.result(task.future, self._id.key)
        except Exception:
            if task.future.done():  # it failed: whoever comes next has it asked for anew
                with self._lock:
                    self._drop(0)
            raise
        self._connections.used()
        with self._lock:
            self._ahead.popleft()
            self._in_use = size
            self._fetch_ahead(must=False)
        return piece

    def pause(self) -> None:
        """Nobody wants more of it for now: what is under way is cancelled, and one piece is kept."""
        with self._lock:
            first = self._ahead[0][1].future if self._ahead else None
            self._drop(1 if first is not None and first.done() and not _failed(first) else 0)
            self._goal, self._beyond = self._asked, BEYOND

    def close(self) -> None:
        """Nobody wants more of it. Idempotent."""
        with self._lock:
            self._drop(0)
            self._release(self._in_use)
            self._in_use = 0

    # -- with the lock held
    def _fetch_ahead(self, *, must: bool) -> None:
        """Ask for pieces up to the goal; for one at least where that `must` be."""
        while self._asked < self._id.size and (must or self._asked < self._goal):
            if self._asked >= self._goal:
                stop = self._asked + self._beyond
                self._beyond = min(2 * self._beyond, PIECE)
            else:
                stop = min(self._asked + next(self._ramp), self._goal)
            stop = min(stop, self._id.size)
            if not self._allowance.take(stop - self._asked, must=False):
                if not must:
                    return
                stop = min(stop, self._asked + LEAST)
                self._allowance.take(stop - self._asked, must=True)
            try:
                task = self._workers.submit(_fetched, self._store, self._id, self._asked, stop)
            except RuntimeError:
                self._release(stop - self._asked)
                raise Unreachable(f"{self._store.url}: the mount is being closed") from None
            self._ahead.append((stop - self._asked, task))
            self._asked, must = stop, False

    def _drop(self, keep: int) -> None:
        """Forget what was asked for behind the first `keep` pieces."""
        while len(self._ahead) > keep:
            size, task = self._ahead.pop()
            task.cancel()
            self._release(size)
            self._asked -= size

    def _release(self, count: int) -> None:
        if count:
            self._allowance.give_back(count)


def piece_lengths(*, cold: bool) -> Iterator[int]:
    """How long the pieces of a feed are, one after the other."""
    if cold:
        for count, length in RAMP:
            yield from repeat(length, count)
    yield from repeat(PIECE)


def _failed(done: Future[bytearray]) -> bool:
    return done.cancelled() or done.exception() is not None


def fetched(store: Store, id: ObjectId, start: int, stop: int, deadline: Deadline) -> bytearray:
    """Some stored bytes of an object. Raises StoreError."""
    piece = bytearray(stop - start)
    if piece:
        store.read(id, start, [memoryview(piece)], deadline=deadline)
    return piece


def _fetched(store: Store, id: ObjectId, start: int, stop: int) -> bytearray:
    """The same on a worker."""
    deadline = Deadline(PIECE_S)
    cancels(deadline.cancel)
    return fetched(store, id, start, stop, deadline)
