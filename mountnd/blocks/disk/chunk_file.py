"""One file of the disk cache: up to 16 MiB of one version of an object, as a sparse file that proves its content.

    0      magic, version                     8 bytes
    8      length of the identity             u32
    12     number of blocks                   u32
    16     xxh3 of the 16 bytes before and the identity
    24     identity: JSON of source, key, ETag, version, object size and first byte
    table  xxh3 of each block, 0 where it is absent          u64 each
    data   the blocks; holes where they are absent

All integers are little endian. A block's checksum is seeded with the identity's and the block's index, so
that bytes which come from elsewhere in this file, or from another, do not pass. A block is written before
its checksum, and nothing is ever trusted without it: a crash, a lost page, a flipped bit or two processes
that write at once can make a block absent, never wrong. There is no index beside the files; unlinking one
is all that eviction is, and needs no lock that a network file system might not keep.

Raises OSError, and InvalidChunk for what is not a chunk file or not the expected one.
"""

from __future__ import annotations

import errno
import json
import os
import re
import struct
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate, pairwise
from typing import NamedTuple, Self

from xxhash import xxh3_64_intdigest, xxh3_128_hexdigest

from ...private_directory import PrivateDirectory
from ...regular_file import open_regular
from ...stores.base import ObjectId
from .. import geometry
from ..geometry import BLOCK, BlockRange
from .place import CacheDirectory

# 16 MiB: eviction's grain (a 10 GiB cache is 640 files), and never more than that stays of a file read once.
CHUNK = 16 << 20
BLOCKS = CHUNK // BLOCK

# The names of chunk files below the cache's directory, and of one that is being made. Nothing else is ever removed.
FOLDER = re.compile(r"[0-9a-f]{2}")
CHUNK_NAME = re.compile(r"[0-9a-f]{30}")
NEW_NAME = re.compile(r"[0-9a-f]{30}\.\d+-[0-9a-z]+\.new")

MAGIC = b"mountnd\x01"
_HEAD = struct.Struct("<8sIIQ")
# Data begin at a page, so that the kernel's page cache and the disk's blocks fit. A chunk of one block packs:
# a sidecar of 1 KiB then takes one disk block and not two.
ALIGNMENT = 4096
# What a header and the table take of a file with one block: more than most keys need.
HEADER = 512
# Linux takes at most this many buffers in one preadv or pwritev.
IOV_MAX = 1024


class InvalidChunk(Exception):
    """The file is not a chunk file, is damaged, or is not the chunk that its name says."""


class ChunkIdentity(NamedTuple):
    """Which part of which object a chunk file holds: `size` is the whole object's, `chunk` counts from 0."""

    id: ObjectId
    size: int
    chunk: int

    @classmethod
    def of(cls, id: ObjectId, size: int, chunk: int) -> Self:
        """That of a version. Where an ETag says which bytes it has, its version id is no part of it: whether a listing
        or a lockfile named the version, its bytes are the same."""
        return cls(id._replace(version="") if id.etag.startswith('"') else id, size, chunk)

    def encode(self) -> bytes:
        start = self.chunk * CHUNK
        return json.dumps([*self.id[:4], self.size, start]).encode()

    @classmethod
    def decode(cls, raw: bytes) -> Self:
        try:
            source, key, etag, version, size, start = json.loads(raw)
        except (ValueError, TypeError, RecursionError) as e:
            raise InvalidChunk("no identity") from e
        texts = all(isinstance(s, str) for s in (source, key, etag, version))
        if not (texts and type(size) is int and type(start) is int and size > 0 <= start < size):
            raise InvalidChunk("no identity")
        return cls(ObjectId(source, key, etag, version, size), size, start // CHUNK)

    @property
    def name(self) -> str:
        """Path below the cache directory: two levels, so that no directory grows too long."""
        digest = xxh3_128_hexdigest(self.encode())
        return f"{digest[:2]}/{digest[2:]}"

    @property
    def span(self) -> BlockRange:
        """The object's blocks that belong here."""
        return BlockRange(self.chunk * BLOCKS, min((self.chunk + 1) * BLOCKS, geometry.block_count(self.size)))


class ChunkFile:
    """An open chunk file. Blocks are named by their index in the object. Safe to use from many threads.

    Attributes:
        identity: what it holds.
    """

    __slots__ = ("__weakref__", "_data", "_fd", "_first", "_n", "_seed", "_table", "identity")

    def __init__(self, fd: int, identity: ChunkIdentity, head: int, seed: int) -> None:
        self._fd, self.identity, self._seed = fd, identity, seed
        self._first, stop = identity.span
        self._n = stop - self._first
        self._table = -(-head // 8) * 8
        end = self._table + 8 * self._n
        self._data = end if self._n == 1 else -(-end // ALIGNMENT) * ALIGNMENT

    def __del__(self, close: Callable[[int], None] = os.close) -> None:  # bound: at exit `os` may be gone
        close(self._fd)

    @classmethod
    def open(
        cls,
        path: str,
        identity: ChunkIdentity | None = None,
        *,
        within: CacheDirectory | PrivateDirectory | None = None,
        write: bool = False,
    ) -> ChunkFile:
        """Open the file at `path`, a name `within` a directory if that is given.

        Raises InvalidChunk where it is not `identity` (None: any), Untrusted where others could have written it.
        """
        flags = os.O_RDWR if write else os.O_RDONLY
        fd = open_regular(path, flags) if within is None else within.open_file(path, flags)
        try:
            head = os.pread(fd, ALIGNMENT, 0)
            if len(head) < _HEAD.size:
                raise InvalidChunk("too short")
            magic, length, n, digest = _HEAD.unpack_from(head)
            stop = _HEAD.size + length
            if stop > len(head):
                head += os.pread(fd, stop - len(head), len(head)) if length < 1 << 20 else b""
            raw = head[_HEAD.size : stop]
            if magic != MAGIC or digest != xxh3_64_intdigest(head[:16] + raw):
                raise InvalidChunk("not a chunk file, or a damaged one")
            found = ChunkIdentity.decode(raw)
            if (identity is not None and raw != identity.encode()) or n != found.span.stop - found.span.first:
                raise InvalidChunk("another object's")
        except BaseException as e:
            gone = not os.fstat(fd).st_nlink
            os.close(fd)
            if gone and isinstance(e, InvalidChunk):  # evicted, and so emptied, since it was opened
                raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path) from None
            raise
        return cls(fd, found if identity is None else identity, stop, digest)

    @classmethod
    def create(
        cls,
        within: PrivateDirectory,
        identity: ChunkIdentity,
        span: BlockRange,
        views: Sequence[memoryview],
        *,
        replace: bool = True,
    ) -> ChunkFile:
        """A new one that holds the blocks of `span`, in place of whatever has its name; not to `replace` that raises
        FileExistsError. Whoever opens it sees a whole header or none."""
        raw, name = identity.encode(), identity.name
        n = identity.span.stop - identity.span.first
        front = struct.pack("<8sII", MAGIC, len(raw), n)
        digest = xxh3_64_intdigest(front + raw)
        temporary = f"{name}.{os.getpid()}-{os.urandom(4).hex()}.new"
        fd = within.create(temporary)
        chunk = cls(fd, identity, _HEAD.size + len(raw), digest)
        try:
            sums = [0] * n
            sums[span.first - chunk._first : span.stop - chunk._first] = chunk._sums(span, views)
            head = (front + struct.pack("<Q", digest) + raw).ljust(chunk._table, b"\0") + struct.pack(f"<{n}Q", *sums)
            if n == 1:
                _write(fd, [memoryview(head), *views], 0)
            else:
                _write(fd, [memoryview(head.ljust(chunk._data, b"\0"))], 0)
                _write(fd, views, chunk._data + (span.first - chunk._first) * BLOCK)
            if replace or not _named(within, temporary, name):
                within.rename(temporary, name)
        except BaseException:
            within.remove(temporary)
            raise
        return chunk

    def views(self, span: BlockRange, buffer: memoryview) -> list[memoryview]:
        """`buffer` cut for the blocks of `span`, one view each."""
        lengths = [geometry.block_size(i, self.identity.size) for i in range(*span)]
        ends = list(accumulate(lengths, initial=0))
        return [buffer[a:b] for a, b in pairwise(ends)]

    def checksums(self, span: BlockRange) -> list[int]:
        """Checksums of `span`'s blocks, 0 where one is absent."""
        n = span.stop - span.first
        raw = os.pread(self._fd, 8 * n, self._table + 8 * (span.first - self._first))
        return list(struct.unpack(f"<{n}Q", raw.ljust(8 * n, b"\0")))

    def read(self, span: BlockRange, views: Sequence[memoryview]) -> tuple[list[int], list[int]]:
        """Fill `views`, one for each block of `span`; the indexes that are good now, and those that were damaged.

        What is neither is absent. The views of all that are not good hold anything.
        """
        sums = self.checksums(span)
        good: list[int] = []
        bad: list[int] = []
        for part in geometry.block_ranges(i for i, s in zip(range(*span), sums, strict=True) if s):
            into = views[part.first - span.first : part.stop - span.first]
            at = self._data + (part.first - self._first) * BLOCK
            got = os.preadv(self._fd, into, at)
            for i, view in zip(range(*part), into, strict=True):
                got -= len(view)
                whole = got >= 0 and self._sum(i, view) == sums[i - span.first]
                (good if whole else bad).append(i)
        return good, bad

    def write(self, span: BlockRange, views: Sequence[memoryview]) -> int:
        """Keep the blocks of `span`, one view each; how many were absent before. May be cut short by OSError."""
        before = self.checksums(span)
        _write(self._fd, views, self._data + (span.first - self._first) * BLOCK)
        sums = self._sums(span, views)
        at = self._table + 8 * (span.first - self._first)
        _write(self._fd, [memoryview(struct.pack(f"<{len(sums)}Q", *sums))], at)
        return before.count(0)

    def mark_absent(self, indexes: Sequence[int]) -> None:
        """Mark blocks as absent."""
        for i in indexes:
            os.pwrite(self._fd, bytes(8), self._table + 8 * (i - self._first))

    @property
    def linked(self) -> bool:
        """Whether it is still the cache's: others may evict it."""
        return os.fstat(self._fd).st_nlink > 0

    def _sums(self, span: BlockRange, views: Sequence[memoryview]) -> list[int]:
        return [self._sum(i, v) for i, v in zip(range(*span), views, strict=True)]

    def _sum(self, index: int, view: memoryview) -> int:
        return xxh3_64_intdigest(view, seed=(self._seed + index) & 0xFFFFFFFFFFFFFFFF) or 1


def chunks_of(span: BlockRange) -> Iterator[tuple[int, BlockRange]]:
    """An object's blocks by the chunk they belong to: (chunk, its part of `span`)."""
    for chunk in range(span.first // BLOCKS, (span.stop - 1) // BLOCKS + 1):
        yield chunk, BlockRange(max(span.first, chunk * BLOCKS), min(span.stop, (chunk + 1) * BLOCKS))


def disk_bytes(size: int, span: BlockRange) -> int:
    """Bytes on disk that the blocks of `span` take at most, of an object of `size` bytes, headers included."""
    taken = 0
    for _, part in chunks_of(span):
        n = geometry.extent(part, size).size
        packed = geometry.block_count(size) == 1  # header and block share a page
        taken += -(-(n + HEADER) // ALIGNMENT) * ALIGNMENT if packed else (1 - (-n // ALIGNMENT)) * ALIGNMENT
    return taken


def _named(within: PrivateDirectory, temporary: str, name: str) -> bool:
    """Give a file its name, which nobody else may have (FileExistsError); False where this file system has no links."""
    try:
        within.link(temporary, name)
    except FileExistsError:
        raise
    except OSError:
        return False
    within.remove(temporary)
    return True


def _write(fd: int, views: Sequence[memoryview], at: int) -> None:
    """All of `views` at `at`, however many calls that takes."""
    todo = [v for v in views if len(v)]
    while todo:
        done = os.pwritev(fd, todo[:IOV_MAX], at)
        at += done
        while todo and done >= len(todo[0]):
            done -= len(todo.pop(0))
        if done:
            todo[0] = todo[0][done:]
