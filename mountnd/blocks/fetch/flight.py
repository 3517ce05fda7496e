"""A GET on its way, as the fetcher keeps it: the unit of single flight."""

from __future__ import annotations

from concurrent.futures import Future
from typing import NamedTuple, Protocol

from ...stores.base import ObjectId
from .. import geometry
from ..geometry import BlockRange
from ..memory import Block

# Prefetches from this many bytes on share the bandwidth (`budget.LongPrefetches`); shorter ones are round trips.
LONG = 512 << 10


class Cancellable(Protocol):
    """What a worker has or will have of a flight, or a GET that was begun."""

    def cancel(self) -> None: ...


class Brought(NamedTuple):
    """How a flight's bytes came.

    Attributes:
        from_disk: all of them from the disk tier.
        status, request_id, retries, gets: as in `deadline.Told`, of its last GET.
    """

    from_disk: bool
    status: int = 0
    request_id: str = ""
    retries: int = 0
    gets: int = 1


class Flight:
    """One GET on its way. Guarded by `Fetcher.lock`.

    Attributes:
        span: the blocks that it brings.
        future: completes with the blocks, or None if a prefetch was given up.
        tasks: its attempts; emptied when it has finished (they refer back, and a cycle would
            keep the blocks until the next garbage collection).
        prefetch: it began as one.
        reserved: bytes of the prefetch budget that it holds until it has finished.
        long_prefetch: and as a long one, of which only so many are under way.
        alone: one connection is to bring it: many more are under way beside it.
        shared: several connections are to bring it, though it is long: so it is begun.
        begins: it may be begun, if it is short: without a worker that waits for it.
        begun_at: when that was tried, None before: whoever waits for it has waited since.
        demand: somebody waits for it.
        retryable: it runs as a prefetch: after a transient failure, whoever waits for it may fetch anew.
        waiters: how many threads wait now.
        owners: the streams that want it ahead; when the last one closes and nobody waits, it is cancelled (after a
            moment where it has started).
        started_at: when an attempt began (the fetcher's clock), None before.
        disk_answered: the disk tier has said what it holds of it.
        held_back: another mount fetches some of it, and it waits for that.
        finished: it is done, one way or another.
        attempts: that are under way, or queued: two where it stalled and was hedged.
        brought: how its bytes came, or why they did not; None before. Of the attempt that ended last.
    """

    __slots__ = (
        "alone",
        "attempts",
        "begins",
        "begun_at",
        "brought",
        "bytes",
        "demand",
        "disk_answered",
        "finished",
        "future",
        "hedged",
        "held_back",
        "id",
        "long_prefetch",
        "owners",
        "prefetch",
        "reserved",
        "retryable",
        "shared",
        "size",
        "span",
        "started_at",
        "tasks",
        "waiters",
    )

    def __init__(self, id: ObjectId, size: int, span: BlockRange, *, demand: bool) -> None:
        self.id, self.size, self.span, self.demand = id, size, span, demand
        self.prefetch = self.retryable = not demand
        self.begins, self.alone, self.shared = True, False, False
        self.begun_at: float | None = None
        self.bytes = geometry.extent(span, size).size
        self.reserved = self.bytes if self.prefetch else 0
        self.long_prefetch = self.prefetch and self.bytes >= LONG
        self.future: Future[list[Block] | None] = Future()
        self.tasks: list[Cancellable] = []
        self.owners: set[object] = set()
        self.waiters = self.attempts = 0
        self.started_at: float | None = None
        self.brought: Brought | None = None
        self.finished = self.hedged = self.disk_answered = self.held_back = False

    @property
    def is_wanted(self) -> bool:
        """Whether somebody waits for it; before anybody did, whether it is to be fetched ahead for somebody."""
        return self.waiters > 0 or (bool(self.owners) and not self.demand)


class Owners:
    """Which streams want which flights ahead. Guarded by `Fetcher.lock`."""

    def __init__(self) -> None:
        self._owned: dict[object, set[Flight]] = {}

    def add(self, flight: Flight, owner: object) -> None:
        """`owner` wants the flight, too."""
        flight.owners.add(owner)
        self._owned.setdefault(owner, set()).add(flight)

    def leave(self, owner: object) -> set[Flight]:
        """`owner` wants nothing any more; what it wanted."""
        flights = self._owned.pop(owner, set())
        for flight in flights:
            flight.owners.discard(owner)
        return flights

    def forget(self, flight: Flight) -> None:
        """The flight is done."""
        for owner in flight.owners:
            flights = self._owned.get(owner, set())
            flights.discard(flight)
            if not flights:
                self._owned.pop(owner, None)
