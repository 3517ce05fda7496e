"""Listings in a file: written once, never changed, read by position. Works the same on a local disk, NFS and Lustre.

Layout, little-endian: the magic; records, one a directory; an index of 40 bytes a record (hash of the
key prefix, position, wall time of the listing, order of its writing, length, CRC-32 of the record),
sorted; a JSON list of [prefix, wall time] for what was invalidated; and a footer (where the index
begins, records, length of the JSON, CRC-32 of index and JSON, the magic again). A file that was cut
short has no footer. An empty record says that what was written before of a directory is invalid.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
import struct
import sys
import zlib
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from ...private_directory import PrivateDirectory
from ...stores.base import ObjectId, ObjectStat
from ..model.keys import Hidden
from ..model.listing import Listing
from ..model.table import Table

SUFFIX = ".names"
# The names of these files, from whose stamps their age is read; and of what is being written, or was left so.
NAME = re.compile(r"(\d{20})-[0-9a-f]{8}\.names")
TEMPORARY = re.compile(r"\.(\d{20}-[0-9a-f]{8}|[a-z.]+\.[0-9a-f]{8})\.tmp")
# No clock shows a time from here on (the year 33658): such a number is no time, and nothing could come after it.
_LAST = 1e12
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
    """One directory as it goes into a file.

    Args:
        at: when it was listed, seconds since the epoch; what has no believable time has 0 or less.
        written: when it was kept, likewise; but more than that of all that was there, whatever the clock says. Of
            several records of one directory the one with the greatest is the latest.
    """

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
    """An open file, closed when nobody holds it any more. Thread-safe. Raises DamagedSegment and OSError.

    Args:
        most: bytes that it may have; None: any number.

    Attributes:
        name: its name in its directory.
        size: bytes.
        count: records.
        invalidations: what it says was invalidated.
        latest: the latest wall time that it tells of; written: the latest of its records. -inf where there are none.
    """

    def __init__(self, directory: PrivateDirectory, name: str, most: int | None = None) -> None:
        self.name = name
        self._fd = directory.open_file(name)
        try:
            self.size = os.fstat(self._fd).st_size
            if most is not None and self.size > most:
                raise DamagedSegment(f"it is larger than it may be: {self.size} bytes")
            foot = os.pread(self._fd, _FOOT.size, max(0, self.size - _FOOT.size))
            if len(foot) != _FOOT.size or not foot.endswith(_MAGIC):
                raise DamagedSegment("it is not whole")
            start, self.count, note_bytes, crc, _ = _FOOT.unpack(foot)
            # Before so many bytes are asked for: they may be more than there is memory.
            if len(_MAGIC) > start or start + self.count * _ROW.size + note_bytes + _FOOT.size != self.size:
                raise DamagedSegment("its lengths are wrong")
            tail = os.pread(self._fd, self.count * _ROW.size + note_bytes, start)
            if zlib.crc32(tail) != crc:
                raise DamagedSegment("its index is damaged")
            self._start, self._index = start, tail[: self.count * _ROW.size]
            self.latest = self.written = float("-inf")
            keys = []
            for key, _, at, written, *_ in _ROW.iter_unpack(self._index):
                keys.append(key)
                if self.latest < at < _LAST:
                    self.latest = at
                if not written <= self.written:
                    self.written = written
            # As numbers, which a search compares without a call for each.
            self._hashes = array("Q", b"".join(keys))
            if sys.byteorder == "little":
                self._hashes.byteswap()
            if not self.written < _LAST:
                raise DamagedSegment("its times are impossible")
            self.invalidations: list[Invalidation] = [
                (_text(prefix), float(at)) for prefix, at in json.loads(tail[self.count * _ROW.size :])
            ]
            self.latest = max([self.latest, *(at for _, at in self.invalidations if at < _LAST)])
        except (ValueError, TypeError, OverflowError, RecursionError) as e:
            raise DamagedSegment(f"its index is damaged: {e}") from e

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
        if row.start + row.length > self._start:
            raise DamagedSegment("a record's place is wrong")
        record = os.pread(self._fd, row.length, row.start)
        if zlib.crc32(record) != row.crc:
            raise DamagedSegment("a record is damaged")
        return record


def write(directory: PrivateDirectory, records: Iterable[Record], invalidations: list[Invalidation], stamp: int) -> str:
    """A new segment of records in any order; it appears whole under its name, which is returned, or not at all.

    `stamp` comes first in the name, so that names sort by age. Raises OSError.
    """
    stem = f"{stamp:020}-{secrets.token_hex(4)}"
    hidden, name = f".{stem}.tmp", stem + SUFFIX
    fd = directory.create(hidden)
    try:
        with os.fdopen(fd, "wb") as file:
            file.write(_MAGIC)
            index = bytearray()
            last: bytes | None = b""  # None: they do not come sorted
            start = len(_MAGIC)  # counted, since a tell() for each asks the system
            for key, at, written, data in records:
                index += _ROW.pack(key, start, at, written, len(data), zlib.crc32(data))
                file.write(data)
                start += len(data)
                last = key if last is not None and key > last else None
            if last is None:
                index = _sorted(index)
            note = json.dumps([[_bytes(prefix), at] for prefix, at in invalidations]).encode()
            file.write(index)
            file.write(note)
            crc = zlib.crc32(note, zlib.crc32(index))
            file.write(_FOOT.pack(start, len(index) // _ROW.size, len(note), crc, _MAGIC))
        directory.rename(hidden, name)
    except BaseException:
        directory.remove(hidden)
        raise
    return name


def _sorted(index: bytearray) -> bytearray:
    """The rows of an index by their hashes, of each the last."""
    rows = {bytes(index[at : at + 8]): index[at : at + _ROW.size] for at in range(0, len(index), _ROW.size)}
    return bytearray().join(rows[key] for key in sorted(rows))


def prefix_hash(prefix: str) -> bytes:
    """Eight bytes for a key prefix."""
    return hashlib.blake2b(prefix.encode("utf-8", "surrogatepass"), digest_size=8).digest()


def encode(prefix: str, listing: Listing) -> bytes:
    """A record of a directory's listing."""
    if listing.hidden or listing.more_hidden or listing.marker is not None:
        head = _report(prefix, listing)
    else:  # what `_report` makes of it, as most listings have nothing to report
        head = b"".join((_BEFORE, _bytes(prefix).encode(), _BEHIND))
    parts = [_HEAD.pack(len(head), len(listing.tables), 0), head]
    for table in listing.tables:
        parts += [_TABLE.pack(table.count, len(table.blob)), table.blob]
    return b"".join(parts)


def _report(prefix: str, listing: Listing) -> bytes:
    """The head of a record."""
    marker = listing.marker
    about = {
        "prefix": _bytes(prefix),
        "hidden": [[_bytes(key), reason] for key, reason in listing.hidden],
        "more": listing.more_hidden,
        "marker": None
        if marker is None
        else [marker.id.etag, marker.id.version, marker.size, marker.mtime_ns, marker.storage_class],
    }
    return json.dumps(about).encode()


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
        raise DamagedSegment(f"a record is damaged: {e}") from None


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
