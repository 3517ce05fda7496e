"""How much of whole objects is fetched at once: as much as fills the line, and no more than it brings in some seconds.

A line that is asked for too much gives each request too little of it: they all come late, fail, and are sent again
(`stores/retry.py` gives one attempt 30 s). A fast one that is asked for too little waits for round trips. So the bytes
under way follow from what came lately, in the way of TCP Vegas (L. Brakmo and L. Peterson, IEEE JSAC 13(8), 1995), but
with seconds where that has milliseconds: a request has no loss to tell it of.

Pure but for the clock it is given. Lock: `Pace._lock` is a leaf.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from threading import Lock

# Before anything came: twice that (`jobs/transfer.py` takes what is late for lost) is what a line of 0.3 MB/s brings
# within an attempt's time. A connection brings so short a piece in three or four round trips; then the line is known.
FIRST_BYTES, FIRST_PIECE = 4 << 20, 256 << 10
# So many seconds' worth is under way, in so many pieces. Several round trips, so that the line is never idle; not more,
# since connections share it unevenly, and the last of them then brings alone what the others would have brought with it
# (measured: with 4 s in pieces of 4 MiB the last second of 4 brought a tenth of the line).
SECONDS, PIECES = 0.6, 16
# A piece. At 90 MB/s a connection takes 47 ms for the longest, so that a round trip counts for little. Towards the end
# they become shorter, down to LAST_PIECE where the line allows that.
LEAST_PIECE, LAST_PIECE, MOST_PIECE = 256 << 10, 1 << 20, 4 << 20
# A GET that takes longer waits in a server that has too many to answer: fewer at once come as quickly, and none of them
# so late that it is taken for lost (`stores/http/timeouts.py`). Additive increase, multiplicative decrease, as TCP.
LATE_S, LEAST_GETS, FEWER, MORE = 2.0, 4, 0.97, 0.01
# What came within so many seconds counts, summed up by the fraction of a second.
WINDOW_S, STEP_S = 5.0, 0.1


class Pace:
    """Args:
    clock: monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock, self._lock = clock, Lock()
        self._begun = clock()
        self._came: deque[tuple[float, int]] = deque()
        self._share = 1.0  # of the GETs that there may be

    def asked(self) -> None:
        """A GET is sent. After a pause the time of it does not count."""
        with self._lock:
            now = self._clock()
            self._forget(now)
            if not self._came:
                self._begun = now

    def came(self, size: int, seconds: float) -> None:
        """A GET brought so many bytes, and took so long."""
        with self._lock:
            now = self._clock()
            self._share = self._share * FEWER if seconds > LATE_S else min(1.0, self._share + MORE)
            if self._came and now - self._came[-1][0] < STEP_S:
                self._came[-1] = (self._came[-1][0], self._came[-1][1] + size)
            else:
                self._came.append((now, size))

    @property
    def rate(self) -> float | None:
        """Bytes a second that came lately, None before any came."""
        with self._lock:
            if not self._came:
                return None
            now = self._clock()
            self._forget(now)
            return sum(size for _, size in self._came) / max(now - max(self._begun, now - WINDOW_S), STEP_S)

    def _forget(self, now: float) -> None:
        while self._came and self._came[0][0] < now - WINDOW_S:
            self._came.popleft()

    def gets(self, most: int) -> int:
        """How many GETs may be under way, of `most`."""
        return max(min(LEAST_GETS, most), int(most * self._share))

    def piece(self, left: int) -> int:
        """Bytes that one GET should bring, where `left` are still to be asked for: shorter ones towards the end."""
        rate = self.rate
        wanted = FIRST_PIECE if rate is None else int(rate * SECONDS / PIECES)
        return min(MOST_PIECE, max(LEAST_PIECE, min(wanted, max(left // PIECES, LAST_PIECE))))

    def at_once(self, most: int) -> int:
        """Bytes that may be under way, of `most`."""
        rate = self.rate
        wanted = FIRST_BYTES if rate is None else int(rate * SECONDS)
        return min(most, max(PIECES * LEAST_PIECE, wanted))
