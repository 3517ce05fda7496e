"""How many bytes may be fetched before anybody asks for them, over all streams, and each one's share.

Pure but for the clock it is given. The caller holds its lock around every method; `share` may be read without.
"""

from __future__ import annotations

from collections.abc import Callable

# A stream that asked for more within this time counts as being read, and has its share of the window.
ACTIVE_S = 2.0


class Budget:
    """Bytes ahead of their readers.

    Args:
        memory: bytes that all blocks may take. Half of it is for what nobody has asked for yet: the other half
            keeps what somebody has.

    Attributes:
        share: how far ahead one stream may be now.
    """

    __slots__ = ("_active", "_clock", "_limit", "planned", "share")

    def __init__(self, memory: int, clock: Callable[[], float]) -> None:
        self._limit = self.share = memory // 2
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
            self.share = self._limit // len(self._active)

    def closed(self, owner: object) -> None:
        """`owner` gives its share back."""
        if self._active.pop(owner, None) is not None:
            self.share = self._limit // max(1, len(self._active))
