"""Which threads make the attempts at flights.

Short GETs are begun by one thread, which looks on disk before and waits for no server; more threads than one only where
the disk keeps it waiting. All others, and those that could not be begun, are made by workers, which wait.

The caller holds the fetcher's lock around every method but `close`.
"""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock

from ...errors import StoreError
from ...stats import Stats
from ...workers import Task, Workers
from ..memory import MemoryTier
from .attempts import Attempts
from .flight import Flight
from .loader import Loader

# Prefetches up to so many bytes are begun, and received by one thread for all; longer ones are received side by side,
# which takes several. Demands only up to a block: who reads more at once reads on, and should have one of the idle
# connections before what is fetched ahead takes them (gzip's first volume at 30 ms 0.175 s instead of 0.22).
SHORT, SHORT_DEMAND = 256 << 10, 64 << 10
# How many threads may hang at the disk before the rest waits.
BEGINNERS_MOST = 16


class Launcher:
    """Args:
    workers, beginners: who makes attempts, and who begins short GETs; None: threads of its own.
    learn, finish: see `Attempts`.
    """

    def __init__(
        self,
        lock: Lock,
        workers: Workers,
        beginners: Workers | None,
        memory: MemoryTier,
        loader: Loader,
        stats: Stats,
        clock: Callable[[], float],
        learn: Callable[[str, int, float], None],
        finish: Callable[[Flight], None],
    ) -> None:
        self._workers, self._loader = workers, loader
        self._beginners = beginners or Workers(1, "begin", most=BEGINNERS_MOST)
        self._attempts = Attempts(lock, workers, memory, loader, stats, clock, learn, finish, self._run)

    def launch(self, flight: Flight) -> None:
        """Have an attempt made: the first, or one more beside it. Raises StoreError once the workers are closed."""
        short = flight.bytes <= (SHORT_DEMAND if flight.demand else SHORT)
        if short and flight.begins and not flight.tasks and self._loader.store(flight.id).begins_reads:
            self._have(self._beginners, self._attempts.begin, flight)
        else:
            self._run(flight)

    def promote(self, flight: Flight) -> None:
        """Somebody waits for a flight that was launched as a prefetch."""
        for task in flight.tasks:
            if isinstance(task, Task):
                self._beginners.promote(task)
                self._workers.promote(task)

    def close(self) -> None:
        """Begin no more. Idempotent."""
        self._beginners.close()

    def _run(self, flight: Flight) -> None:
        self._have(self._workers, self._attempts.run, flight)

    def _have(self, workers: Workers, attempt: Callable[[Flight], None], flight: Flight) -> None:
        try:
            task = workers.submit(attempt, flight, demand=flight.demand)
        except RuntimeError:
            raise StoreError("the mount is closing") from None
        flight.attempts += 1
        flight.tasks.append(task)
        # The workers closed before one of them took it.
        task.future.add_done_callback(lambda future: flight.future.cancel() if future.cancelled() else None)
