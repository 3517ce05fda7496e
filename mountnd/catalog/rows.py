"""Sorted names with their stats in one `bytes`: some 45 bytes a name beside the name itself.

Layout, little-endian: `count` rows of 24 bytes (size, mtime, where its text begins in the text area,
length of the ETag part, kind of that part, storage class), then the text area: for each row its name
followed by its ETag part. Directories have a "/" at the end of the name. Rows are sorted by these
bytes, which is the order S3 lists in.
"""

from __future__ import annotations

import struct
from bisect import bisect_left
from collections.abc import Iterable, Iterator

from ..stores.base import ObjectId, ObjectStat
from .entry import Entry

_ROW = struct.Struct("<QqIHBB")
_START = struct.Struct("<I")
_START_AT = 16
_HEX = frozenset("0123456789abcdef")

# Kinds of the ETag part: none (a directory), 16 bytes of an MD5, the same and a count of parts, or
# ETag, version and storage class spelled out with NULs between.
_DIR, _MD5, _PARTS, _TEXT = range(4)

# S3's storage classes, by their index here; others are spelled out. Append only: files on disk hold the index.
_CLASSES = (
    "",
    "STANDARD",
    "STANDARD_IA",
    "ONEZONE_IA",
    "INTELLIGENT_TIERING",
    "GLACIER",
    "GLACIER_IR",
    "DEEP_ARCHIVE",
    "REDUCED_REDUNDANCY",
    "OUTPOSTS",
    "EXPRESS_ONEZONE",
    "SNOW",
)
_CLASS_NUMBER = {name: number for number, name in enumerate(_CLASSES)}

Packed = tuple[bytes, int, int, bytes, int, int]  # name, size, mtime_ns, ETag part, its kind, class


class Rows:
    """An immutable sorted table of names. Make it with `pack`."""

    __slots__ = ("blob", "count")

    def __init__(self, blob: bytes, count: int) -> None:
        self.blob, self.count = blob, count

    def name(self, i: int) -> bytes:
        """Row `i`'s name, with a "/" behind a directory's."""
        start, stop = self._text(i)
        return self.blob[start : stop - int.from_bytes(self.blob[i * 24 + 20 : i * 24 + 22], "little")]

    def find(self, name: bytes) -> int | None:
        """Index of the row named exactly so, or None."""
        i = self.at(name)
        return i if i < self.count and self.name(i) == name else None

    def at(self, name: bytes) -> int:
        """Index of the first row not below `name`."""
        return bisect_left(range(self.count), name, key=self.name)

    def entry(self, i: int, prefix: str, source: str) -> Entry:
        """Row `i` of the directory whose key prefix is `prefix`."""
        return _entry(self._unpack(i), prefix, source)

    def entries(self, prefix: str, source: str, start: int = 0) -> Iterator[Entry]:
        """The rows from `start` on, a little quicker than one by one."""
        return (_entry(row, prefix, source) for row in self.packed(start))

    def packed(self, start: int = 0) -> Iterator[Packed]:
        """The rows from `start` on in the form `pack` takes."""
        blob, base = self.blob, self.count * 24
        for first in range(start, self.count, 1000):
            rows = list(_ROW.iter_unpack(blob[first * 24 : min(first + 1000, self.count) * 24]))
            stops = [row[2] for row in rows[1:]]
            stops.append(self._text(first + len(rows) - 1)[1] - base)
            for (size, mtime, begin, length, kind, number), stop in zip(rows, stops, strict=True):
                cut = base + stop - length
                yield blob[base + begin : cut], size, mtime, blob[cut : base + stop], kind, number

    def _text(self, i: int) -> tuple[int, int]:
        base = self.count * 24
        start = _START.unpack_from(self.blob, i * 24 + _START_AT)[0]
        if i + 1 == self.count:
            return base + start, len(self.blob)
        return base + start, base + _START.unpack_from(self.blob, i * 24 + 24 + _START_AT)[0]

    def _unpack(self, i: int) -> Packed:
        size, mtime, start, length, kind, number = _ROW.unpack_from(self.blob, i * 24)
        start, stop = self._text(i)
        cut = stop - length
        return self.blob[start:cut], size, mtime, self.blob[cut:stop], kind, number


def _entry(row: Packed, prefix: str, source: str) -> Entry:
    name, size, mtime, part, kind, number = row
    key = prefix + name.decode("utf-8", "surrogateescape")
    if kind == _DIR:
        return Entry(name[:-1], key, True, None)
    version, storage = "", _CLASSES[number]
    if kind == _MD5:
        etag = f'"{part.hex()}"'
    elif kind == _PARTS:
        etag = f'"{part[:16].hex()}-{int.from_bytes(part[16:], "little")}"'
    else:
        etag, version, storage = part.decode("utf-8", "surrogatepass").split("\0")
    return Entry(name, key, False, ObjectStat(ObjectId(source, key, etag, version), size, mtime, storage))


def pack(rows: Iterable[Packed]) -> Rows:
    """A table of `rows`, which come sorted by name."""
    table, text = bytearray(), bytearray()
    count = 0
    for name, size, mtime, part, kind, number in rows:
        table += _ROW.pack(size, mtime, len(text), len(part), kind, number)
        text += name
        text += part
        count += 1
    return Rows(bytes(table + text), count)


def packed(name: bytes, stat: ObjectStat | None) -> Packed:
    """One row: a file with its stat, or (None) a directory, whose name then ends in "/"."""
    if stat is None:
        return name, 0, 0, b"", _DIR, 0
    etag, version = stat.id.etag, stat.id.version
    number = _CLASS_NUMBER.get(stat.storage_class)
    if number is not None and not version and etag[:1] == '"' == etag[-1:] and len(etag) >= 34:
        digits, dash, parts = etag[1:-1].partition("-")
        if len(digits) == 32 and _HEX.issuperset(digits):
            if not dash:
                return name, stat.size, stat.mtime_ns, bytes.fromhex(digits), _MD5, number
            if parts.isascii() and parts.isdigit() and parts == str(int(parts)) and int(parts) < 1 << 32:
                part = bytes.fromhex(digits) + int(parts).to_bytes(4, "little")
                return name, stat.size, stat.mtime_ns, part, _PARTS, number
    text = "\0".join((etag, version, stat.storage_class)).encode("utf-8", "surrogatepass")
    return name, stat.size, stat.mtime_ns, text, _TEXT, 0


EMPTY = Rows(b"", 0)
