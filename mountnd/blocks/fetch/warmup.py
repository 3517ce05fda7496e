"""Warm-up: which GETs should be longer than what is needed, so that their connection is fast from then on.

Measured (30 ms round trip; the server's kernel uses BBR): on a connection that has given small answers only,
each answer of 32 to 256 KiB takes 1.5 round trips, because the server has not learnt how fast the path is.
After one of 256 KiB, asked for as the third, each takes 1.2; asked for as the first, when TCP has to start
anyway, only 1.35; after 512 KiB at any time 1.15. So one GET over each connection is made that long, of those that
readers wait for. Of what is fetched ahead many are under way at once, and the bytes cost more than the round trips: 600
visits at equal distances took 1.23 s and 63 MB with it, 1.16 s and 57 MB without.

Pure but for the clock it is given. The caller holds its lock around every method.
"""

from __future__ import annotations

from collections.abc import Callable

from ..geometry import BLOCK, BlockRange

WARMUP_BYTES = 256 << 10  # what such a GET brings; a random read of 4 KiB may fetch as much and no more
WARMUP_BLOCKS = WARMUP_BYTES // BLOCK
WARM_BYTES = 512 << 10  # an answer this long warms its connection whenever it comes
SMALL_ANSWERS = 2  # small answers before the warm-up
SIDE_BY_SIDE = 4  # GETs that one read is cut into while connections are cold
# Idle connections are closed by one side or the other after about this long.
IDLE_S = 30.0


class ConnectionWarmup:
    """One source's connections. Stores take the one freed last, so that the n-th at a time is always the same."""

    __slots__ = ("_answers", "_busy", "_clock", "_last")

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._busy = 0  # GETs on their way
        self._answers: list[int] = []  # of each connection; warm ones have more than SMALL_ANSWERS
        self._last = 0.0

    @property
    def due(self) -> bool:
        """Whether a GET that starts now should be `WARMUP_BYTES` long."""
        self._forget_idle()
        return self._busy < len(self._answers) and self._answers[self._busy] == SMALL_ANSWERS

    def cut(self, need: int, usual: int, *, whole: bool = False) -> int:
        """How long the GETs are that a read of `need` bytes is cut into, `usual` where connections are warm: while TCP
        starts, 512 KiB take two round trips more than 128, and 256 as many more than 64, so that several connections
        share them. `whole`: it is all of an object; then one of 256 KiB is cut, too."""
        self._forget_idle()
        answers = self._answers[self._busy : self._busy + SIDE_BY_SIDE]
        if need < WARMUP_BYTES + (not whole) or (len(answers) == SIDE_BY_SIDE and min(answers) > SMALL_ANSWERS):
            return usual
        return min(usual, -(-need // (SIDE_BY_SIDE * BLOCK)) * BLOCK)

    def _forget_idle(self) -> None:
        if not self._busy and self._clock() - self._last > IDLE_S:
            self._answers.clear()

    def widened(self, gap: BlockRange, count: int, is_held: Callable[[int], bool]) -> BlockRange:
        """The blocks of a GET for `gap`: as many from there on as it takes to warm up its connection, where one is due.

        Never at the start of an object: there a header may be all that is wanted.

        Args:
            count: of the object's blocks.
            is_held: whether a block is there, or on its way.
        """
        if not gap.first or gap.stop - gap.first >= WARMUP_BLOCKS or not self.due:
            return gap
        stop = gap.stop
        while stop < min(gap.first + WARMUP_BLOCKS, count) and not is_held(stop):
            stop += 1
        return BlockRange(gap.first, stop)

    def started(self, size: int) -> None:
        """A GET of `size` bytes starts."""
        if self._busy == len(self._answers):
            self._answers.append(0)
        answers = self._answers[self._busy]
        if size >= WARM_BYTES or (size >= WARMUP_BYTES and answers == SMALL_ANSWERS):
            self._answers[self._busy] = SMALL_ANSWERS + 1
        elif answers < SMALL_ANSWERS:
            self._answers[self._busy] = answers + 1
        self._busy += 1

    def finished(self) -> None:
        """It ended."""
        self._busy -= 1
        self._last = self._clock()
