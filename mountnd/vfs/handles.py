"""Open files, each a pinned view: of one version of its object. So is its inode while anybody has it open.

The kernel keeps pages and size per inode, not per handle. So while a handle is open, everybody who opens
the same inode gets that handle's version; once all are closed, the next open takes the new version with
the kernel's pages dropped. A flush comes before close(2) returns, also of a duplicate; the release of the last
one comes a moment after. So whoever opens a new version while every handle on the old one is flushed waits
that moment to see whether they are closed.

Pages are only dropped where there may be some of another version: an open(2) that drops them waits for each page that
another program waits for, and no signal ends that.

A version that is gone before anybody has seen a byte of it is no loss: where the new one has the same size, the inode
moves to it (`Handles.repin`), for all its handles at once.

Lock: `Handles._changed` comes before `UsageLog._lock` only; no I/O happens under it.
"""

from __future__ import annotations

import itertools
import threading
from typing import Protocol

from cachetools import LRUCache

from ..blocks.stream import Stream
from ..stores.base import ObjectId, ObjectStat
from .inodes import Inode

# Inodes whose last opened version is remembered, to know whether the kernel's pages are still valid.
# About 300 bytes each; one that is forgotten costs its pages at the next open.
REMEMBERED = 65_536
# Bits for the inodes that were ever opened, by their numbers, which are hashes: 1 MiB. One whose bit is not set has no
# pages; after a million files every ninth new one shares its bit with another.
OPENED_BITS = 1 << 23
# An object that is replaced more often between an open and its first byte is too restless to read.
MOVES = 3
# How long to wait for the release that follows a flush: the kernel sends it at once, some 0.1 ms on an idle machine.
RELEASE_S = 0.25


class StreamSource(Protocol):
    """What opens a handle's stream of bytes (`blocks.stream.Blocks`)."""

    def open(self, id: ObjectId, size: int) -> Stream: ...


class Pin:
    """The version an inode stays at while handles hold it.

    Attributes:
        stale: the store said that it is gone.
        given: a program may have seen bytes of it: read here, or in pages that the kernel kept.
        moves: how often it was pinned anew.
    """

    __slots__ = ("given", "handles", "meta", "moves", "stale")

    def __init__(self, meta: ObjectStat) -> None:
        self.meta = meta
        self.handles: set[Handle] = set()
        self.stale = self.given = False
        self.moves = 0

    def closing(self) -> bool:
        """Whether every handle may be closed already: flushed, and not read since."""
        return all(h.flushed for h in self.handles)


class Handle:
    """One open file.

    Attributes:
        inode, pin, stream: which file, the version it reads, and the bytes of that.
        size: of that version, in bytes; read_end: where the farthest read ended; read_bytes: how many were read.
        flushed: close(2) was called on a descriptor, and nothing was read since.
        reported: a failed read stands in the log already.
    """

    __slots__ = ("flushed", "inode", "pin", "read_bytes", "read_end", "reported", "size", "stream")

    def __init__(self, inode: Inode, pin: Pin, stream: Stream) -> None:
        self.inode, self.pin, self.stream = inode, pin, stream
        self.size = pin.meta.size
        self.read_bytes = self.read_end = 0
        self.flushed = self.reported = False


class Handles:
    """The table of open files and of pinned inodes. `streams` opens the bytes of a handle."""

    def __init__(self, streams: StreamSource) -> None:
        self._streams = streams
        self._changed = threading.Condition()
        self._numbers = itertools.count(1)
        self._open: dict[int, Handle] = {}
        self._pins: dict[int, Pin] = {}
        self._last: LRUCache[int, ObjectId] = LRUCache(REMEMBERED)
        self._opened = bytearray(OPENED_BITS // 8)
        self.get = self._open.__getitem__  # the hot path: one dict look-up; raises KeyError

    def pinned(self, number: int) -> ObjectStat | None:
        """The version inode `number` is held at, None where nobody holds it."""
        pin = self._pins.get(number)
        return None if pin is None else pin.meta

    def opened(self, number: int) -> list[Handle]:
        """The handles that are open on inode `number`."""
        with self._changed:
            pin = self._pins.get(number)
            return [] if pin is None else list(pin.handles)

    def settled(self, number: int) -> ObjectStat | None:
        """As `pinned`, after close(2): a version that is gone and whose every handle may be closed is not told on.

        May wait RELEASE_S for the release that says so. Where none comes it was a duplicate that was closed.
        """
        pin = self._pins.get(number)
        if pin is not None and pin.stale:
            with self._changed:
                if pin.closing() and not self._changed.wait_for(lambda: self._pins.get(number) is not pin, RELEASE_S):
                    for handle in pin.handles:
                        handle.flushed = False
            pin = self._pins.get(number)
        return None if pin is None else pin.meta

    def add(self, inode: Inode, current: ObjectStat) -> tuple[int, bool]:
        """Open `inode`, whose newest version is `current`.

        Returns (handle number, whether the kernel may keep the pages it has of this inode). May wait RELEASE_S.
        """
        with self._changed:
            pin = self._pins.get(inode.number)
            if pin is not None and pin.meta.id != current.id and pin.closing():
                self._changed.wait_for(lambda: self._pins.get(inode.number) is not pin, RELEASE_S)
                pin = self._pins.get(inode.number)
            if pin is None:
                pin = self._pins[inode.number] = Pin(current)
            id = pin.meta.id
            last = self._last.get(inode.number)
            keep = last == id if self._mark_opened(inode.number) else True
            pin.given = pin.given or (keep and last is not None)
            self._last[inode.number] = id
            handle = Handle(inode, pin, self._streams.open(id, pin.meta.size))
            pin.handles.add(handle)
            number = next(self._numbers)
            self._open[number] = handle
            return number, keep

    def _mark_opened(self, number: int) -> bool:
        """Remember that an inode was opened; whether it may have been before."""
        byte, bit = (number % OPENED_BITS) >> 3, 1 << (number & 7)
        before = self._opened[byte] & bit
        self._opened[byte] |= bit
        return bool(before)

    def give(self, handle: Handle, stream: Stream) -> bool:
        """Whether bytes that came from `stream` may be given: the handle still reads that version, and stays at it."""
        with self._changed:
            if handle.stream is stream:
                handle.pin.given = True
            return handle.stream is stream

    def repin(self, handle: Handle, stream: Stream, current: ObjectStat) -> bool:
        """Move the inode to the version `current`: that of `stream` is gone, and nobody has seen any of it.

        Returns whether the handle now reads another version than that of `stream`. Size and so what the kernel
        believes stay the same, for all handles of the inode.
        """
        with self._changed:
            pin = handle.pin
            if handle.stream is not stream:
                return True  # another thread was sooner
            if pin.given or current.size != pin.meta.size or current.id == pin.meta.id or pin.moves >= MOVES:
                return False
            pin.meta, pin.moves = current, pin.moves + 1
            self._last[handle.inode.number] = current.id
            old = [(h, h.stream) for h in pin.handles]
            for h in pin.handles:
                h.stream = self._streams.open(current.id, current.size)
        for _, gone in old:
            gone.close()
        return True

    def remove(self, number: int) -> tuple[Handle, bool]:
        """Close a handle. Returns it, and whether the kernel should drop what it has of the inode: the version
        turned out to be gone and nobody holds it any more. Raises KeyError for a number that is not open."""
        with self._changed:
            handle = self._open.pop(number)
            pin = handle.pin
            pin.handles.discard(handle)
            last = not pin.handles
            if last:
                del self._pins[handle.inode.number]
                self._changed.notify_all()
            return handle, last and pin.stale

    def all(self) -> list[tuple[int, Handle]]:
        """Those that are open now, with their numbers."""
        return list(self._open.items())

    def __len__(self) -> int:
        return len(self._open)
