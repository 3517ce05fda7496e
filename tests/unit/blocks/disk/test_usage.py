"""How much the disk cache takes is counted now and then, and no more often than that is cheap."""

from __future__ import annotations

from pathlib import Path

from mountnd.blocks.disk.place import CacheDirectory
from mountnd.blocks.disk.usage import LEAST_S, DiskUsage
from tests.support.waiting import Clock

from ..harness import MIB, body
from .disk_harness import flush, taken, through, with_disk


def test_all_of_it_is_counted_and_again_after_a_while(tmp_path: Path) -> None:
    clock = Clock()
    usage = DiskUsage(CacheDirectory(tmp_path / "cache"), clock)
    assert usage.bytes() == 0, "there is none yet"
    with with_disk(tmp_path / "cache") as harness:
        through(harness, body(MIB))
        flush(harness)
        assert usage.bytes() == 0
        clock.now += LEAST_S
        assert usage.bytes() == taken(tmp_path / "cache") >= MIB
        assert harness.disk is not None and harness.disk.used() == usage.bytes()
        assert harness.blocks.in_use().disk == usage.bytes() and harness.blocks.in_use().memory >= MIB


def test_a_directory_of_others_counts_nothing(tmp_path: Path) -> None:
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache").chmod(0o777)
    assert DiskUsage(CacheDirectory(tmp_path / "cache")).bytes() == 0
