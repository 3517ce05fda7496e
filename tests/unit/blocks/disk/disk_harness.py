"""What the tests of the disk tier share: a bytes room with a disk cache, and what that took."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from mountnd.blocks.bulk import Bulk, Piece
from mountnd.blocks.disk import leases
from mountnd.blocks.disk.cache import DiskCache
from mountnd.blocks.disk.chunk_file import ChunkIdentity
from mountnd.blocks.disk.shared_cache import SharedCache
from mountnd.blocks.geometry import BLOCK, BlockRange, block_count
from mountnd.shared_directory.place import SharedPlace
from mountnd.stats import Stats
from mountnd.stores.base import ObjectId, ObjectStat
from mountnd.stores.memory import MemoryStore

from ..harness import KIB, MIB, PATIENCE_S, BlocksHarness, read

SOURCE = MemoryStore().source


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


def shared_node(
    top: Path, own: Path | None = None, *, sources: tuple[str, ...] = (SOURCE,), limit: int | None = 1 << 30,
    store: object = None, mode: int = 0o660, memory: int = 64 * MIB,
) -> BlocksHarness:  # fmt: skip
    """A node: a bytes room over the shared directory `top`, with a disk cache of its own if that is given."""
    stats, place = Stats(), SharedPlace(top, mode)
    shared = SharedCache(place, sources, limit, stats)
    disk = DiskCache(own, 1 << 30, stats) if own is not None else None
    return BlocksHarness(disk=disk, shared=shared, store=store, stats=stats, memory=memory)


@contextmanager
def shared_nodes(top: Path, count: int) -> Iterator[list[BlocksHarness]]:
    with ExitStack() as stack:
        yield [stack.enter_context(shared_node(top)) for _ in range(count)]


def flush_shared(harness: BlocksHarness) -> None:
    harness.quiet()
    shared = harness.blocks._shared
    assert isinstance(shared, SharedCache)
    assert shared.flush(PATIENCE_S)


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
