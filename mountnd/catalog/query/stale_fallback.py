"""Stale if error: while the store is out of reach, what is known is served, whatever its age."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from ...errors import Cancelled, StoreError, TimedOut
from ...stats import STALE_ANSWERS, Stats
from ..requests import OUTAGES, Requests

T = TypeVar("T")

# Seconds a store may take before what is known from before is served instead, however old: long enough for any server
# that answers at all, short enough for a person who looks at a directory while the network is gone.
PATIENCE_S = 10.0


class StaleFallback:
    """Asks one store inside one deadline.

    Args:
        timeout: seconds one call may take.
        clock: monotonic seconds.
    """

    def __init__(self, requests: Requests, stats: Stats, *, timeout: float, clock: Callable[[], float]) -> None:
        self._requests, self._stats, self._timeout, self._clock = requests, stats, timeout, clock

    def ask(self, ask: Callable[[float], T], stale: Callable[[], T | None], *, has_stale: bool) -> T:
        """`ask(deadline)`, in monotonic seconds; with the store out of reach `stale()`, or the error when that is None.

        Args:
            has_stale: whether there is something to fall back on, so that a silent store is waited for less long.
        """
        why: StoreError | None = self._requests.outage()
        if why is None:
            begun = self._clock()
            try:
                return self._ask(ask, begun + (min(self._timeout, PATIENCE_S) if has_stale else self._timeout))
            except OUTAGES as e:
                why = e
                if isinstance(e, TimedOut):
                    self._requests.report_outage(e, begun)
        answer = stale()
        if answer is None:
            raise why
        self._stats.add(STALE_ANSWERS)
        return answer

    def _ask(self, ask: Callable[[float], T], until: float) -> T:
        """`ask(until)`; once more where what it joined was cancelled just then, as all had left who waited for it."""
        try:
            return ask(until)
        except Cancelled:
            return ask(until)
