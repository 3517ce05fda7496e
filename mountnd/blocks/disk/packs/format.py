"""What a pack holds, as bytes. Pure.

    records  one block of a small object each, one after the other
    index    of the n records by key: n keys u64, ascending; n places u32; n lengths u32
    end      magic, version (8 bytes); n u32; xxh3 of index, magic and n u64

    record   0   xxh3 of all that follows            u64
             8   length of the identity              u32
             12  the block's index in its object     u32
             16  identity of the object: JSON, as in a chunk file; the block

All integers are little endian. The index says where to look and is believed no further: a record proves itself, by its
checksum and by the identity in it, which is compared as a whole. The end is at the end, so that packs are written in
one go, and so that one which was cut has none.
"""

from __future__ import annotations

import re
import struct
import sys
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from xxhash import xxh3_64_intdigest

from ...geometry import BLOCK

FOLDER = "packs"
# Seconds since 1970 of the file system's clock (a hint: which is newer), and a number that nobody else has.
PACK_NAME = re.compile(r"[0-9a-f]{10}-[0-9a-f]{16}\.pack")
NEW_NAME = re.compile(r"[0-9a-f]{10}-[0-9a-f]{16}\.pack\.new")

MAGIC = b"mndpack\x01"
# Objects up to this size are packed. A file of its own costs a metadata server some 1 ms each time that it is made,
# opened or removed; the bytes of a larger object take longer than that anyway, at 100 MB/s. Sidecars, tables and
# gradients of BIDS are smaller, images larger.
PACKED = 256 << 10
# Records of one pack, at most: an index of 1 MiB.
MOST_RECORDS = 65_536
# Bytes of an identity, at most. A key has up to 1,024 bytes, of which JSON makes up to six times as many.
MOST_IDENTITY = 16 << 10

_RECORD = struct.Struct("<QII")
_END = struct.Struct("<8sIQ")
END = _END.size
_ENTRY = 16
MOST_RECORD = _RECORD.size + MOST_IDENTITY + BLOCK


class InvalidPack(Exception):
    """It is no pack, or a damaged one."""


class Record(NamedTuple):
    """A block as it lies in a pack. `identity`: the object's, as `ChunkIdentity.encode` has it."""

    identity: bytes
    block: int
    data: memoryview


class Place(NamedTuple):
    """Where a record is said to lie in its pack."""

    offset: int
    length: int


def key_of(identity: bytes, block: int) -> int:
    """By what a block is found. Others may have the same: the record tells."""
    return xxh3_64_intdigest(identity, seed=block)


def encode_record(identity: bytes, block: int, data: bytes | memoryview) -> bytes:
    """A record."""
    body = b"".join((struct.pack("<II", len(identity), block), identity, data))
    return struct.pack("<Q", xxh3_64_intdigest(body)) + body


def decode_record(raw: bytes) -> Record:
    """What a record says. Raises InvalidPack where its checksum does not hold."""
    if len(raw) <= _RECORD.size:
        raise InvalidPack("a record that is too short")
    digest, length, block = _RECORD.unpack_from(raw)
    view = memoryview(raw)
    if xxh3_64_intdigest(view[8:]) != digest or length > min(MOST_IDENTITY, len(raw) - _RECORD.size):
        raise InvalidPack("a damaged record")
    stop = _RECORD.size + length
    return Record(raw[_RECORD.size : stop], block, view[stop:])


def data_size(record: bytes) -> int:
    """Bytes of the block in a record of our own making."""
    return len(record) - _RECORD.size - int(_RECORD.unpack_from(record)[1])


def decode_head(raw: bytes, length: int) -> tuple[bytes, int, int] | None:
    """Identity, block and bytes of data as the first bytes of a record of `length` bytes tell them, which nothing has
    checked; None where they cannot be so."""
    if len(raw) < _RECORD.size:
        return None
    _, n, block = _RECORD.unpack_from(raw)
    stop = _RECORD.size + n
    return (raw[_RECORD.size : stop], block, length - stop) if stop <= min(len(raw), length) else None


class Entries:
    """The index of one pack. Immutable.

    Args:
        keys, offsets, lengths: by ascending key.
        stop: where the records end.
    """

    __slots__ = ("_keys", "_lengths", "_offsets", "_stop")

    def __init__(self, keys: array[int], offsets: array[int], lengths: array[int], stop: int) -> None:
        self._keys, self._offsets, self._lengths, self._stop = keys, offsets, lengths, stop

    def __len__(self) -> int:
        return len(self._keys)

    @property
    def overlap(self) -> bool:
        """Whether the records are longer than what holds them: who reads all of them would read without end."""
        return sum(self._lengths) > self._stop

    def find(self, key: int) -> Iterator[Place]:
        """Where records of this key are said to lie, all within the pack."""
        at = bisect_left(self._keys, key)
        while at < len(self._keys) and self._keys[at] == key:
            if (place := self._place(at)) is not None:
                yield place
            at += 1

    def places(self) -> list[tuple[int, Place | None]]:
        """All keys and places, in the order in which they lie there; None for a place that cannot be."""
        order = sorted(range(len(self._keys)), key=self._offsets.__getitem__)
        return [(self._keys[at], self._place(at)) for at in order]

    def encode(self) -> bytes:
        """As it lies behind the records, with the end."""
        raw = b"".join(_little(column).tobytes() for column in (self._keys, self._offsets, self._lengths))
        n = len(self._keys)
        return raw + _END.pack(MAGIC, n, _digest(raw, n))

    def _place(self, at: int) -> Place | None:
        place = Place(self._offsets[at], self._lengths[at])
        fits = _RECORD.size < place.length <= MOST_RECORD and sum(place) <= self._stop
        return place if fits else None


def entries_of(records: Iterable[tuple[int, int]]) -> Entries:
    """The index of records that lie one after the other: the key and the length of each."""
    found, stop = [], 0
    for key, length in records:
        found.append((key, stop, length))
        stop += length
    found.sort()
    keys, offsets, lengths = zip(*found, strict=True) if found else ((), (), ())
    return Entries(array("Q", keys), array("I", offsets), array("I", lengths), stop)


def index_size(end: bytes) -> int:
    """How many bytes lie behind the records, by the last `END` bytes of a pack. Raises InvalidPack."""
    if len(end) != END:
        raise InvalidPack("too short")
    magic, n, _ = _END.unpack(end)
    if magic != MAGIC or n > MOST_RECORDS:
        raise InvalidPack("not a pack, or one that was cut")
    return int(n) * _ENTRY + END


def decode_index(raw: bytes, size: int) -> Entries:
    """The index: all that lies behind the records of a pack of `size` bytes. Raises InvalidPack."""
    n = (index_size(raw[-END:]) - END) // _ENTRY
    raw, digest = raw[:-END], _END.unpack(raw[-END:])[2]
    if len(raw) != n * _ENTRY or _digest(raw, n) != digest:
        raise InvalidPack("a damaged index")
    keys, offsets, lengths = array("Q"), array("I"), array("I")
    keys.frombytes(raw[: 8 * n])
    offsets.frombytes(raw[8 * n : 12 * n])
    lengths.frombytes(raw[12 * n :])
    entries = Entries(_little(keys), _little(offsets), _little(lengths), size - n * _ENTRY - END)
    if entries.overlap:
        raise InvalidPack("records in each other's place")
    return entries


def _digest(raw: bytes, n: int) -> int:
    return xxh3_64_intdigest(raw + MAGIC + struct.pack("<I", n))


def _little(column: array[int]) -> array[int]:
    """The other order of bytes where this machine's is not the file's."""
    if sys.byteorder == "big":
        column = array(column.typecode, column)
        column.byteswap()
    return column
