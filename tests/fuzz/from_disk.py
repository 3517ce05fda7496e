"""Files of the cache and of the run directory, as anybody may have written them: raw, and with checksums put right."""

from __future__ import annotations

import json
import os
import struct
import tempfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

from xxhash import xxh3_64_intdigest

from mountnd.blocks.disk.chunk_file import MAGIC, ChunkFile, ChunkIdentity, InvalidChunk
from mountnd.blocks.geometry import BLOCK, BlockRange
from mountnd.catalog.cache.disk import ListingDiskCache
from mountnd.catalog.model.keys import Hidden
from mountnd.catalog.model.listing import Listing
from mountnd.catalog.model.table import tabulate
from mountnd.daemon import rundir
from mountnd.stores.base import ObjectId, ObjectStat
from mountnd.stores.notes import FileNotes

from .target import NUMBERS, Run, Target

SOURCE = "s3://fuzz"


def in_a_file(run: Callable[[Path], object], name: str = "file") -> Callable[[], object]:
    """`Target.open` of a function that is given the path of a file with the input."""

    @contextmanager
    def opened() -> Iterator[Run]:
        with tempfile.TemporaryDirectory(prefix="fuzz-") as directory:
            path = Path(directory) / name

            def write_and_run(data: bytes) -> None:
                path.write_bytes(data)
                run(path)

            yield write_and_run

    return opened


# -- chunk files


def chunk_seeds() -> list[bytes]:
    seeds = []
    for size in (1000, 3 * BLOCK + 5, 300 * BLOCK):
        identity = ChunkIdentity(ObjectId(SOURCE, "a/b", '"e"', "", size), size, 0)
        raw, blocks = identity.encode(), identity.span.stop
        head = resealed_chunk(MAGIC + struct.pack("<IIQ", len(raw), blocks, 0) + raw)
        head += bytes(-len(head) % 8)
        if size == 1000:  # whole: its block follows the table at once
            data = bytes(range(250)) * 4
            head += struct.pack("<Q", xxh3_64_intdigest(data, seed=int.from_bytes(head[16:24], "little"))) + data
        seeds.append(head.ljust(8192, b"\0") if size != 1000 else head)
    return seeds


def resealed_chunk(data: bytes) -> bytes:
    """The file with the checksum of its head put right, as whoever writes such files on purpose does."""
    if len(data) < 24:
        return data
    length = int.from_bytes(data[8:12], "little")
    return data[:16] + struct.pack("<Q", xxh3_64_intdigest(data[:16] + data[24 : 24 + length])) + data[24:]


def read_chunk(path: Path) -> None:
    """A block that passes is one that its checksum vouches for; else the file is invalid, or the block absent."""
    data = path.read_bytes()
    for content in (data, resealed_chunk(data)):
        path.write_bytes(content)
        try:
            chunk = ChunkFile.open(str(path))
        except InvalidChunk:
            continue
        first, stop = chunk.identity.span
        span = BlockRange(first, min(stop, first + 4))
        views = chunk.views(span, memoryview(bytearray(4 * BLOCK)))
        good, bad = chunk.read(span, views)
        assert set(good).isdisjoint(bad) and {*good, *bad} <= set(range(*span))
        assert chunk.identity.name.count("/") == 1


# -- segments of the catalogue


def _listing(names: list[bytes]) -> Listing:
    rows = []
    for name in sorted(names):
        id = ObjectId(SOURCE, "a/" + name.decode("utf-8", "surrogateescape"), f'"{"0a" * 16}"', "", 5)
        rows.append((name, None if name.endswith(b"/") else ObjectStat(id, 5, 10**18, "STANDARD")))
    return Listing([tabulate(rows)], [Hidden("a//b", "odd")], None, 1.0)


def _names_cache(home: Path) -> ListingDiskCache:
    return ListingDiskCache(home, SOURCE, clock=lambda: 100.0, wall=lambda: 1.7e9)


def segment_seeds() -> list[bytes]:
    seeds = []
    for names in ([b"x", b"y/"], [b"\xff", b"n" * 255], [b"f%d" % i for i in range(50)]):
        with tempfile.TemporaryDirectory(prefix="fuzz-") as home:
            cache = _names_cache(Path(home))
            for prefix in ("", "a/"):
                cache.add(prefix, _listing(names))
            cache.invalidate_below("b/")
            cache.close()
            seeds += [path.read_bytes() for path in cache.directory.glob("*.names")]
    assert len(seeds) >= 3
    return [*seeds, seeds[0][-28:], b""]


_ROW, _FOOT = struct.Struct("<8sQddII"), struct.Struct("<QIII8s")


def resealed_segment(data: bytes) -> bytes:
    """The file with all its checksums put right."""
    if len(data) < _FOOT.size:
        return data
    start, count, note, _, magic = _FOOT.unpack(data[-_FOOT.size :])
    stop = start + count * _ROW.size
    if stop + note > len(data):
        return data
    index = b""
    for key, at, when, written, length, _ in _ROW.iter_unpack(data[start:stop]):
        index += _ROW.pack(key, at, when, written, length, zlib.crc32(data[at : at + length]))
    tail = index + data[stop : stop + note]
    foot = _FOOT.pack(start, count, note, zlib.crc32(tail), magic)
    return data[:start] + tail + data[start + len(tail) : -_FOOT.size] + foot


@contextmanager
def segments_opened() -> Iterator[Run]:
    """The directory of one source with one file, the input: a listing is whole, or there is none.

    Rows of tables are looked at only where the checksums were right: they find what a disk did to a file, and who may
    write here (nobody but us: that is checked elsewhere) need not be expected to write tables that are none.
    """
    with tempfile.TemporaryDirectory(prefix="fuzz-") as home:
        place = _names_cache(Path(home)).directory

        def run(data: bytes) -> None:
            for content in (data, resealed_segment(data)):
                for old in place.glob("*.names"):
                    old.unlink()
                (place / f"{1:020}-0a0a0a0a.names").write_bytes(content)
                cache = _names_cache(Path(home))
                for prefix in ("", "a/", "b/"):
                    if (listing := cache.get(prefix)) is not None and content is data:
                        _use(prefix, listing)
                cache.close()

        yield run


def _use(prefix: str, listing: Listing) -> None:
    prefix.encode("utf-8", "surrogatepass")
    for i in range(min(len(listing), 100)):
        listing.get(listing.name(i).removesuffix(b"/"), prefix, SOURCE)
        entry = listing.entry(i, prefix, SOURCE)
        assert entry.is_dir or (entry.stat is not None and isinstance(entry.stat.id.etag, str))
    for table, first, _ in listing.tables_from(0):
        list(table.brief_rows(first))
    for report in listing.hidden:
        assert isinstance(report.key, str) and isinstance(report.reason, str)
    assert listing.marker is None or isinstance(listing.marker.size + listing.marker.mtime_ns, int)


# -- JSON: notes of servers, records of mounts


def json_seeds() -> list[bytes]:
    record = {"mountpoint": "/m", "pid": os.getpid(), "started": 1, "since": 1.0, "sources": [["a", "s3://a"]]}
    record |= {"made": False, "log": "", "device": "0:1"}
    texts = [
        json.dumps(record).encode(),
        b'{"etags": "differ", "x": 1}',
        b"[]",
        b"null",
        b"[" * 60_000,
        b'{"a":' * 20_000,
    ]
    for name in record:
        texts += [
            json.dumps(record | {name: odd}).encode() for odd in (None, [], {}, "\0", "../..", -1, 1e300, "\ud800")
        ]
    return [*texts, *(b'{"pid": %s, "sources": []}' % number for number in NUMBERS)]


def read_notes(path: Path) -> None:
    """Texts by name, or nothing."""
    notes = FileNotes(path).read()
    assert all(isinstance(part, str) for pair in notes.items() for part in pair)


@contextmanager
def records_opened() -> Iterator[Run]:
    """The run directory with one record, the input."""
    with tempfile.TemporaryDirectory(prefix="fuzz-") as home, patch.dict(os.environ, MOUNTND_RUN_DIR=home):
        path = rundir.run_dir() / f"{rundir.stem(Path('/m'))}.json"

        def run(data: bytes) -> None:
            path.write_bytes(data)
            for record in rundir.records():
                record.alive()
                assert isinstance(record.mountpoint, str) and all(len(pair) == 2 for pair in record.sources)
            rundir.find(Path("/m"))

        yield run


TARGETS = [
    Target("chunk_file", chunk_seeds, in_a_file(read_chunk), [b'"s3://fuzz"', b"null", b"1e400", b"[", *NUMBERS[:4]]),
    Target("segment", segment_seeds, segments_opened, [b'"more": ', b"null", b"[", b"{", b"\xff" * 4]),
    Target("notes", json_seeds, in_a_file(read_notes), [b"null", b"\\ud800", b"{", b"[", b'"']),
    Target("mount_record", json_seeds, records_opened, [b"null", b"\\ud800", b"\\u0000", b"{", b"[", b'"']),
]
