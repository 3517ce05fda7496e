"""One pack of a directory: opened and read, or made. Methods raise OSError; InvalidPack for what is none.

Names are paths below the cache's directory: `packs/NAME`.
"""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import NamedTuple

from ....private_directory import PrivateDirectory
from ... import geometry
from ..chunk_file import ChunkIdentity, InvalidChunk
from ..place import CacheDirectory
from .format import (
    END,
    FOLDER,
    MOST_RECORDS,
    PACKED,
    Entries,
    InvalidPack,
    Place,
    Record,
    decode_head,
    decode_index,
    decode_record,
    entries_of,
    index_size,
    key_of,
)

# Read at once of the end of a pack: the whole index of one with some 4,000 records.
_TAIL = 64 << 10
# Read of a record to see what it is of: most keys are shorter.
_HEAD = 1 << 10
_BUFFER = 1 << 20


class Pack(NamedTuple):
    """A pack that is known: its name, its bytes, its index, and its permission bits."""

    name: str
    bytes: int
    entries: Entries
    mode: int


class Head(NamedTuple):
    """What a record says it is, unchecked: the object, its block, bytes of that, and of the record."""

    identity: ChunkIdentity
    block: int
    data: int
    length: int


class PackFile:
    """An open pack."""

    def __init__(self, fd: int, name: str) -> None:
        self._fd, self.name = fd, name

    def __del__(self, close: Callable[[int], None] = os.close) -> None:  # bound: at exit `os` may be gone
        close(self._fd)

    @classmethod
    def open(cls, name: str, within: CacheDirectory | PrivateDirectory) -> PackFile:
        """The pack of this name. Raises Untrusted where everybody could have written it."""
        return cls(within.open_file(name), name)

    @property
    def is_linked(self) -> bool:
        """Whether it is still there: it may be merged or evicted, and then be empty."""
        try:
            return os.fstat(self._fd).st_nlink > 0
        except OSError as e:
            if e.errno == errno.ESTALE:  # as NFS says it
                return False
            raise

    @property
    def used(self) -> float:
        """When it was last used, seconds since the epoch."""
        return os.fstat(self._fd).st_mtime

    @property
    def mode(self) -> int:
        """Its permission bits: who may read what it holds."""
        return os.fstat(self._fd).st_mode & 0o777

    def look(self) -> Pack:
        """Read its index."""
        size = os.fstat(self._fd).st_size
        tail = os.pread(self._fd, min(_TAIL, size), max(0, size - _TAIL))
        n = index_size(tail[-END:])
        if n > size:
            raise InvalidPack("cut")
        raw = tail[-n:] if n <= len(tail) else os.pread(self._fd, n, size - n)
        return Pack(self.name, size, decode_index(raw, size), self.mode)

    def record(self, place: Place) -> Record:
        """A record that its checksum vouches for. Whose it is must be looked at."""
        return decode_record(os.pread(self._fd, place.length, place.offset))

    def head(self, place: Place) -> tuple[bytes, int, int] | None:
        """As `decode_head`, of a record."""
        raw = os.pread(self._fd, min(place.length, _HEAD), place.offset)
        told = decode_head(raw, place.length)
        if told is None and place.length > _HEAD:
            told = decode_head(os.pread(self._fd, place.length, place.offset), place.length)
        return told

    def heads(self) -> Iterator[Head]:
        """What its records say they are, unchecked, but for those that cannot be so."""
        for _, place in self.look().entries.places():
            told = self.head(place) if place is not None else None
            if told is None:
                continue
            raw, block, data = told
            with suppress(InvalidChunk):
                identity = ChunkIdentity.decode(raw)
                if data == geometry.block_size(block, identity.size) > 0:
                    yield Head(identity, block, data, place.length if place is not None else 0)

    def records(self) -> Iterator[tuple[int, bytes, ChunkIdentity] | None]:
        """All records, whole: key, bytes, and what they are of; None for each that is damaged."""
        for key, place in self.look().entries.places():
            yield self._checked(key, place) if place is not None else None

    def _checked(self, key: int, place: Place) -> tuple[int, bytes, ChunkIdentity] | None:
        raw = os.pread(self._fd, place.length, place.offset)
        try:
            record = decode_record(raw)
            identity = ChunkIdentity.decode(record.identity)
        except (InvalidPack, InvalidChunk):
            return None
        whole = len(record.data) == geometry.block_size(record.block, identity.size) > 0
        ours = identity.size <= PACKED and identity.encode() == record.identity
        return (key, raw, identity) if whole and ours and key == key_of(record.identity, record.block) else None


class NewPack:
    """A pack that is being made, in a directory that has a folder for packs. Call `publish` or `discard`.

    Args:
        now: seconds since the epoch by the file system's clock.
        mode: its permission bits; None: as files have them that are made there.
    """

    def __init__(self, root: PrivateDirectory, now: float, mode: int | None = None) -> None:
        self._root = root
        seconds = min(max(0, int(now)), (1 << 40) - 1)
        self.name = f"{FOLDER}/{seconds:010x}-{secrets.token_hex(8)}.pack"
        self._temporary = f"{self.name}.new"
        self._file = os.fdopen(root.create(self._temporary), "wb", buffering=_BUFFER)
        self._lengths: list[tuple[int, int]] = []
        self.bytes = 0
        if mode is not None:
            try:
                os.fchmod(self._file.fileno(), mode)
            except BaseException:
                self.discard()
                raise

    def __len__(self) -> int:
        return len(self._lengths)

    @property
    def is_full(self) -> bool:
        """Whether it has as many records as a pack may have."""
        return len(self) >= MOST_RECORDS

    def add(self, key: int, record: bytes) -> None:
        """Another record."""
        self._file.write(record)
        self._lengths.append((key, len(record)))
        self.bytes += len(record)

    def publish(self, used: float | None = None) -> Pack:
        """Give it its name: others find it, whole. `used`: when that was last used which it holds; then it is on its
        disk before it has its name, as something goes for it."""
        try:
            entries = entries_of(self._lengths)
            raw = entries.encode()
            self._file.write(raw)
            self._file.flush()
            if used is not None:
                os.fsync(self._file.fileno())
                os.utime(self._file.fileno(), (used, used))
            mode = os.fstat(self._file.fileno()).st_mode & 0o777
            self._file.close()  # before the name: what was closed on one node is seen by whoever opens it on another
            self._root.rename(self._temporary, self.name)
        except BaseException:
            self.discard()
            raise
        return Pack(self.name, self.bytes + len(raw), entries, mode)

    def discard(self) -> None:
        """Leave nothing of it. Never raises."""
        with suppress(OSError):
            self._file.close()
        self._root.remove(self._temporary)
