"""What the tests of the disk tier share: a bytes room with a disk cache, and what that took."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path

from mountnd.blocks.bulk import Bulk, Piece
from mountnd.blocks.disk import leases
from mountnd.blocks.disk.cache import DiskCache
from mountnd.blocks.disk.chunk_file import ChunkIdentity
from mountnd.blocks.geometry import BLOCK, BlockRange, block_count
from mountnd.stats import Stats
from mountnd.stores.base import ObjectId, ObjectStat

from ..harness import KIB, MIB, PATIENCE_S, BlocksHarness, read


def with_disk(
    root: Path, *, limit: int | None = 1 << 30, store: object = None, memory: int = 64 * MIB
) -> BlocksHarness:
    stats = Stats()
    disk = DiskCache(root, limit, stats)
    return BlocksHarness(memory=memory, disk=disk, store=store, stats=stats)


def flush(harness: BlocksHarness) -> None:
    harness.quiet()
    assert isinstance(harness.disk, DiskCache)
    assert harness.disk.flush(PATIENCE_S)


def taken(root: Path) -> int:
    """Bytes on disk of everything below `root`, directories not counted."""
    return sum(p.stat().st_blocks * 512 for p in root.rglob("*") if p.is_file())


def through(harness: BlocksHarness, data: bytes, key: str = "a", step: int = 256 * KIB) -> None:
    """Read the object from end to end and compare."""
    stream = harness.open(key, data)
    for at in range(0, len(data), step):
        n = min(step, len(data) - at)
        assert read(stream, at, n) == data[at : at + n]
    stream.close()


def bulk_of(harness: BlocksHarness) -> Bulk:
    bulk = harness.blocks.bulk()
    assert bulk is not None
    return bulk


def piece(stat: ObjectStat, first: int = 0, stop: int | None = None) -> Piece:
    return Piece(stat.id, stat.size, BlockRange(first, block_count(stat.size) if stop is None else stop))


def fetch(bulk: Bulk, *pieces: Piece) -> list[BaseException | None]:
    """What became of each: None, or why it is not kept."""
    ended, told = threading.Event(), list[Sequence[BaseException | None]]()

    def done(errors: Sequence[BaseException | None]) -> None:
        told.append(errors)
        ended.set()

    bulk.fetch(pieces, done)
    assert ended.wait(PATIENCE_S)
    (errors,) = told
    return list(errors)


def lease_names(id: ObjectId, size: int) -> list[str]:
    """The leases of the object, as another mount would call them."""
    stem = ChunkIdentity(id, size, 0).name.replace("/", "")
    return [f"{stem}-{part}" for part in range(-(-size // (leases.PART_BLOCKS * BLOCK)))]
