"""How many long prefetches go at once.

Long ones share the link, and more of them at once than it takes to fill it make it slower; short ones are a
matter of round trips, and there the number of workers is the limit. The caller holds its lock around every method.
"""

from __future__ import annotations

from collections import deque

from .budget import LANES
from .flight import Flight


class Lanes:
    """Long prefetches under way, and those that wait for one of them to land."""

    __slots__ = ("_busy", "_held")

    def __init__(self) -> None:
        self._busy = 0
        self._held: deque[Flight] = deque()

    def hold(self, flight: Flight) -> bool:
        """Whether the flight must wait; `next` gives it back."""
        if not flight.bulk or self._busy < LANES:
            return False
        self._held.append(flight)
        return True

    def sent(self, flight: Flight) -> None:
        """A worker was given the flight for the first time."""
        self._busy += flight.bulk

    def landed(self, flight: Flight) -> None:
        """A flight that was sent is done."""
        self._busy -= flight.bulk

    def next(self) -> Flight | None:
        """A flight that need not wait any longer."""
        while self._held and self._busy < LANES:
            flight = self._held.popleft()
            if not (flight.landed or flight.tasks):
                return flight
        return None
