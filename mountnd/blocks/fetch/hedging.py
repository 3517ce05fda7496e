"""When a GET takes so long that asking a second time pays: beyond nearly all of the recent ones of its size.

After J. Dean and L. A. Barroso, The Tail at Scale, CACM 56(2), 2013: hedged requests, sent only past a high
percentile of the latencies seen, cost a few per cent more requests and cut the tail.

Pure. The caller holds its lock around every method.
"""

from __future__ import annotations

from collections import deque

RECENT = 128  # GETs of about one size that are remembered
ENOUGH = 32  # before this many the tail is not known
# Beyond the 99th percentile by half of it, and by this much: a hiccup of the scheduler is no stall. A long answer
# takes what share of the link the others leave it, so it must be several times as late, and costs more to repeat.
FACTOR, MARGIN_S = 1.5, 0.1
LONG, LONG_FACTOR = 1 << 20, 4.0
# At most one GET in this many is asked again, with a few in hand; a store that is slow altogether gets no more work.
PER_GETS = 20.0
HAND = 4.0


class Stalls:
    """The recent latencies of GETs, by the power of two of their size."""

    __slots__ = ("_hand", "_recent")

    def __init__(self) -> None:
        self._recent: dict[int, deque[float]] = {}
        self._hand = 1.0

    def took(self, size: int, seconds: float) -> None:
        """A GET of `size` bytes took so long."""
        self._recent.setdefault(size.bit_length(), deque(maxlen=RECENT)).append(seconds)
        self._hand = min(HAND, self._hand + 1 / PER_GETS)

    def limit(self, size: int) -> float:
        """Seconds after which a GET of `size` bytes has stalled; infinite while too few were seen."""
        recent = self._recent.get(size.bit_length())
        if recent is None or len(recent) < ENOUGH:
            return float("inf")
        worst = sorted(recent)[-1 - len(recent) // 100]
        return worst * (FACTOR if size < LONG else LONG_FACTOR) + MARGIN_S

    def spend(self) -> bool:
        """Whether one more GET may be asked again now; counts it if so."""
        if self._hand < 1:
            return False
        self._hand -= 1
        return True
