"""Attempts at a flight: the GET, and what follows from it. A short one is begun, where the store can, and nobody waits
for it; others, and those that come to nothing, are made on workers' threads.

Usually one. Where it stalls a second one is made beside it, and the first that brings the blocks counts.

The fetcher's lock is taken here; what the fetcher gives to be called is called with it.
"""

from __future__ import annotations

import random
import traceback
from collections.abc import Callable
from threading import Lock

from ...errors import StoreError
from ...stats import GETS_FAILED, PREFETCH_FAILED, PREFETCH_REFUSED, Stats
from ...stores.base import THROTTLED, Deadline
from ...waits import later
from ...workers import Slot, Workers
from .. import geometry
from ..memory import Block, MemoryTier
from .flight import Flight
from .loader import Loader

# A server that has too many requests means it: it is asked again after a random part of so many seconds, as
# `stores.retry` does.
THROTTLED_S = 1.0


class Attempts:
    """Args:
    lock: the fetcher's.
    workers: what is under way without them counts as theirs.
    learn: told of each GET, or several side by side: their source, how many bytes they brought, in how many seconds,
        and how many they were.
    finish: told that a flight is done, one way or another.
    again: has a worker `run` a flight. May raise StoreError, once the workers are closed.
    sharing: tells among how many flights idle connections are to be shared out, this one among them; 0: not at all.
    """

    def __init__(
        self,
        lock: Lock,
        workers: Workers,
        memory: MemoryTier,
        loader: Loader,
        stats: Stats,
        clock: Callable[[], float],
        learn: Callable[[str, int, float, int], None],
        finish: Callable[[Flight], None],
        again: Callable[[Flight], None],
        sharing: Callable[[Flight], int],
    ) -> None:
        self._lock, self._workers, self._memory, self._loader = lock, workers, memory, loader
        self._stats, self._clock = stats, clock
        self._learn, self._finish, self._again, self._sharing = learn, finish, again, sharing

    def begin(self, flight: Flight) -> None:
        """The first attempt at a short flight, without a thread that waits for it. Where that cannot be, or comes to
        nothing, a worker runs one."""
        with self._lock:
            if flight.finished:
                return
            flight.started_at = flight.begun_at = self._clock()  # should the disk not answer, others go round it
            slot = Slot(prefetch=not flight.demand)
        if not (self._loader.may_begin(flight) and self._workers.occupy(slot)):
            self._run_instead(flight)
            return
        started = self._start(flight)
        if started is None:
            self._workers.vacate(slot)
            return
        blocks, demand, _ = started
        self._begin(flight, slot, blocks, demand)

    def hand_over(self, flight: Flight) -> None:
        """Have a worker run it, now that those have begun which came before."""
        self._run_instead(flight)

    def _begin(self, flight: Flight, slot: Slot, blocks: list[Block], demand: bool) -> None:
        deadline: Deadline | None = None
        ended = False

        def done(seconds: float | None) -> None:
            nonlocal ended
            ended = True
            self._workers.vacate(slot)
            got = blocks[:]
            blocks.clear()  # nothing that is left of this may keep them
            if seconds is not None:
                self._succeeded(flight, got, seconds)
                return
            got.clear()
            if flight.brought is not None and flight.brought.status in THROTTLED:
                later(random.random() * THROTTLED_S, lambda: self._run_instead(flight, deadline))
            else:
                self._run_instead(flight, deadline)

        try:
            sharing = self._sharing(flight)
            deadline = self._loader.begin(flight, blocks, demand=demand, sharing=sharing, done=done)
        except BaseException:
            if not ended:
                done(None)
            raise
        if deadline is None:
            done(None)
            return
        with self._lock:
            in_vain = flight.finished and not ended
            if not (ended or flight.finished):
                flight.tasks.append(deadline)  # by which it is cancelled
        if in_vain:
            deadline.cancel()

    def _run_instead(self, flight: Flight, ended: Deadline | None = None) -> None:
        with self._lock:
            flight.attempts -= 1
            flight.tasks = [task for task in flight.tasks if task is not ended]
            if flight.finished or flight.attempts:
                return
            flight.started_at = None
            try:
                self._again(flight)
                return
            except StoreError as e:  # the mount is closing
                error = e
                self._finish(flight)
        error.__traceback__ = None
        flight.future.set_exception(error)

    def _start(self, flight: Flight) -> tuple[list[Block], bool, bool] | None:
        """An attempt starts: blocks to fill, whether somebody waits for them, and whether to look on disk. None where
        nothing is to be done any more."""
        with self._lock:
            if flight.finished:
                return None
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
            return None
        return blocks, demand, disk

    def run(self, flight: Flight) -> None:
        """One attempt. The slower one of two changes nothing."""
        began = self._start(flight)
        if began is None:
            return
        blocks, demand, disk = began
        del began
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
                self._learn(flight.id.source, flight.bytes, seconds, flight.brought.gets if flight.brought else 1)
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
