"""How a thread that must answer somebody waits for requests."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

from ..errors import TimedOut
from ..workers import Waiter

T = TypeVar("T")


class Waiting:
    """Waits for one store's answers.

    Args:
        waiter: waits for a future, and looks whether the caller was interrupted.
        timeout: seconds one call may take that has no deadline of its own.
        clock: monotonic seconds.
        url: how a person would name the store.
    """

    def __init__(self, waiter: Waiter, *, timeout: float, clock: Callable[[], float], url: str) -> None:
        self._waiter, self._timeout, self._clock, self._url = waiter, timeout, clock, url

    def wait(self, future: Future[T], until: float | None = None) -> T:
        """The future's result. Raises what it raises, Interrupted, and TimedOut.

        Args:
            until: the deadline, in monotonic seconds, of all that one call waits for; None grants the whole time-out.
        """
        left = self._timeout if until is None else max(0.0, until - self._clock())
        try:
            return self._waiter(future, left)
        except TimedOut:
            if future.done():
                raise  # the store's own
            raise TimedOut(f"{self._url}: no answer within {self._timeout:g} s") from None
