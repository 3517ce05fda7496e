"""Listings in a file: written once, never changed, read by position. Works the same on a local disk, NFS and Lustre.

Layout, little-endian: the magic; records, one a directory; an index of 40 bytes a record (hash of the
key prefix, position, wall times of the listing and of its writing, length, CRC-32 of the record),
sorted; a JSON list of [prefix, wall time] for what was invalidated; and a footer (where the index
begins, records, length of the JSON, CRC-32 of index and JSON, the magic again). A file that was cut
short has no footer. An empty record says that what was written before of a directory is invalid.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import struct
import sys
import zlib
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from ...stores.base import ObjectId, ObjectStat
from ..model.keys import Hidden
from ..model.listing import Listing
from ..model.table import Table

SUFFIX = ".names"
_MAGIC = b"mntname1"
_ROW = struct.Struct("<8sQddII")
_FOOT = struct.Struct("<QIII8s")
_HEAD = struct.Struct("<III")
_TABLE = struct.Struct("<II")
# What `encode` puts around the prefix of a listing with nothing to report.
_BEFORE, _BEHIND = b'{"prefix": "', b'", "hidden": [], "more": 0, "marker": null}'


# A key prefix, and the wall time up to which what was listed at or below it is invalid.
Invalidation = tuple[str, float]


class DamagedSegment(Exception):
    """The file is not one of these, or not whole."""


class Record(NamedTuple):
    """One directory as it goes into a file. `at`, `written`: when it was listed and kept, seconds since the epoch."""

    hash: bytes
    at: float
    written: float
    data: bytes


class IndexRow(NamedTuple):
    """Where a record is, of `length` bytes from `start` on; the rest as in `Record`."""

    hash: bytes
    start: int
    at: float
    written: float
    length: int
    crc: int


class Segment:
    """An open file, closed when nobody holds it any more. Thread-safe. Raises DamagedSegment and OSError."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            self.size = os.fstat(self._fd).st_size
            foot = os.pread(self._fd, _FOOT.size, max(0, self.size - _FOOT.size))
            if len(foot) != _FOOT.size or not foot.endswith(_MAGIC):
                raise DamagedSegment(path)
            start, self.count, note_bytes, crc, _ = _FOOT.unpack(foot)
            if start + self.count * _ROW.size + note_bytes != self.size - _FOOT.size:
                raise DamagedSegment(path)
            tail = os.pread(self._fd, self.count * _ROW.size + note_bytes, start)
            if zlib.crc32(tail) != crc:
                raise DamagedSegment(path)
            self._index = tail[: self.count * _ROW.size]
            # As numbers, which a search compares without a call for each.
            self._hashes = array("Q", b"".join(key for key, *_ in _ROW.iter_unpack(self._index)))
            if sys.byteorder == "little":
                self._hashes.byteswap()
            self.invalidations: list[Invalidation] = [
                (_text(prefix), float(at)) for prefix, at in json.loads(tail[self.count * _ROW.size :])
            ]
        except (ValueError, TypeError, OverflowError, RecursionError) as e:
            raise DamagedSegment(path) from e

    def __del__(self) -> None:
        # Not sooner: another thread may be reading, and the number would go to another file.
        if (fd := getattr(self, "_fd", -1)) >= 0:
            os.close(fd)

    def find(self, key: bytes) -> IndexRow | None:
        """Where the listing of a key prefix with this hash is, if it is here (a hash may deceive: `read` tells)."""
        wanted = int.from_bytes(key)
        i = bisect_left(self._hashes, wanted)
        return self.row(i) if i < self.count and self._hashes[i] == wanted else None

    def row(self, i: int) -> IndexRow:
        """The `i`-th row of the index."""
        return IndexRow(*_ROW.unpack_from(self._index, i * _ROW.size))

    def rows(self) -> Iterator[IndexRow]:
        """The index."""
        return (self.row(i) for i in range(self.count))

    def read(self, row: IndexRow) -> bytes:
        """A record."""
        if row.start + row.length > self.size:
            raise DamagedSegment(self.path)
        record = os.pread(self._fd, row.length, row.start)
        if zlib.crc32(record) != row.crc:
            raise DamagedSegment(self.path)
        return record


def write(directory: Path, records: Iterable[Record], invalidations: list[Invalidation], stamp: int) -> Path:
    """A new segment of records in any order; it appears whole under its name, or not at all.

    `stamp` comes first in the name, so that names sort by age. Raises OSError.
    """
    name = f"{stamp:020}-{secrets.token_hex(4)}"
    hidden = directory / f".{name}.tmp"
    try:
        with hidden.open("xb") as file:
            file.write(_MAGIC)
            index: dict[bytes, bytes] = {}
            for key, at, written, data in records:
                index[key] = _ROW.pack(key, file.tell(), at, written, len(data), zlib.crc32(data))
                file.write(data)
            start = file.tell()
            note = json.dumps([[_bytes(prefix), at] for prefix, at in invalidations]).encode()
            tail = b"".join(index[key] for key in sorted(index)) + note
            file.write(tail)
            file.write(_FOOT.pack(start, len(index), len(note), zlib.crc32(tail), _MAGIC))
        path = directory / (name + SUFFIX)
        os.replace(hidden, path)
    except BaseException:
        hidden.unlink(missing_ok=True)
        raise
    return path


def prefix_hash(prefix: str) -> bytes:
    """Eight bytes for a key prefix."""
    return hashlib.blake2b(prefix.encode("utf-8", "surrogatepass"), digest_size=8).digest()


def encode(prefix: str, listing: Listing) -> bytes:
    """A record of a directory's listing."""
    marker = listing.marker
    about = {
        "prefix": _bytes(prefix),
        "hidden": [[_bytes(key), reason] for key, reason in listing.hidden],
        "more": listing.more_hidden,
        "marker": None
        if marker is None
        else [marker.id.etag, marker.id.version, marker.size, marker.mtime_ns, marker.storage_class],
    }
    head = json.dumps(about).encode()
    parts = [_HEAD.pack(len(head), len(listing.tables), 0), head]
    for table in listing.tables:
        parts += [_TABLE.pack(table.count, len(table.blob)), table.blob]
    return b"".join(parts)


def decode(record: bytes, source: str, at: float) -> tuple[str, Listing]:
    """(key prefix, listing) of a record; `at` is what the listing shall say. Raises DamagedSegment."""
    try:
        length, count, _ = _HEAD.unpack_from(record)
        head = record[_HEAD.size : _HEAD.size + length]
        about = _plain(head) or json.loads(head)
        prefix = _text(about["prefix"])
        place, tables = _HEAD.size + length, []
        for _ in range(count):
            names, size = _TABLE.unpack_from(record, place)
            place += _TABLE.size
            tables.append(Table(record[place : place + size], names))
            place += size
        marker = None
        if about["marker"] is not None:
            etag, version, size, mtime, storage = about["marker"]
            marker = ObjectStat(ObjectId(source, prefix, etag, version, size), size, mtime, storage)
        hidden = [Hidden(_text(key), reason) for key, reason in about["hidden"]]
        return prefix, Listing(tables, hidden, marker, at, about["more"])
    except (struct.error, ValueError, KeyError, TypeError, AttributeError, RecursionError) as e:
        raise DamagedSegment(str(e)) from None


def _plain(head: bytes) -> dict[str, Any] | None:
    """What `json.loads` makes of the head of a listing with nothing to report, as most are, sooner."""
    if head.startswith(_BEFORE) and head.endswith(_BEHIND):
        return {"prefix": head[len(_BEFORE) : -len(_BEHIND)].decode(), "hidden": (), "more": 0, "marker": None}
    return None


def _bytes(key: str) -> str:
    """A key as JSON can hold it."""
    return key.encode("utf-8", "surrogatepass").hex()


def _text(key: str) -> str:
    return bytes.fromhex(key).decode("utf-8", "surrogatepass")
