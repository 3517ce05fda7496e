"""The bytes of many files, side by side: pieces of what is absent, in order, so many at once as the line carries.

What fails for a moment is tried again at the end; when nothing at all succeeds any more, the source is out of reach and
the rest is left. A disk that takes nothing ends everything: what is fetched must be kept.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from queue import Empty, SimpleQueue
from typing import Any, NamedTuple

from ..blocks.bulk import Bulk, NoMemory, Piece
from ..blocks.geometry import BLOCK, BlockRange, extent
from ..errors import StoreError
from ..stores.base import ObjectId

# How often a piece is tried whose error may pass. Each try lasts up to minutes (`stores/retry.py`).
TRIES = 3
# So many failures in a row that may pass, and no success: the source is out of reach.
OUTAGE = 24
# How often it is looked whether to end, and whether more may be under way.
LOOK_S = 0.1
# What has been under way for so long does not hold up the rest: a server may be silent about one object and not about
# others. As much again is asked for each time that so long has passed, up to so often: on a line of 0.3 MB/s, where
# everything is late, no attempt then lasts longer than it may.
LATE_S, LATE_TIMES = 5.0, 4
# Pieces up to so long are fetched several together, at most so many.
SMALL, TOGETHER = BLOCK, 16
# How long what is under way is waited for once it was cancelled: that much was asked for at most (`blocks/pace.py`).
SETTLE_S = 6.0


class Missing(NamedTuple):
    """What is to be fetched of one file.

    Attributes:
        path: for messages.
        gaps: blocks that are absent.
        origin: what the caller made it of.
        again: it was replaced meanwhile, and this is the newer version.
    """

    path: str
    id: ObjectId
    size: int
    gaps: tuple[BlockRange, ...]
    origin: Any = None
    again: bool = False


class Amount(NamedTuple):
    """How many files and bytes."""

    files: int
    bytes: int


class Outcome(NamedTuple):
    """What became of a file: None in place of an error where all of it is kept."""

    file: Missing
    error: BaseException | None


class _File:
    """A file on its way: pieces that are not done, whether there will be more, the error that ended it."""

    __slots__ = ("all_cut", "error", "left", "missing", "told")

    def __init__(self, missing: Missing) -> None:
        self.missing, self.left = missing, 0
        self.all_cut = self.told = False
        self.error: BaseException | None = None


class _Piece(NamedTuple):
    file: _File
    span: BlockRange
    tries: int = 1

    @property
    def bytes(self) -> int:
        return extent(self.span, self.file.missing.size).size


# Small pieces that one worker fetches one after the other: to hand each of them from thread to thread takes half of the
# processor time that a small file takes.
_Load = list[_Piece]


class OutOfReach(StoreError):
    """Nothing comes any more; what the last request failed with."""


class Transfer:
    """Fetches files into the disk tier.

    Args:
        cancelled: whether to begin nothing more.
        ended: told of each file that is kept, or has failed.
        came: told of bytes that were fetched and kept.
    Both are called on the thread that calls `run`.
    """

    def __init__(
        self,
        bulk: Bulk,
        cancelled: Callable[[], bool],
        ended: Callable[[Outcome], object],
        came: Callable[[int], object],
    ) -> None:
        self._bulk, self._cancelled, self._ended, self._came = bulk, cancelled, ended, came
        self._done: SimpleQueue[tuple[_Load, Sequence[BaseException | None]]] = SimpleQueue()
        self._at_once: deque[_Piece] = deque()  # for which there was no memory
        self._later: deque[_Piece] = deque()  # to be tried again
        self._under_way: dict[int, tuple[float, int]] = {}  # by load: since when, bytes
        self._failures = 0  # since the last success
        self._no_memory = False

    def run(self, files: Iterator[Missing], amount: Amount) -> None:
        """Returns when all are done, or soon after it was cancelled. Raises OSError of the disk, and OutOfReach.

        `amount`: about how much is missing of all.
        """
        loads, end = self._loads(self._pieces(files, amount.bytes), amount.files), float("inf")
        following = next(loads, None)
        while following is not None or self._under_way:
            if self._cancelled() and end == float("inf"):
                end = time.monotonic() + SETTLE_S
            if time.monotonic() > end or (not self._under_way and end < float("inf")):
                return
            while following is not None and end == float("inf") and self._may_start(following):
                self._start(following)
                following = next(loads, None)
            self._take()
            if following is None:
                following = next(loads, None) or self._again()

    def _pieces(self, files: Iterator[Missing], left: int) -> Iterator[_Piece]:
        """What is to be fetched, cut only when its turn comes: how long a piece should be, what came before tells."""
        for missing in files:
            file = _File(missing)
            for gap in missing.gaps:
                while gap.first < gap.stop and file.error is None:
                    span, gap = self._bulk.cut(gap, max(0, left))
                    piece = _Piece(file, span)
                    file.left += 1
                    left -= piece.bytes
                    yield piece
            file.all_cut = True
            self._tell(file)

    def _loads(self, pieces: Iterator[_Piece], left: int) -> Iterator[_Load]:
        """Pieces by themselves, but small ones together: fewer towards the end, so that no worker has the last ones all
        to itself. `left`: files."""
        load: _Load = []
        for piece in pieces:
            left -= piece.span.first == piece.file.missing.gaps[0].first
            if piece.bytes > SMALL:
                yield [piece]
                continue
            load.append(piece)
            if len(load) >= min(TOGETHER, left // (2 * self._bulk.gets_at_once())):
                yield load
                load = []
        if load:
            yield load

    def _again(self) -> _Load | None:
        """A piece that is to be tried again."""
        while self._at_once or self._later:
            piece = (self._at_once or self._later).popleft()
            if piece.file.error is None:
                return [piece]
            self._piece_ended(piece)
        return None

    def _may_start(self, load: _Load) -> bool:
        if not self._under_way:
            return True
        if self._no_memory:
            return False
        size, most, now = _bytes(load), self._bulk.bytes_at_once, time.monotonic()
        gets = self._bulk.gets_at_once(long=size > SMALL * TOGETHER // 4)
        oldest, _ = next(iter(self._under_way.values()))
        times = min(LATE_TIMES, int((now - oldest) / LATE_S))
        late = [n for begun, n in self._under_way.values() if now - begun >= LATE_S] if times else []
        under_way = sum(n for _, n in self._under_way.values()) - min(sum(late), times * most)
        return len(self._under_way) - min(len(late), times * gets) < gets and under_way + size <= most

    def _start(self, load: _Load) -> None:
        self._under_way[id(load)] = time.monotonic(), _bytes(load)
        pieces = [Piece(piece.file.missing.id, piece.file.missing.size, piece.span) for piece in load]
        try:
            self._bulk.fetch(pieces, lambda errors: self._done.put((load, errors)))
        except StoreError as e:
            self._done.put((load, [e] * len(load)))

    def _take(self) -> None:
        """Take what has come, or wait a moment for it. Raises OSError of the disk, and OutOfReach."""
        try:
            load, errors = self._done.get(timeout=LOOK_S)
            while True:
                del self._under_way[id(load)]
                self._no_memory = False
                for piece, error in zip(load, errors, strict=True):
                    self._judge(piece, error)
                load, errors = self._done.get_nowait()
        except Empty:
            return

    def _judge(self, piece: _Piece, error: BaseException | None) -> None:
        if error is None:
            self._failures = 0
            self._came(piece.bytes)
        elif isinstance(error, NoMemory):
            self._no_memory = True
            self._at_once.append(piece)
            if not self._under_way:
                time.sleep(LOOK_S)
            return
        elif isinstance(error, OSError):
            raise error
        elif isinstance(error, StoreError) and error.transient:
            self._failures += 1
            if self._failures >= OUTAGE:
                raise OutOfReach(str(error))
            if piece.tries < TRIES and piece.file.error is None:
                self._later.append(piece._replace(tries=piece.tries + 1))
                return
        piece.file.error = piece.file.error or error
        self._piece_ended(piece)

    def _piece_ended(self, piece: _Piece) -> None:
        piece.file.left -= 1
        self._tell(piece.file)

    def _tell(self, file: _File) -> None:
        if file.all_cut and not file.left and not file.told:
            file.told = True
            self._ended(Outcome(file.missing, file.error))


def _bytes(load: _Load) -> int:
    return sum(piece.bytes for piece in load)
