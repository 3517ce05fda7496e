"""A GET on its way, as the fetcher keeps it."""

from __future__ import annotations

from concurrent.futures import Future

from ...stores.base import ObjectId
from ...workers import Task
from .. import geometry
from ..geometry import Run
from ..memory import Block

# Prefetches this long share the link; more of them at once than it takes to fill it make it slower. Shorter ones are a
# matter of round trips: there the workers are the limit.
BULK = 512 << 10


class Flight:
    """One GET on its way. Guarded by `Fetcher.lock`.

    Attributes:
        future: completes with the blocks, or None if a prefetch was given up.
        tasks: what workers have or will have of it; emptied when it landed (they refer back, and a cycle would
            keep the blocks until the next garbage collection).
        prefetch: it began as one.
        bulk: a long one, of which only so many go at once.
        demand: somebody waits for it.
        retry: it runs as a prefetch: when it fails for a moment, who waits for it may ask anew.
        waiters: how many threads wait now.
        owners: the streams that want it ahead; when the last one closes and nobody waits, it is dropped.
        began: when a worker took it (the fetcher's clock), None before; from then on it runs to its end.
        landed: it is done, one way or another.
        attempts: workers that have it: two where it stalled and was asked for again.
    """

    __slots__ = (
        "attempts",
        "began",
        "bulk",
        "bytes",
        "demand",
        "future",
        "hedged",
        "id",
        "landed",
        "owners",
        "prefetch",
        "retry",
        "run",
        "size",
        "tasks",
        "waiters",
    )

    def __init__(self, id: ObjectId, size: int, run: Run, *, demand: bool) -> None:
        self.id, self.size, self.run, self.demand = id, size, run, demand
        self.prefetch = self.retry = not demand
        self.bytes = geometry.extent(run, size).size
        self.bulk = self.prefetch and self.bytes >= BULK
        self.future: Future[list[Block] | None] = Future()
        self.tasks: list[Task[None]] = []
        self.owners: set[object] = set()
        self.waiters = self.attempts = 0
        self.began: float | None = None
        self.landed = self.hedged = False
