"""What the tests of the disk tier share: a bytes room with a disk cache, and what that took."""

from __future__ import annotations

from pathlib import Path

from mountnd.blocks.disk.cache import DiskCache
from mountnd.stats import Stats

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
