"""Reads that found blocks missing, of one handle: their turns, the flights that bring the blocks, waiting, copying."""

from __future__ import annotations

import copy
import ctypes
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final

from ..errors import Forbidden, StoreError, TimedOut
from ..stats import BYTES_ASKED, BYTES_FROM_MEMORY
from ..stores.base import ObjectId
from ..usage.log import HandleUsage
from ..usage.waits import SlowestWaits
from ..workers import Waiter
from . import geometry
from .begun import BegunRead
from .fetch.fetcher import Fetcher
from .fetch.flight import Flight
from .fetch.turns import Turn
from .geometry import SHIFT, BlockRange
from .memory import Block
from .waiting import Waiting

# How long a failed extent is remembered for its handle. The kernel asks again page by page when a
# readahead failed; without this each page would wait for the whole deadline once more. A refusal is forgotten
# when there are other keys.
FAILED_S = 5.0

_memmove: Final = ctypes.memmove  # releases the GIL while it copies


class Misses:
    """Waits for what a handle's reads lack.

    Attributes:
        from_disk: what was read last came from the disk tier.
    """

    def __init__(
        self, fetcher: Fetcher, waiter: Waiter, id: ObjectId, size: int, usage: HandleUsage, waits: SlowestWaits
    ) -> None:
        self._fetcher, self._waiter, self._id, self._size = fetcher, waiter, id, size
        self._usage, self._waits = usage, waits
        self._stats = fetcher.stats.of(id.source)
        # Both guarded by the fetcher's lock. Of each failure: blocks, until when, the error, `Renewals.count`.
        self.from_disk = False
        self._failed: list[tuple[BlockRange, float, StoreError, int]] = []

    def enter(self, read: BegunRead) -> None:
        """With the lock held: a turn for a read that lacks blocks. Raises a failure that is remembered."""
        self._raise_remembered(read.need)
        if not all(map(self._fetcher.held(self._id), range(*read.need))):
            read.turn = self._fetcher.turns.enter((read.need.stop - read.need.first) << SHIFT)

    def leave(self, read: BegunRead) -> None:
        """It has its bytes, or does not want them any more."""
        if read.turn is not None:
            with self._fetcher.lock:
                self._fetcher.turns.leave(read.turn)

    def take(self, read: BegunRead, address: Callable[[], int], end: float) -> None:
        """Wait until `end` for the parts of a read, and copy its bytes."""
        assert read.parts is not None
        parts, read.parts = read.parts, ()  # nothing else may keep the blocks, whoever still refers to the read
        blocks = self._collect(parts, read.offset, read.offset + read.size, end)
        copy_blocks(blocks, read.offset - (read.need.first << SHIFT), address(), read.size)
        self._stats.add(BYTES_ASKED, read.size)
        self._usage.read(read.offset, read.size)

    def await_turn(self, read: BegunRead, end: float) -> None:
        """Wait until others have been served, or until that takes too long."""
        if read.turn is not None and not read.turn.served:
            self._await_turn(read.turn, end)

    def _await_turn(self, turn: Turn, end: float) -> None:
        fetcher = self._fetcher
        assert turn.granted is not None
        waiting = Waiting(self._usage, self._waits, 0, turn.size, fetcher.clock)
        while True:
            with fetcher.lock:
                pause = fetcher.turns.look(turn)
                if pause > 0 and fetcher.clock() + pause >= end:
                    fetcher.turns.begin(turn)
            if turn.served:
                waiting.got_turn()
                return
            with suppress(TimedOut):
                self._waiter(turn.granted, pause)

    def _raise_remembered(self, need: BlockRange) -> None:
        """With the lock held: raises a failure that is remembered of `need`."""
        if not self._failed:
            return
        now, keys, lru = self._fetcher.clock(), self._fetcher.renewals(self._id), self._fetcher.memory.lru
        self._failed = [f for f in self._failed if f[1] > now and not (isinstance(f[2], Forbidden) and f[3] != keys)]
        for span, _, error, _ in self._failed:
            if any((self._id, i) not in lru for i in range(max(span.first, need.first), min(span.stop, need.stop))):
                raise copy.copy(error) from None

    def _collect(self, parts: Sequence[Block | Flight], start: int, stop: int, end: float) -> list[Block]:
        """Wait for the flights among `parts`; all blocks of the read of `[start, stop)`, in order."""
        fetcher, first = self._fetcher, start >> SHIFT
        waiting = Waiting(self._usage, self._waits, start, stop - start, fetcher.clock)
        blocks: list[Block] = []
        held = {p for p in parts if isinstance(p, Flight)}
        memory = 0
        try:
            while len(blocks) < len(parts):
                part = parts[len(blocks)]
                index = first + len(blocks)
                if isinstance(part, Block):
                    blocks.append(part)
                    at = index << SHIFT
                    memory += min(stop, at + part.size) - max(start, at)
                    continue
                since = fetcher.clock()
                try:
                    got = self._await(part, end)
                finally:
                    waiting.waited(part, since)
                if got is None:  # a prefetch that came to nothing: fetch what is left of it as demand
                    with fetcher.lock:
                        fetcher.stop_waiting(held)
                        held = set()
                        need = BlockRange(index, first + len(parts))
                        rest = fetcher.demand(self._id, self._size, need, geometry.extent(need, self._size))
                        held = {p for p in rest if isinstance(p, Flight)}
                    parts = [*blocks, *rest]
                    continue
                n = min(part.span.stop, first + len(parts)) - index
                blocks += got[index - part.span.first :][:n]
        except StoreError as e:
            waiting.ended(e)
            raise
        finally:
            with fetcher.lock:
                fetcher.stop_waiting(held)
                self.from_disk = fetcher.memory.mark_read(self._id, first, blocks, stop, self._stats)
        self._stats.add(BYTES_FROM_MEMORY, memory)
        self._usage.waited(stop - start - memory)
        waiting.ended()
        return blocks

    def _await(self, flight: Flight, end: float) -> list[Block] | None:
        """The flight's blocks; None where it was a prefetch that gave up or failed for a moment."""
        fetcher = self._fetcher
        while True:
            left = max(0.0, end - fetcher.clock())
            pause = max(0.0, fetcher.hedge_delay(flight))
            try:
                return self._waiter(flight.future, min(left, pause))
            except StoreError as e:
                if pause < left and not flight.future.done():
                    fetcher.hedge(flight)
                    continue
                if flight.retryable and e.transient and fetcher.clock() < end:
                    return None
                with fetcher.lock:
                    until, keys = fetcher.clock() + FAILED_S, fetcher.renewals(self._id)
                    self._failed = [*self._failed[-15:], (flight.span, until, copy.copy(e), keys)]
                # Neither what is remembered nor what the flight keeps may refer to this thread's frames: these keep
                # the blocks that have come.
                e.__traceback__ = None
                raise copy.copy(e) from None


def copy_blocks(blocks: Sequence[Block], skip: int, address: int, size: int) -> None:
    """Copy `size` bytes, beginning `skip` bytes into the first block; neighbours in memory in one go."""
    start = blocks[0].address + skip
    n = blocks[0].size - skip
    for b in blocks[1:]:
        if b.address == start + n:
            n += b.size
        else:
            _memmove(address, start, n)
            address += n
            size -= n
            start, n = b.address, b.size
    _memmove(address, start, size)
