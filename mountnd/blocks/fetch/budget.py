"""How many bytes may be fetched before anybody asks for them, over all streams, and each one's share.

Pure but for the clock it is given. The caller holds its lock around every method; `share` may be read without.
"""

from __future__ import annotations

from collections.abc import Callable

from ..readahead.window import Share

# A stream that asked for more within this time counts as being read, and has its share of the window.
ACTIVE_S = 2.0
# GETs at once over all streams: 24-28 connections carried most (30 ms, 2 cores), more than 32 less. Several streams
# share them by larger pieces, not by more: four of 256 MiB took 0.2 s longer with 570 GETs than with 400.
LANES, LANES_MIN = 28, 4


class Budget:
    """Bytes ahead of their readers.

    Args:
        memory: bytes that all blocks may take. Half of it is for what nobody has asked for yet: the other half
            keeps what somebody has.

    Attributes:
        share: what one stream may use now.
    """

    __slots__ = ("_active", "_clock", "_limit", "planned", "share")

    def __init__(self, memory: int, clock: Callable[[], float]) -> None:
        self._limit = memory // 2
        self.share = Share(self._limit, LANES)
        self._clock = clock
        self.planned = 0  # bytes of prefetches that wait or are under way
        self._active: dict[object, float] = {}

    def plan(self, size: int) -> bool:
        """Whether `size` more bytes may be prefetched; counts them if so, until `done`."""
        if self.planned + size > self._limit:
            return False
        self.planned += size
        return True

    def done(self, size: int) -> None:
        """A prefetch that was planned has ended."""
        self.planned -= size

    def reads(self, owner: object) -> None:
        """`owner` reads ahead now: it has a share until it closes or rests."""
        now = self._clock()
        known = owner in self._active
        self._active[owner] = now
        if not known or len(self._active) > 1:
            for o in [o for o, t in self._active.items() if now - t > ACTIVE_S]:
                del self._active[o]
            self._divide()

    def closed(self, owner: object) -> None:
        """`owner` gives its share back."""
        if self._active.pop(owner, None) is not None:
            self._divide()

    def _divide(self) -> None:
        n = max(1, len(self._active))
        self.share = Share(self._limit // n, max(LANES_MIN, LANES // n))
