"""A place in a compressed file that is being inflated: goes on from a seek point, and leaves further ones behind.

Reads what `gzip -d` does: members one after the other, zeros behind the last. Anything else behind it is refused, where
gzip warns: a file that is shown inflated must be sure of its size.
"""

from __future__ import annotations

import ctypes
import zlib
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Protocol

from .points import Points, SeekPoint, packed_window
from .unfit import Unfit
from .zlib_binding import (
    BITS,
    BLOCK,
    BLOCK_ENDED,
    BUF_ERROR,
    GZIP,
    LAST_BLOCK,
    MEM_ERROR,
    NO_FLUSH,
    OK,
    RAW,
    STREAM_END,
    Inflation,
)

# Of a gzip member: CRC-32 and size of what it holds.
TRAILER_BYTES = 8
# One call of zlib gives no more: a deadline is looked at between two of them.
_STEP = 1 << 20


class Compressed(Protocol):
    """Compressed bytes, in order."""

    def next(self) -> bytearray:
        """The next ones, as many as there are; empty at the end. Raises StoreError."""
        ...


class Cursor:
    """Inflates in order. Not thread-safe.

    Args:
        point: where it begins.
        feed: the compressed bytes from `point.stored` on.
        points: where it leaves seek points.
        turn: held while zlib works.

    Raises Unfit for a point that cannot be.

    Attributes:
        out: offset of the next inflated byte.
        stored: offset of the next compressed byte.
        ended: there are no more inflated bytes.
    """

    def __init__(
        self, point: SeekPoint, feed: Compressed, points: Points, turn: AbstractContextManager[object]
    ) -> None:
        self.out, self.stored, self._member = point.out, point.stored, point.member
        self._feed, self._points, self._turn = feed, points, turn
        self.ended = False
        self._raw = not point.begins_member
        self._last_byte = point.byte
        self._piece, self._at = bytearray(), 0
        self._z = Inflation(RAW if self._raw else GZIP)
        if self._raw:
            try:
                window = zlib.decompress(point.window)
            except zlib.error:
                raise Unfit("damaged") from None
            self._z.begin_within(point.bits, point.byte >> (8 - point.bits), window)
        self._begins = not self._raw  # a member's header is next
        # A member is over, and what follows was not looked at to the end: its trailer so far, and whether zeros came.
        self._between, self._trailer, self._zeros = False, bytearray(), False

    def fill(self, into: memoryview, check: Callable[[], object]) -> int:
        """Inflate into a buffer; how many bytes: fewer than it holds at the end only.

        Args:
            check: called now and then; what it raises ends this.

        Raises Unfit: it is of no use any more then. What `check` and the feed raise leaves it where it is: it goes on
        from `out`.
        """
        filled, address = 0, ctypes.addressof(ctypes.c_char.from_buffer(into)) if into else 0
        while filled < len(into) and not self.ended:
            check()
            if self._between:
                self._go_on()
                continue
            if self._at == len(self._piece) and not self._more():
                raise Unfit("truncated")
            filled += self._step(address + filled, min(len(into) - filled, _STEP))
        return filled

    def _step(self, address: int, room: int) -> int:
        """One call of zlib."""
        due = self._points.due(self.out)
        stop = self.out >= due
        if not stop:
            room = min(room, due - self.out)
        z, piece = self._z.stream, self._piece
        z.next_in = ctypes.addressof(ctypes.c_char.from_buffer(piece)) + self._at
        z.avail_in = len(piece) - self._at
        z.next_out, z.avail_out = address, room
        with self._turn:
            status = self._z.inflate(BLOCK if stop else NO_FLUSH)
        used = len(piece) - self._at - z.avail_in
        got: int = room - z.avail_out
        self._at += used
        self.stored += used
        self.out += got
        if used:
            self._last_byte = piece[self._at - 1]
        if status == STREAM_END:
            self._between, self._trailer, self._zeros = True, bytearray(), False
            self._go_on()
        elif status == MEM_ERROR:
            raise MemoryError("inflate")
        elif status not in (OK, BUF_ERROR):
            raise Unfit("gzip" if self._begins and not self.stored - used else "damaged")
        elif stop and z.data_type & BLOCK_ENDED and not z.data_type & LAST_BLOCK and self.out > self._member:
            self._leave_point(z.data_type & BITS)
        return got

    def _leave_point(self, bits: int) -> None:
        window = packed_window(self._z.window())
        self._points.add(SeekPoint(self.out, self.stored, self._member, bits, self._last_byte if bits else 0, window))

    def _go_on(self) -> None:
        """From the end of a member to the next one, or to the end. Where the feed raises, the next call continues."""
        if self._raw:
            while len(self._trailer) < TRAILER_BYTES:
                self._trailer.append(self._take())
            if int.from_bytes(self._trailer[4:], "little") != (self.out - self._member) & 0xFFFF_FFFF:
                raise Unfit("damaged")
        first = self._peek()
        if first == 0x1F and not self._zeros:
            self._between = False
            self._member, self._raw, self._begins = self.out, False, True
            if self.out >= self._points.due(self.out):
                self._points.add(SeekPoint(self.out, self.stored, self.out))
            self._z.reset(GZIP)
            return
        while first is not None:
            if self._piece.count(0, self._at) != len(self._piece) - self._at:
                raise Unfit("trailing")
            self.stored += len(self._piece) - self._at
            self._at, self._zeros = len(self._piece), True
            first = self._peek()
        self.ended = True

    def _peek(self) -> int | None:
        """The next compressed byte; None at the end."""
        return self._piece[self._at] if self._at < len(self._piece) or self._more() else None

    def _take(self) -> int:
        byte = self._peek()
        if byte is None:
            raise Unfit("truncated")
        self._at += 1
        self.stored += 1
        return byte

    def _more(self) -> bool:
        self._piece, self._at = self._feed.next(), 0
        return bool(self._piece)
