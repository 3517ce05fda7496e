"""Which threads make the attempts at flights.

Short GETs are begun by one thread, which looks on disk before and waits for no server; more threads than one only where
the disk keeps it waiting. All others, and those that could not be begun, are made by workers, which wait.

Far from a server what somebody waits for is begun, too, even if it is longer: several connections may bring it. It has
the idle ones before what is fetched ahead meanwhile.

The caller holds the fetcher's lock around every method that has no underscore, but `close`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from threading import Lock

from ...errors import StoreError
from ...stats import Stats
from ...stores.base import ObjectId
from ...workers import Task, Workers
from .. import geometry
from ..geometry import BlockRange
from ..memory import MemoryTier
from .attempts import Attempts
from .flight import Flight
from .link import LONG, Link
from .loader import Loader

# Prefetches up to so many bytes are begun, and received by one thread for all; longer ones are received side by side,
# which takes several threads. Demands only up to a block near a server: who reads more at once reads on.
SHORT, SHORT_DEMAND = 256 << 10, 64 << 10
# Demands that several connections may bring; longer ones tell the rate of one (`link.LONG`).
SHARED = LONG - 1
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
        learn: Callable[[str, int, float, int], None],
        finish: Callable[[Flight], None],
        links: Mapping[str, Link],
    ) -> None:
        self._workers, self._loader = workers, loader
        self._beginners = beginners or Workers(1, "begin", most=BEGINNERS_MOST)
        self._links = links
        self._attempts = Attempts(lock, workers, memory, loader, stats, clock, learn, finish, self._run, self._sharing)

    def launch(self, flight: Flight) -> None:
        """Have an attempt made: the first, or one more beside it. Raises StoreError once the workers are closed."""
        short = flight.shared or flight.bytes <= (SHORT_DEMAND if flight.demand else SHORT)
        if short and flight.begins and not flight.tasks and self._loader.store(flight.id).begins_reads:
            self._have(self._beginners, self._attempts.begin, flight)
        elif not flight.demand and self._is_far(flight.id) and self._beginners.begins_demands():
            self._have(self._beginners, self._attempts.hand_over, flight)
        else:
            self._run(flight)

    def shares(self, id: ObjectId, size: int, span: BlockRange) -> bool:
        """Whether several connections would bring a demand for these blocks of an object, of more than one."""
        length = geometry.extent(span, size).size
        if not SHORT_DEMAND < length <= SHARED or not (self._is_far(id) and self._loader.waits_for_none(id.source)):
            return False
        return self._loader.store(id).connections_for(id, length, self._among(size, span)) > 1

    def promote(self, flight: Flight) -> None:
        """Somebody waits for a flight that was launched as a prefetch."""
        for task in flight.tasks:
            if isinstance(task, Task):
                self._beginners.promote(task)
                self._workers.promote(task)

    def close(self) -> None:
        """Begin no more. Idempotent."""
        self._beginners.close()

    def _sharing(self, flight: Flight) -> int:
        """Among how many flights the idle connections are to be shared out for this one; see `Store.begin_read`."""
        if flight.alone or not (flight.demand and self._is_far(flight.id)):
            return 0
        return self._among(flight.size, flight.span)

    def _among(self, size: int, span: BlockRange) -> int:
        """The demands that wait to be begun, this one, and one more where it is long and more of its object lies
        behind: its reader reads on, and what is fetched ahead needs as many connections, as it comes no sooner."""
        reads_on = geometry.extent(span, size).size > SHORT_DEMAND and span.stop < geometry.block_count(size)
        return 1 + self._beginners.waiting_demands() + reads_on

    def _is_far(self, id: ObjectId) -> bool:
        return not self._links[id.source].is_near

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
