"""The bytes of many files, side by side: pieces of what is absent, in order, so many at once as the line carries.

What fails for a moment is tried again at the end; when nothing at all succeeds any more, the source is out of reach and
the rest is left. A disk that takes nothing ends everything: what is fetched must be kept.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from queue import Empty, SimpleQueue
from typing import Any, NamedTuple

from ..blocks.bulk import Bulk, NoMemory
from ..blocks.geometry import BlockRange, extent
from ..errors import StoreError
from ..stores.base import ObjectId

# How often a piece is tried whose error may pass. Each try lasts up to minutes (`stores/retry.py`).
TRIES = 3
# So many failures in a row that may pass, and no success: the source is out of reach.
OUTAGE = 24
# How often it is looked whether to end, and whether more may be under way.
LOOK_S = 0.1
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
        self._done: SimpleQueue[tuple[_Piece, BaseException | None]] = SimpleQueue()
        self._at_once: deque[_Piece] = deque()  # for which there was no memory
        self._later: deque[_Piece] = deque()  # to be tried again
        self._gets = self._bytes = self._failures = 0  # under way; and that failed since the last success
        self._no_memory = False

    def run(self, files: Iterator[Missing]) -> None:
        """Returns when all are done, or soon after it was cancelled. Raises OSError of the disk, and OutOfReach."""
        pieces, end = self._pieces(files), float("inf")
        following = next(pieces, None)
        while following is not None or self._gets:
            if self._cancelled() and end == float("inf"):
                end = time.monotonic() + SETTLE_S
            if time.monotonic() > end or (not self._gets and end < float("inf")):
                return
            while following is not None and end == float("inf") and self._may_start(following):
                self._start(following)
                following = next(pieces, None)
            self._take()
            if following is None:
                following = next(pieces, None) or self._again()

    def _pieces(self, files: Iterator[Missing]) -> Iterator[_Piece]:
        """What is to be fetched, cut only when its turn comes: how long a piece should be, what came before tells."""
        for missing in files:
            file = _File(missing)
            for gap in missing.gaps:
                while gap.first < gap.stop and file.error is None:
                    span, gap = self._bulk.cut(gap)
                    file.left += 1
                    yield _Piece(file, span)
            file.all_cut = True
            self._tell(file)

    def _again(self) -> _Piece | None:
        """A piece that is to be tried again."""
        while self._at_once or self._later:
            piece = (self._at_once or self._later).popleft()
            if piece.file.error is None:
                return piece
            self._piece_ended(piece)
        return None

    def _may_start(self, piece: _Piece) -> bool:
        if not self._gets:
            return True
        if self._no_memory:
            return False
        return self._gets < self._bulk.gets_at_once and self._bytes + piece.bytes <= self._bulk.bytes_at_once

    def _start(self, piece: _Piece) -> None:
        self._gets += 1
        self._bytes += piece.bytes
        missing = piece.file.missing
        try:
            self._bulk.fetch(missing.id, missing.size, piece.span, lambda error: self._done.put((piece, error)))
        except StoreError as e:
            self._done.put((piece, e))

    def _take(self) -> None:
        """Take what has come, or wait a moment for it. Raises OSError of the disk, and OutOfReach."""
        try:
            piece, error = self._done.get(timeout=LOOK_S)
            while True:
                self._gets -= 1
                self._bytes -= piece.bytes
                self._judge(piece, error)
                piece, error = self._done.get_nowait()
        except Empty:
            return

    def _judge(self, piece: _Piece, error: BaseException | None) -> None:
        self._no_memory = False
        if error is None:
            self._failures = 0
            self._came(piece.bytes)
        elif isinstance(error, NoMemory):
            self._no_memory = True
            self._at_once.append(piece)
            if not self._gets:
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
