"""A short range by several GETs side by side: how much each connection brings, and what they come to together.

TCP starts slowly: a connection brings some 14 KiB in its first round trip, and in each further one twice as much as in
the one before. So 64 KiB over one new connection take three round trips, over five of them one.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

# What a server sends on a new connection before it hears that anything has arrived: RFC 6928.
INITIAL_SEGMENTS = 10
# Of that the head of the answer takes so many bytes, hardly more.
HEAD_BYTES = 1 << 10
# What a connection brings in one round trip does not grow for ever: no more is taken for granted.
WINDOW_MAX = 1 << 20
# Connections that one range is shared out to.
MOST = 16


def window(segment: int, received: int) -> int:
    """Bytes of a body that a connection brings in one round trip, with segments of so many bytes, after so many bytes
    that were received on it: in TCP's slow start each byte that has arrived makes room for one more. (What a server
    forgets of that while the connection is idle is not known.)"""
    return min(WINDOW_MAX, max(1, INITIAL_SEGMENTS * segment - HEAD_BYTES) + received)


def round_trips(length: int, room: int) -> int:
    """How many it takes until so many bytes have come where the first one brings `room`, the next twice as much, ..."""
    return (-(-length // room)).bit_length()


def fewest(length: int, windows: Sequence[int]) -> int:
    """How many of the connections, from the first on, bring so many bytes in as few round trips as all of them do."""
    least, room = round_trips(length, sum(windows)), 0
    for n, one in enumerate(windows, 1):
        room += one
        if round_trips(length, room) == least:
            return n
    raise ValueError("no connections")


def shares(length: int, windows: Sequence[int]) -> list[int]:
    """How much each connection brings of `length` bytes, so that all take about as many round trips."""
    total, out, at, before = sum(windows), [], 0, 0
    for one in windows:
        before += one
        stop = length * before // total
        out.append(stop - at)
        at = stop
    return out


class Parts:
    """The GETs of one range, whichever threads they end on.

    Args:
        count: how many there are.
        check: called once all their bytes have come, and may raise.
        cancel: ends those that are under way.
        done: told, once none is under way any more, whether all of them are good, and whether the first that was not
            came to something unusual.
    """

    def __init__(
        self,
        count: int,
        check: Callable[[], object],
        cancel: Callable[[], object],
        done: Callable[[bool, bool], object],
    ) -> None:
        self._lock = threading.Lock()
        self._check, self._cancel, self._done = check, cancel, done
        self._missing = self._running = count  # whose bytes have not come; which are not over
        self._good, self._unusual = True, False

    def came(self) -> None:
        """The bytes of one have come. Raises what `check` raises."""
        with self._lock:
            self._missing -= 1
            if self._missing:
                return
        self._check()

    def ended(self, good: bool, unusual: bool = False) -> None:
        """One of them is over: its connection does not fill its views any more."""
        with self._lock:
            self._running -= 1
            running, fails = self._running, self._good and not good
            if fails:
                self._good, self._unusual = False, unusual
        if not running:
            self._done(self._good, self._unusual)
        elif fails:
            self._cancel()
