"""Ranges of bytes, of one file or many, that are all under way before one is waited for."""

from __future__ import annotations

import ctypes
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future
from functools import partial
from itertools import pairwise
from queue import Empty, SimpleQueue
from typing import Any, NamedTuple

from ..blocks.begun import BegunRead
from ..blocks.geometry import BLOCK
from ..errors import MountndError
from ..parallelism import BYTE_WORKERS
from .names import look_up
from .trees import OpenTree

# Ranges of one file are read as one where less than this lies between them: they share a block, or lie in neighbours.
NEAR = BLOCK
# And as long as that is no longer than this.
MOST_JOINED = 8 << 20
# A longer one is asked for piece by piece, each by one GET: long enough for a connection's full rate.
PIECE = 2 << 20
# As many as there are threads for requests: what is asked for beyond that is queued, and soon has connections of its
# own made for it (`workers.TURN_S`), which are slow at first.
AT_ONCE = BYTE_WORKERS
# How long nothing comes before the oldest is looked after.
PATIENCE_S = 0.05

_new_bytes = ctypes.pythonapi.PyBytes_FromStringAndSize
_new_bytes.restype, _new_bytes.argtypes = ctypes.py_object, [ctypes.c_void_p, ctypes.c_ssize_t]
_address_of = ctypes.pythonapi.PyBytes_AsString
_address_of.restype, _address_of.argtypes = ctypes.c_void_p, [ctypes.py_object]


def new_bytes(size: int) -> tuple[bytes, int]:
    """`bytes` of that size with nothing in it yet, and where they lie. Fill them before anybody else sees them.

    (What the C API says of PyBytes_FromStringAndSize(NULL, size); a bytearray would be zeroed first, and copied.)
    """
    made = _new_bytes(None, size)
    return made, _address_of(made)


class Range(NamedTuple):
    """Bytes `[start, stop)` of an open file (a handle of the vfs), inside it; `result`: which one they are."""

    result: int
    fh: int
    start: int
    stop: int


class _Span:
    """Neighbouring ranges of one file, which are read as one."""

    __slots__ = ("address", "data", "error", "fh", "left", "ranges", "start", "stop")

    def __init__(self, first: Range) -> None:
        self.fh, self.start, self.stop, self.ranges = first.fh, first.start, first.stop, [first]
        self.data, self.address, self.left = b"", 0, 0
        self.error: MountndError | None = None

    def add(self, other: Range) -> bool:
        """Take another range in, which begins no sooner; whether it is near enough."""
        stop = max(self.stop, other.stop)
        if other.start > self.stop + NEAR or (stop - self.start > MOST_JOINED and other.stop > self.stop):
            return False
        self.stop = stop
        self.ranges.append(other)
        return True

    def pieces(self) -> list[tuple[int, int]]:
        """Offset and size of what is asked for at a time."""
        self.data, self.address = new_bytes(self.stop - self.start)
        cuts = [self.start, *range(self.start // PIECE * PIECE + PIECE, self.stop, PIECE), self.stop]
        self.left = len(cuts) - 1
        return [(at, to - at) for at, to in pairwise(cuts)]

    def results(self) -> Iterator[tuple[int, bytes | MountndError]]:
        for r in self.ranges:
            if self.error is not None:
                yield r.result, self.error
            elif (r.start, r.stop) == (self.start, self.stop):
                yield r.result, self.data
            else:
                yield r.result, self.data[r.start - self.start : r.stop - self.start]


def read_ranges(tree: OpenTree, ranges: Iterable[Range]) -> Iterator[tuple[int, bytes | MountndError]]:
    """The bytes of each range, or why there are none, by their index, in the order of their places."""
    empty, spans = list[int](), list[_Span]()
    for r in sorted(ranges, key=lambda r: (r.fh, r.start)):
        if r.stop <= r.start:
            empty.append(r.result)
        elif not (spans and spans[-1].fh == r.fh and spans[-1].add(r)):
            spans.append(_Span(r))
    yield from ((index, b"") for index in empty)
    for span in _Fetch(tree).spans(spans):
        yield from span.results()


class Wanted(NamedTuple):
    """Bytes of a file: its path in the tree, and where they begin and end, as a slice of all its bytes has it."""

    path: bytes
    start: int | None
    stop: int | None


def read_files(tree: OpenTree, wanted: Sequence[Wanted]) -> list[bytes | MountndError]:
    """What each of these is, or why it cannot be read. Ranges of one file are of one version of it."""
    results: list[bytes | MountndError] = [b""] * len(wanted)
    opened: dict[bytes, tuple[int, int]] = {}
    ranges = []
    try:
        for i, (one, inode) in enumerate(zip(wanted, look_up(tree, [one.path for one in wanted]), strict=True)):
            try:
                if isinstance(inode, MountndError):
                    raise inode
                if one.path not in opened:
                    fh = tree.vfs.open(inode, alone=True)[0]
                    opened[one.path] = fh, tree.vfs.fstat(fh).size
            except MountndError as e:
                results[i] = e
                continue
            fh, size = opened[one.path]
            start, stop, _ = slice(one.start, one.stop).indices(size)
            ranges.append(Range(i, fh, start, stop))
        for i, got in read_ranges(tree, ranges):
            results[i] = got
    finally:
        for fh, _ in opened.values():
            tree.vfs.release(fh)
    return results


def read_into(tree: OpenTree, fh: int, address: int, size: int, offset: int) -> int:
    """Copy `size` bytes of an open file to memory, or what there is up to its end; returns how many. Raises
    MountndError."""
    if size <= PIECE:
        return tree.vfs.read_into(fh, lambda: address, size, offset)
    done = 0
    for at in range(0, size, PIECE):  # one after the other: the readahead of the handle sees to the rest
        n = tree.vfs.read_into(fh, lambda at=at: address + at, min(PIECE, size - at), offset + at)  # type: ignore[misc]
        done += n
        if n < PIECE:
            break
    return done


class _Piece:
    """A part of a span that was asked for. `waits`: as many items as flights have not ended."""

    __slots__ = ("begun", "offset", "size", "span", "waits")

    def __init__(self, span: _Span, offset: int, size: int, begun: BegunRead | None) -> None:
        self.span, self.offset, self.size, self.begun = span, offset, size, begun
        self.waits: list[None] = []


class _Fetch:
    """Pieces under way: no more than the window holds, and than there are connections for.

    Whatever comes first is taken first, so that there is always room for more. Not thread-safe.
    """

    def __init__(self, tree: OpenTree) -> None:
        self._vfs, self._window = tree.vfs, tree.window
        self._under_way: dict[_Piece, None] = {}
        self._bytes = 0
        self._ended: SimpleQueue[_Piece] = SimpleQueue()

    def spans(self, spans: Iterable[_Span]) -> Iterator[_Span]:
        """Each of `spans` once all of it is there, or one piece of it failed."""
        try:
            for span in spans:
                for offset, size in span.pieces():
                    while self._under_way and (self._bytes + size > self._window or len(self._under_way) >= AT_ONCE):
                        yield from self._take(self._next())
                    piece = self._begin(span, offset, size)
                    if piece.begun is not None and not piece.begun.under_way:
                        while self._under_way:  # it is others' turn, and perhaps they wait for ours to end
                            yield from self._take(self._next())
            while self._under_way:
                yield from self._take(self._next())
        finally:
            for piece in self._under_way:
                if piece.begun is not None:
                    piece.begun.abandon()

    def _begin(self, span: _Span, offset: int, size: int) -> _Piece:
        piece = _Piece(span, offset, size, self._vfs.begin_read(span.fh, size, offset))
        self._under_way[piece] = None
        self._bytes += size
        flights = piece.begun.flights() if piece.begun is not None else ()
        piece.waits = [None] * len(flights)
        for flight in flights:
            flight.future.add_done_callback(partial(self._flight_ended, piece))
        if not flights:
            self._ended.put(piece)
        return piece

    def _flight_ended(self, piece: _Piece, _: Future[Any]) -> None:
        """On any thread."""
        piece.waits.pop()
        if not piece.waits:  # two that end at the same time may both see this
            self._ended.put(piece)

    def _next(self) -> _Piece:
        """One that has come; the oldest where nothing comes, which is then looked after (a second GET may be made)."""
        while True:
            try:
                piece = self._ended.get(timeout=PATIENCE_S)
            except Empty:
                return next(iter(self._under_way))
            if piece in self._under_way:
                return piece

    def _take(self, piece: _Piece) -> Iterator[_Span]:
        """Copy what came, or wait for it; its span, where that was the last piece."""
        del self._under_way[piece]
        self._bytes -= piece.size
        span, begun = piece.span, piece.begun
        span.left -= 1
        try:
            if span.error is None:
                address = span.address + piece.offset - span.start
                self._vfs.read_into(span.fh, lambda: address, piece.size, piece.offset, begun)
            elif begun is not None:
                begun.abandon()
        except MountndError as e:
            span.error = e
        if not span.left:
            yield span
