"""Waiting for what happens elsewhere, always with a limit; and a clock that only the test moves."""

from __future__ import annotations

import time
from collections.abc import Callable

# Far more than anything needs, also on a busy machine: only what hangs reaches it.
PATIENCE_S = 30.0


def holds_within(condition: Callable[[], bool], seconds: float = PATIENCE_S, *, pause: float = 0.05) -> bool:
    """Whether `condition` becomes true within `seconds`; it is asked at least once, and once more at the end."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(pause)
    return condition()


def wait_until(
    condition: Callable[[], bool], what: str = "the condition", seconds: float = PATIENCE_S, *, pause: float = 0.02
) -> None:
    """Return as soon as `condition` is true. Raises AssertionError, which names `what`, after `seconds`."""
    assert holds_within(condition, seconds, pause=pause), f"waited {seconds} s in vain for: {what}"


class Clock:
    """Seconds that pass only when the test changes `now`."""

    def __init__(self, now: float = 1000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now
