"""Sorted names with their stats in one `bytes`: some 45 bytes a name beside the name itself.

Layout, little-endian: `count` rows of 24 bytes (size, mtime, where its text begins in the text area,
length of the ETag part, kind of that part, storage class), then the text area: for each row its name
followed by its ETag part. Directories have a "/" at the end of the name. Rows are sorted by these
bytes, which is the order S3 lists in.
"""

from __future__ import annotations

import re
import struct
from bisect import bisect_left
from collections.abc import Iterable, Iterator

from ...stores.base import ObjectId, ObjectStat
from .entry import Entry

_ROW = struct.Struct("<QqIHBB")
_START, _TEXT_SPAN = struct.Struct("<I"), struct.Struct("<IH")
_SIZE = struct.Struct("<Q16x")
_TEXT_OF_ROW = struct.Struct("<16xIHxx")
_START_AT = 16

# How many parts an upload had, spelled as a number of 32 bits spells it again.
_PART_COUNT = re.compile("[1-9][0-9]{0,8}|0")

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

Row = tuple[bytes, int, int, bytes, int, int]  # name, size, mtime_ns, ETag part, its kind, class

BriefRow = tuple[bytes, int, int, bool]  # name with a directory's "/", size, mtime_ns, whether it is a directory


class Table:
    """An immutable sorted table of names. Make it with `tabulate` or `pack`."""

    __slots__ = ("blob", "count")

    def __init__(self, blob: bytes, count: int) -> None:
        self.blob, self.count = blob, count

    def name(self, i: int) -> bytes:
        """Row `i`'s name, with a "/" behind a directory's."""
        # Searches are made of this, so nothing is called that need not be.
        blob, base = self.blob, self.count * 24
        start, length = _TEXT_SPAN.unpack_from(blob, i * 24 + _START_AT)
        if i + 1 == self.count:
            return blob[base + start : len(blob) - length]
        return blob[base + start : base + _START.unpack_from(blob, i * 24 + 24 + _START_AT)[0] - length]

    @property
    def file_bytes(self) -> int:
        """The sizes of all files, together."""
        return sum(size for (size,) in _SIZE.iter_unpack(memoryview(self.blob)[: self.count * 24]))

    def find(self, name: bytes, first: int = 0) -> int | None:
        """Index of the row named exactly so, not before `first`; or None."""
        i = self.first_at_or_after(name, first)
        return i if i < self.count and self.name(i) == name else None

    def first_at_or_after(self, name: bytes, first: int = 0) -> int:
        """Index of the first row not below `name`, from `first` on."""
        if first < self.count and self.name(first) >= name:
            return first  # where a look-up that found no file goes on to find a directory
        return bisect_left(range(self.count), name, first, key=self.name)

    def find_shown(self, name: bytes) -> int | None:
        """Index of the row that a program sees as `name`, a file's or a directory's; or None."""
        i = self.first_at_or_after(name)
        return i if i < self.count and self.name(i) == name else self.find(name + b"/", i)

    def entry(self, i: int, prefix: str, source: str) -> Entry:
        """Row `i` of the directory whose key prefix is `prefix`."""
        return _entry(self._unpack(i), prefix, source)

    def entries(self, prefix: str, source: str, start: int = 0) -> Iterator[Entry]:
        """The rows from `start` on, faster than one by one."""
        return (_entry(row, prefix, source) for row in self.rows(start))

    def names(self, start: int = 0) -> Iterator[bytes]:
        """The names of the rows from `start` on, with a "/" behind a directory's: a third of the time of `rows`."""
        blob, base = self.blob, self.count * 24
        spans = _TEXT_OF_ROW.iter_unpack(memoryview(blob)[start * 24 : base])
        begin, length = next(spans, (0, -1))
        for following, its_length in spans:
            yield blob[base + begin : base + following - length]
            begin, length = following, its_length
        if length >= 0:
            yield blob[base + begin : len(blob) - length]

    def brief_rows(self, start: int = 0) -> Iterator[BriefRow]:
        """The rows from `start` on with what a directory shows: no ETags, no keys, a third of the time."""
        return ((name, size, mtime, kind == _DIR) for name, size, mtime, _, kind, _ in self.rows(start))

    def brief_row(self, i: int) -> BriefRow:
        """Row `i` of these."""
        name, size, mtime, _, kind, _ = self._unpack(i)
        return name, size, mtime, kind == _DIR

    def rows(self, start: int = 0) -> Iterator[Row]:
        """The rows from `start` on in the form `pack` takes."""
        blob, base = self.blob, self.count * 24
        few = min(start + 32, self.count)  # who looks at some of them must not wait for a thousand
        for first, last in [(start, few), *((n, min(n + 1000, self.count)) for n in range(few, self.count, 1000))]:
            rows = list(_ROW.iter_unpack(blob[first * 24 : last * 24]))
            if not rows:
                return
            stops = [row[2] for row in rows[1:]]
            stops.append(self._text_span(first + len(rows) - 1)[1] - base)
            for (size, mtime, begin, length, kind, number), stop in zip(rows, stops, strict=True):
                cut = base + stop - length
                yield blob[base + begin : cut], size, mtime, blob[cut : base + stop], kind, number

    def _text_span(self, i: int) -> tuple[int, int]:
        base = self.count * 24
        start = _START.unpack_from(self.blob, i * 24 + _START_AT)[0]
        if i + 1 == self.count:
            return base + start, len(self.blob)
        return base + start, base + _START.unpack_from(self.blob, i * 24 + 24 + _START_AT)[0]

    def _unpack(self, i: int) -> Row:
        size, mtime, start, length, kind, number = _ROW.unpack_from(self.blob, i * 24)
        start, stop = self._text_span(i)
        cut = stop - length
        return self.blob[start:cut], size, mtime, self.blob[cut:stop], kind, number


def _entry(row: Row, prefix: str, source: str) -> Entry:
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
    return Entry(name, key, False, ObjectStat(ObjectId(source, key, etag, version, size), size, mtime, storage))


def pack(rows: Iterable[Row]) -> Table:
    """A table of `rows`, which come sorted by name."""
    table, text = bytearray(), bytearray()
    count = 0
    for name, size, mtime, part, kind, number in rows:
        table += _ROW.pack(size, mtime, len(text), len(part), kind, number)
        text += name
        text += part
        count += 1
    return Table(bytes(table + text), count)


def tabulate(rows: Iterable[tuple[bytes, ObjectStat | None]]) -> Table:
    """A table of (name, stat), which come sorted by name; see `pack_row`."""
    return pack(pack_row(*row) for row in rows)


def pack_row(name: bytes, stat: ObjectStat | None) -> Row:
    """One row: a file with its stat, or (None) a directory, whose name then ends in "/"."""
    if stat is None:
        return name, 0, 0, b"", _DIR, 0
    (_, _, etag, version, _), size, mtime, storage = stat
    number = _CLASS_NUMBER.get(storage)
    if number is not None and not version and len(etag) >= 34:
        try:
            md5 = bytes.fromhex(etag[1:33])
        except ValueError:
            md5 = b""
        digits = md5.hex()
        if etag == f'"{digits}"':
            return name, size, mtime, md5, _MD5, number
        parts = etag[34:-1]
        if digits and etag == f'"{digits}-{parts}"' and _PART_COUNT.fullmatch(parts):
            return name, size, mtime, md5 + int(parts).to_bytes(4, "little"), _PARTS, number
    text = "\0".join((etag, version, storage)).encode("utf-8", "surrogatepass")
    return name, size, mtime, text, _TEXT, 0
