"""One read that waits for bytes: what it waits for, told of where it was among the longest waits."""

from __future__ import annotations

from collections.abc import Callable

from ..errors import StoreError
from ..usage.log import HandleUsage
from ..usage.waits import SlowestWaits, Wait
from .fetch.flight import Brought, Flight


class Waiting:
    """One read of `[offset, offset + size)` through a handle, which waits from now on. Used by one thread.

    Args:
        clock: monotonic seconds.
    """

    __slots__ = ("_begun", "_brought", "_clock", "_longest", "_offset", "_queued", "_size", "_usage", "_waits")

    def __init__(
        self, usage: HandleUsage, waits: SlowestWaits, offset: int, size: int, clock: Callable[[], float]
    ) -> None:
        self._usage, self._waits, self._offset, self._size, self._clock = usage, waits, offset, size, clock
        self._begun = clock()
        self._longest = self._queued = 0.0
        self._brought: Brought | None = None

    def waited(self, flight: Flight, since: float) -> None:
        """It waited for a flight from `since` on until now. The flight that took longest is told of."""
        now = self._clock()
        if now - since >= self._longest:
            self._longest, self._brought = now - since, flight.brought
            started = now if flight.started_at is None else min(flight.started_at, now)
            self._queued = max(0.0, started - since)

    def got_turn(self) -> None:
        """It waited for its turn until now."""
        self._note(Wait(0.0, self._clock() - self._begun, "read", None, self._offset, self._size, "turn"))

    def ended(self, error: StoreError | None = None) -> None:
        """It has its bytes, or failed."""
        seconds, brought = self._clock() - self._begun, self._brought
        cause = "disk" if brought is not None and brought.from_disk else "request"
        if 2 * self._queued > seconds:
            cause = "queue"
        wait = Wait(0.0, seconds, "read", None, self._offset, self._size, cause)
        if brought is not None:
            wait = wait._replace(status=brought.status, request_id=brought.request_id, retries=brought.retries)
        if error is not None:
            wait = wait._replace(error=error.reason, request_id=error.request_id or wait.request_id)
        self._note(wait)

    def _note(self, wait: Wait) -> None:
        file = self._usage.file
        if wait.seconds > self._waits.floor:
            self._waits.note(wait._replace(where=file.id if file.place is None else file.place))
