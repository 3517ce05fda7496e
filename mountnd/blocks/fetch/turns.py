"""How much readers may wait for at once: beyond that they take turns.

What a read needs stays in memory until all of it is there, whatever the limit. The kernel asks for up to 1 MiB at once,
for each file that is read: hundreds of them side by side would take hundreds of megabytes. So those beyond the limit
take turns, in order. A silent server must not hold up the readers of others: where nothing comes for `STILL_S` nobody
waits any more, and nobody longer than `TURN_S`, after which a read counts no more, either.

The caller holds its lock around every method. `Turn.granted` completes under it: what is called back then must not
take it.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future

# How long a reader waits for others to be served before it: at most, and where nothing comes at all.
TURN_S, STILL_S = 5.0, 1.0


class Turn:
    """One read that needs bytes from elsewhere.

    Attributes:
        served: it may ask for them.
        granted: completes then; None where it never had to wait.
        since: when it came; from then on, when it was served.
    """

    __slots__ = ("granted", "served", "since", "size")

    def __init__(self, size: int, now: float) -> None:
        self.size, self.since, self.served = size, now, False
        self.granted: Future[None] | None = None


class DemandBudget:
    """Bytes that readers wait for, over all streams.

    Args:
        memory: bytes that all blocks may take. Half of it is for this, as prefetches have the other one.
    """

    __slots__ = ("_bytes", "_clock", "_counted", "_limit", "_moved", "_waiting")

    def __init__(self, memory: int, clock: Callable[[], float]) -> None:
        self._limit, self._clock = memory // 2, clock
        self._counted: dict[Turn, None] = {}  # those that are served and count, in the order in which they began
        self._bytes = 0  # of these
        self._waiting: dict[Turn, None] = {}
        self._moved = float("-inf")  # when something came last

    def enter(self, size: int) -> Turn:
        """A read that needs `size` bytes. Where it is not served at once, `look` says what to do."""
        now = self._clock()
        turn = Turn(size, now)
        if not self._waiting and self._fits(size, now):
            self._serve(turn, now)
            self._moved = now
        else:
            turn.granted = Future()
            self._waiting[turn] = None
        return turn

    def look(self, turn: Turn) -> float:
        """Serve those whose turn it is. Seconds after which `turn` should look again, if nothing tells it sooner that
        it is served; 0 where it is."""
        now = self._clock()
        self._go_on(now)
        if turn.served:
            return 0.0
        left = min(self._moved + STILL_S, turn.since + TURN_S) - now
        if left <= 0:
            self.begin(turn)
        return max(0.0, left)

    def begin(self, turn: Turn) -> None:
        """It is served now, also where it is not its turn."""
        if not turn.served:
            self._waiting.pop(turn, None)
            self._serve(turn, self._clock())

    def leave(self, turn: Turn) -> None:
        """It has its bytes, or does not want them any more."""
        if turn in self._counted:
            self._uncount(turn)
        now = self._clock()
        if turn.served:
            self._moved = now
        else:
            del self._waiting[turn]
        self._go_on(now)

    def came(self) -> None:
        """Something came that readers may wait for."""
        self._moved = now = self._clock()
        self._go_on(now)

    def _go_on(self, now: float) -> None:
        while (following := next(iter(self._waiting), None)) is not None and self._fits(following.size, now):
            del self._waiting[following]
            self._serve(following, now)

    def _serve(self, turn: Turn, now: float) -> None:
        turn.served, turn.since = True, now
        self._counted[turn] = None
        self._bytes += turn.size
        if turn.granted is not None:
            turn.granted.set_result(None)

    def _fits(self, size: int, now: float) -> bool:
        while self._counted and now - (first := next(iter(self._counted))).since >= TURN_S:
            self._uncount(first)
        return not self._counted or self._bytes + size <= self._limit

    def _uncount(self, turn: Turn) -> None:
        del self._counted[turn]
        self._bytes -= turn.size
