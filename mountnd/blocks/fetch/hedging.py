"""Hedging: when a GET takes so long that a second request pays, beyond nearly all of the recent ones of its size.

After J. Dean and L. A. Barroso, The Tail at Scale, CACM 56(2), 2013: hedged requests, sent only past a high
percentile of the latencies seen, cost a few per cent more requests and cut the tail.

Pure. The caller holds its lock around every method.
"""

from __future__ import annotations

from collections import deque

SAMPLES = 128  # GETs of about one size that are remembered
MIN_SAMPLES = 32  # before this many the tail is not known
# Beyond the 99th percentile by half of it, and by this much: a hiccup of the scheduler is no stall. A long answer
# takes what share of the bandwidth the others leave it, so it must be several times as late, and costs more to repeat.
FACTOR, MARGIN_S = 1.5, 0.1
LONG, LONG_FACTOR = 1 << 20, 4.0
# A token bucket: one GET in this many may be hedged, and up to so many in a row. A store that is slow altogether gets
# no more work.
GETS_PER_HEDGE = 20.0
BURST = 4.0


class HedgePolicy:
    """The recent latencies of one source's GETs, by the power of two of their size."""

    __slots__ = ("_recent", "_tokens")

    def __init__(self) -> None:
        self._recent: dict[int, deque[float]] = {}
        self._tokens = 1.0

    def record(self, size: int, seconds: float) -> None:
        """A GET of `size` bytes took so long."""
        self._recent.setdefault(size.bit_length(), deque(maxlen=SAMPLES)).append(seconds)
        self._tokens = min(BURST, self._tokens + 1 / GETS_PER_HEDGE)

    def threshold(self, size: int) -> float:
        """Seconds after which a GET of `size` bytes has stalled; infinite while too few were seen."""
        recent = self._recent.get(size.bit_length())
        if recent is None or len(recent) < MIN_SAMPLES:
            return float("inf")
        worst = sorted(recent)[-1 - len(recent) // 100]
        return worst * (FACTOR if size < LONG else LONG_FACTOR) + MARGIN_S

    def allow(self) -> bool:
        """Whether one more GET may be hedged now; counts it if so."""
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True
