"""What can be wrong with an answer, and a seeded choice of it.

status       500, 502 or 503 with an error document
slowdown     503 SlowDown
reset        a RST before anything was answered
reset-body   the true head and half of the body, then a RST
stall        an answer that is right and comes late
hang         no answer; the connection stays open
short        the true length, half of the body, then the connection is closed in good order
long         more bytes than were asked for, and a length that says so
truncate     206 with half of the range, truthfully labelled
shift        a range that begins a byte later, truthfully labelled
mislabel     a range that begins a byte later, without a Content-Range
whole        200 and the object from its start
html         200 and a page of a login portal
expired      403 ExpiredToken
cut-xml      half of the listing, with a length that fits it
repeat       the page before, again
"""

from __future__ import annotations

import random
import threading

OF_BYTES = {
    "status": 4, "slowdown": 4, "reset": 4, "reset-body": 4, "stall": 4, "hang": 1, "short": 4, "long": 4,
    "truncate": 4, "shift": 4, "mislabel": 4, "whole": 2, "html": 4, "expired": 2,
}  # fmt: skip
OF_NAMES = {
    "status": 4, "slowdown": 4, "reset": 4, "stall": 4, "hang": 1, "html": 4, "expired": 2, "cut-xml": 4, "repeat": 4,
}  # fmt: skip


class FaultPlan:
    """Chooses a fault, or none, for each request.

    Args:
        rate: the part of the requests that go wrong, 0 to 1. May be changed while it is used.
        seed: the same seed gives the same choices, in the order of requests.

    Attributes:
        made: how often each fault was chosen.
    """

    def __init__(self, rate: float, seed: int) -> None:
        self.rate, self._dice, self._lock = rate, random.Random(seed), threading.Lock()
        self.made: dict[str, int] = {}

    def choose(self, names: bool) -> str:
        """The fault of one request: "" for most."""
        with self._lock:
            if self._dice.random() >= self.rate:
                return ""
            weights = OF_NAMES if names else OF_BYTES
            fault = self._dice.choices(list(weights), list(weights.values()))[0]
            self.made[fault] = self.made.get(fault, 0) + 1
            return fault

    def between(self, low: float, high: float) -> float:
        with self._lock:
            return self._dice.uniform(low, high)
