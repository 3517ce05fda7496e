"""Attempts at a flight, on workers' threads: the GET, and what follows from it.

Usually one. Where it stalls a second one is made beside it, and the first that brings the blocks counts.

The fetcher's lock is taken here; what the fetcher gives to be called is called with it.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable
from threading import Lock

from ...stats import GETS_FAILED, PREFETCH_FAILED, PREFETCH_REFUSED, Stats
from .. import geometry
from ..memory import Block, MemoryTier
from .flight import Flight
from .loader import Loader


class Attempts:
    """Args:
    lock: the fetcher's.
    learn: told of each GET: its source, how many bytes it brought, and the seconds that it took.
    finish: told that a flight is done, one way or another.
    """

    def __init__(
        self,
        lock: Lock,
        memory: MemoryTier,
        loader: Loader,
        stats: Stats,
        clock: Callable[[], float],
        learn: Callable[[str, int, float], None],
        finish: Callable[[Flight], None],
    ) -> None:
        self._lock, self._memory, self._loader, self._stats, self._clock = lock, memory, loader, stats, clock
        self._learn, self._finish = learn, finish

    def run(self, flight: Flight) -> None:
        """One attempt. The slower one of two changes nothing."""
        with self._lock:
            if flight.finished:
                return
            disk = flight.started_at is None or flight.disk_answered  # else it may be what the first attempt waits for
            flight.started_at = self._clock()
            demand = flight.demand
            flight.retryable = not demand
            blocks = self._memory.allocate(
                [geometry.block_size(i, flight.size) for i in range(*flight.span)], overdraft=demand
            )
            if blocks is None:
                self._finish(flight)
        if blocks is None:
            self._stats.add(PREFETCH_REFUSED)
            flight.future.set_result(None)
            return
        try:
            seconds = self._loader.load(flight, blocks, demand=demand, disk=disk)
        except BaseException as e:
            # The future keeps the traceback, its frames keep their locals, and these would keep the memory in use.
            del blocks
            traceback.clear_frames(e.__traceback__)
            self._failed(flight, e, GETS_FAILED if demand else PREFETCH_FAILED)
        else:
            self._succeeded(flight, blocks, seconds)

    def _succeeded(self, flight: Flight, blocks: list[Block], seconds: float) -> None:
        with self._lock:
            if seconds:
                self._learn(flight.id.source, flight.bytes, seconds)
            flight.attempts -= 1
            if flight.finished:  # the other attempt was faster
                return
            for i, block in enumerate(blocks, flight.span.first):
                self._memory.put((flight.id, i), block)
            slower = list(flight.tasks) if len(flight.tasks) > 1 else []
            self._finish(flight)
            self._memory.trim()
        flight.future.set_result(blocks)
        for task in slower:
            task.cancel()  # this one is among them, and has no use for its deadline any more

    def _failed(self, flight: Flight, error: BaseException, counter: str) -> None:
        with self._lock:
            flight.attempts -= 1
            if flight.finished:
                return  # whatever it failed with: nobody needed it any more
            self._stats.add(counter)
            if flight.attempts:
                return
            self._finish(flight)
        flight.future.set_exception(error)
