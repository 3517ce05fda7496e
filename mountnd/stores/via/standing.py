"""When a node that failed is asked again. Pure.

It is left out for a time that doubles with each failure; behind it one request, and no more, finds out whether it is
well. The times begin with what finding out costs: a refused connection costs nothing, silence holds up a reader, and
what made a node answer nonsense does not pass by itself.
"""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

# No node is left out for longer, in seconds: one that was mended comes back without anybody's help.
MOST_S = 300.0
# How long the request may take that finds out; then another one does.
TRIAL_S = 30.0


class Fault(Enum):
    """What a node did; values begin with the seconds for which it is left out the first time.

    BROKEN: it could not be reached, or broke off. SILENT: it did not answer in time. WRONG: it answered something else
    than the object. REFUSED: it refused what the source gives.
    """

    BROKEN = (1.0, "broken")
    SILENT = (10.0, "silent")
    WRONG = (30.0, "wrong")
    REFUSED = (30.0, "refused")

    @property
    def first_s(self) -> float:
        """For how long it is left out the first time."""
        return self.value[0]


class Standing(NamedTuple):
    """How a node stands, by the monotonic clock.

    Attributes:
        failures: how often it has failed since it last did well.
        at: when it failed last.
        until: when it may be asked again.
    """

    failures: int = 0
    at: float = float("-inf")
    until: float = float("-inf")


WELL = Standing()


def is_out(standing: Standing, now: float) -> bool:
    """Whether the node is left out now."""
    return now < standing.until


def asked(standing: Standing, now: float) -> Standing:
    """A node that is not left out is being asked: after failures nobody else asks it until that is over."""
    return standing._replace(until=now + TRIAL_S) if standing.failures else standing


def failed(standing: Standing, fault: Fault, began: float, now: float, jitter: float) -> Standing:
    """A request that began at `began` has failed. Those that failed together with another one count no more.

    Args:
        jitter: in [0, 1): clients that saw it fail together do not come back together.
    """
    if standing.failures and began < standing.at:
        return standing
    failures = standing.failures + 1
    span = min(MOST_S, fault.first_s * 2.0 ** min(failures - 1, 16))  # 2**16 seconds are past the longest time already
    return Standing(failures, now, now + span * (0.75 + 0.25 * jitter))
