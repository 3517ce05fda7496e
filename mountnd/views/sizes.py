"""How many bytes a compressed file inflates to: what its header tells, and whether that can be true.

A size to be shown takes the first 64 KiB of what is stored. Before it is opened, the end is looked at, too: there gzip
says how much its last member holds (modulo 2^32). Small files are fetched whole, and inflated, so that nothing is left
to be believed; larger ones whose end contradicts their header, but could be the last of several members, as well.

What is found out is remembered of each version, in memory and by `Blobs`.
"""

from __future__ import annotations

import struct
import threading
import zlib
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import NamedTuple, TypeVar

from cachetools import LRUCache

from ..errors import StoreError, Unviewable
from ..stores.base import Deadline, ObjectId, Store
from . import unfit
from .blobs import Blobs
from .feed import fetched
from .formats import Format
from .identity import digest
from .unfit import REASONS, Unfit

# Bytes fetched to know a size: of the stored ones, from the start.
HEAD = 64 << 10
# Stored files up to so long are fetched whole when they are opened, and inflated where they do not become longer than
# so: a sixth of a second at most.
SMALL, SMALL_INFLATED = 1 << 20, 64 << 20
# Bytes looked at from the end of others: room for some zeros behind the gzip data.
TAIL = 4 << 10
# A member's least length, and how much deflate inflates at most (zlib's "Maximum Expansion Factor").
LEAST_MEMBER, MOST_INFLATED = 18, 1032
# Versions remembered in memory, some 250 bytes each.
REMEMBERED = 200_000

T = TypeVar("T")

_NOTE = struct.Struct("<qBB6x")  # inflated size, the number of why it is unfit, whether its end was looked at


class Measure(NamedTuple):
    """What is known of a stored version.

    Attributes:
        size: bytes that it inflates to; -1 where that cannot be told.
        unfit: one of `unfit.REASONS`, "" for none.
        checked: its end was looked at, or it was inflated.
    """

    size: int
    unfit: str = ""
    checked: bool = False


class Heads:
    """The first bytes of stored files read lately. Thread-safe; its lock is a leaf. `limit`: bytes."""

    def __init__(self, limit: int) -> None:
        self._lock = threading.Lock()
        self._heads: LRUCache[bytes, bytes] = LRUCache(max(limit, SMALL), getsizeof=len)

    def get(self, name: bytes) -> bytes:
        with self._lock:
            return self._heads.get(name, b"")

    def put(self, name: bytes, head: bytes) -> None:
        with self._lock:
            self._heads[name] = head


class Sizes:
    """Finds out, and remembers. Thread-safe; its lock is a leaf.

    Args:
        format_of: the format of a stored key.
        inflate_all: inflates a version of a stated size to its end. Raises Unfit, StoreError.
    """

    def __init__(
        self,
        store: Store,
        blobs: Blobs,
        heads: Heads,
        format_of: Callable[[str], Format],
        inflate_all: Callable[[ObjectId, int, Deadline], None],
    ) -> None:
        self._store, self._blobs, self._heads = store, blobs, heads
        self._format_of, self._inflate_all = format_of, inflate_all
        self._lock = threading.Lock()
        self._known: LRUCache[bytes, Measure] = LRUCache(REMEMBERED)

    def known(self, id: ObjectId) -> Measure | None:
        """What is known of a version without asking."""
        name = digest(id)
        with self._lock:
            if (found := self._known.get(name)) is not None:
                return found
        note = self._blobs.note(name)
        found = None if note is None else _measure_of(note)
        if found is not None:
            with self._lock:
                self._known[name] = found
        return found

    def ask(self, id: ObjectId, deadline: Deadline) -> Measure:
        """Its size, as its header tells. One GET where it is not known. Raises StoreError."""
        if (found := self.known(id)) is not None:
            return found
        try:
            found = self._looked_twice(id, self._measured, deadline)
        except Unfit as e:
            found = Measure(-1, e.name, True)
        return self.note(id, found)

    def check(self, id: ObjectId, deadline: Deadline) -> Measure:
        """The same, and whether its end agrees. One GET more where that is not known. Raises StoreError."""
        found = self.ask(id, deadline)
        if found.checked:
            return found
        try:
            if id.size <= SMALL and found.size <= SMALL_INFLATED:
                self._looked_twice(id, partial(self._check_small, found.size), deadline)
            else:
                self._check_end(id, found.size, deadline)
            found = found._replace(checked=True)
        except Unfit as e:
            found = Measure(found.size, e.name, True)
        return self.note(id, found)

    def note(self, id: ObjectId, found: Measure) -> Measure:
        """Remember what was found."""
        name = digest(id)
        with self._lock:
            self._known[name] = found
        number = unfit.number_of(found.unfit) if found.unfit else 0
        self._blobs.keep_note(name, _NOTE.pack(found.size, number, found.checked))
        return found

    def head(self, id: ObjectId) -> bytes:
        """The first stored bytes, as far as they are here."""
        return self._heads.get(digest(id))

    def forget_head(self, id: ObjectId) -> None:
        """Those may have been damaged on their way."""
        self._heads.put(digest(id), b"")

    def _looked_twice(self, id: ObjectId, look: Callable[[ObjectId, Deadline], T], deadline: Deadline) -> T:
        """What a look tells; one more where it finds the file unfit: bytes may have been damaged on their way, which
        looks like anything, and what is said of a version is remembered. Raises Unfit, StoreError."""
        with suppress(Unfit):
            return look(id, deadline)
        self.forget_head(id)
        return look(id, deadline)

    def _measured(self, id: ObjectId, deadline: Deadline) -> Measure:
        """What its first bytes tell. Raises Unfit, StoreError."""
        head = self._head(id, min(HEAD, id.size), deadline)
        size = self._size_of(id, head)
        if len(head) < id.size or size > SMALL_INFLATED:
            return Measure(size)
        inflated_size(head, size)
        return Measure(size, checked=True)

    def _check_small(self, size: int, id: ObjectId, deadline: Deadline) -> None:
        """Whether all of it comes to its size. Raises Unfit, StoreError."""
        inflated_size(self._head(id, id.size, deadline), size)

    def _head(self, id: ObjectId, count: int, deadline: Deadline) -> bytes:
        """The first `count` stored bytes."""
        name = digest(id)
        head = self._heads.get(name)
        if len(head) < count:
            head += fetched(self._store, id, len(head), count, deadline)
            self._heads.put(name, head)
        return head

    def _size_of(self, id: ObjectId, head: bytes) -> int:
        if id.size < LEAST_MEMBER or head[:2] != b"\x1f\x8b":
            raise Unfit("gzip")
        form = self._format_of(id.key)
        size = form.size_of(_beginning(head, form.head_bytes))
        if size > id.size * MOST_INFLATED:
            raise Unfit("size")
        return size

    def _check_end(self, id: ObjectId, size: int, deadline: Deadline) -> None:
        """Whether its end fits the size. Raises Unfit, StoreError."""
        if not self._looked_twice(id, partial(self._is_end_of, size), deadline):
            self._inflate_all(id, size, deadline)

    def _is_end_of(self, size: int, id: ObjectId, deadline: Deadline) -> bool:
        """Whether its end says so; False where it may yet be. Raises Unfit, StoreError."""
        start = max(0, id.size - TAIL)
        tail = bytes(fetched(self._store, id, start, id.size, deadline))
        stated = struct.pack("<I", size & 0xFFFF_FFFF)
        at = tail.rfind(stated)
        if at >= 0 and not tail[at + 4 :].strip(b"\0"):
            return True
        ends = range(max(4, len(tail.rstrip(b"\0"))), len(tail) + 1)[:4]  # zeros may be part of the number
        if size < 1 << 32 and all(struct.unpack_from("<I", tail, end - 4)[0] > size for end in ends):
            raise Unfit("size")  # no member holds so much
        return False


def _beginning(head: bytes, count: int) -> bytes:
    """The first `count` inflated bytes, of as many members as it takes. Raises Unfit."""
    begins = b""
    while len(begins) < count and head[:2] == b"\x1f\x8b":
        z = zlib.decompressobj(31)
        try:
            begins += z.decompress(head, count - len(begins))
        except zlib.error:
            raise Unfit("damaged") from None
        head = z.unused_data
    return begins


def inflated_size(whole: bytes, size: int) -> None:
    """Inflate a file as `gzip -d` does. Raises Unfit where it does not come to `size` bytes."""
    left, total = whole, 0
    while left:
        if left[:2] != b"\x1f\x8b":
            if left.strip(b"\0"):
                raise Unfit("trailing" if total else "gzip")
            break
        z = zlib.decompressobj(31)
        try:
            while not z.eof:
                part = z.decompress(left, 1 << 20)
                if not (part or left or z.eof):
                    raise Unfit("truncated")
                left, total = z.unconsumed_tail, total + len(part)
                if total > size:
                    raise Unfit("size")
            left = z.unused_data
        except zlib.error:
            raise Unfit("damaged") from None
    if total != size:
        raise Unfit("size")


def refused(store: Store, key: str, name: str) -> StoreError:
    """The error of a file that cannot be shown inflated."""
    return Unviewable(f"{store.url}: {key!r} cannot be shown inflated: {REASONS[name]}", why=REASONS[name])


def _measure_of(note: bytes) -> Measure | None:
    if len(note) != _NOTE.size:
        return None
    size, number, checked = _NOTE.unpack(note)
    name = unfit.name_of(number) if number else ""
    return None if name is None or size < -1 or (size < 0 and not name) else Measure(size, name, bool(checked))
