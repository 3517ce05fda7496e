"""Whole objects to the disk tier: kept when it says so, not fetched twice, and readers lose nothing by it."""

from __future__ import annotations

import errno
from itertools import pairwise
from pathlib import Path

import pytest

from mountnd.blocks.bulk import BESIDE_READERS, GETS_AT_ONCE, NoMemory, Piece
from mountnd.blocks.disk.cache import DiskCache
from mountnd.blocks.geometry import BLOCK, BlockRange
from mountnd.errors import StoreError
from mountnd.stats import BULK_BYTES, DISK_KEPT, GETS

from .disk.disk_harness import bulk_of, fetch, flush, piece, through, with_disk
from .harness import KIB, MIB, PATIENCE_S, body, read


def test_it_is_on_disk_when_it_says_so(tmp_path: Path) -> None:
    data = body(3 * MIB + 17)
    with with_disk(tmp_path / "blocks") as harness:
        stat = harness.put("a", data)
        bulk = bulk_of(harness)
        whole = piece(stat).span
        assert bulk.absent(stat.id, stat.size, whole) == [whole]
        assert fetch(bulk, piece(stat)) == [None]
        assert bulk.absent(stat.id, stat.size, whole) == []
        assert harness.count(DISK_KEPT) == harness.count(BULK_BYTES) == len(data)
        assert harness.used == 0  # memory has nothing of it
        harness.store.calls.clear()
        stream = harness.blocks.open(stat.id, stat.size)
        assert read(stream, 0, len(data)) == data
        assert harness.gets == []


def test_several_small_ones_by_one_worker(tmp_path: Path) -> None:
    with with_disk(tmp_path / "blocks") as harness:
        stats = [harness.put(f"f{i}", body(100 + i, i + 1)) for i in range(20)]
        assert fetch(bulk_of(harness), *map(piece, stats)) == [None] * 20
        assert harness.count(GETS) == 20
        assert all(not bulk_of(harness).absent(s.id, s.size, piece(s).span) for s in stats)


def test_what_fails_is_told_of_each_and_costs_the_others_nothing(tmp_path: Path) -> None:
    with with_disk(tmp_path / "blocks") as harness:
        good, gone = harness.put("good", body(100)), harness.put("gone", body(100))
        harness.store.delete("gone")
        first, second = fetch(bulk_of(harness), piece(gone), piece(good))
        assert isinstance(first, StoreError) and second is None
        assert bulk_of(harness).absent(good.id, good.size, piece(good).span) == []


def test_what_memory_holds_is_kept_without_being_fetched(tmp_path: Path) -> None:
    data = body(1 * MIB)
    with with_disk(tmp_path / "blocks") as harness:
        stream = harness.open("a", data)
        assert read(stream, 0, 300 * KIB) == data[: 300 * KIB]
        harness.quiet()
        before = sum(stop - start for start, stop in harness.gets)
        assert fetch(bulk_of(harness), Piece(stream.id, len(data), BlockRange(0, 16))) == [None]
        after = sum(stop - start for start, stop in harness.gets)
        assert after == len(data)
        assert before >= 300 * KIB


def test_gaps_alone_are_asked_for(tmp_path: Path) -> None:
    data = body(20 * MIB)
    with with_disk(tmp_path / "blocks") as harness:
        stat = harness.put("a", data)
        bulk = bulk_of(harness)
        assert fetch(bulk, piece(stat, 16, 32), piece(stat, 255, 258)) == [None, None]  # the second in two files
        whole = piece(stat).span
        gaps = bulk.absent(stat.id, stat.size, whole)
        assert gaps == [BlockRange(0, 16), BlockRange(32, 255), BlockRange(258, 320)]
        assert fetch(bulk, *(Piece(stat.id, stat.size, gap) for gap in gaps)) == [None] * 3
        assert bulk.absent(stat.id, stat.size, whole) == []
        assert sum(stop - start for start, stop in harness.gets) == len(data)


def test_pieces_are_cut_without_gap(tmp_path: Path) -> None:
    with with_disk(tmp_path / "blocks") as harness:
        rest, cut = BlockRange(3, 5000), list[BlockRange]()
        while rest.first < rest.stop:
            one, rest = bulk_of(harness).cut(rest, 1 << 40)
            cut.append(one)
        assert cut[0].first == 3 and cut[-1].stop == 5000
        assert all(a.stop == b.first and a.first < a.stop for a, b in pairwise(cut))


def test_memory_that_readers_use_is_not_taken(tmp_path: Path) -> None:
    with with_disk(tmp_path / "blocks", memory=8 * MIB) as harness:
        stat = harness.put("a", body(4 * MIB))
        with harness.fetcher.lock:
            used = harness.fetcher.memory.allocate([BLOCK] * 100, overdraft=False)
        (error,) = fetch(bulk_of(harness), piece(stat))
        assert isinstance(error, NoMemory)
        del used
        assert fetch(bulk_of(harness), piece(stat)) == [None]


def test_beside_readers_it_takes_less(tmp_path: Path) -> None:
    with with_disk(tmp_path / "blocks") as harness:
        bulk = bulk_of(harness)
        assert bulk.gets_at_once() == GETS_AT_ONCE
        harness.fetcher._flights[harness.put("x", b"x").id, 0] = None  # type: ignore[assignment]
        assert bulk.gets_at_once() == BESIDE_READERS
        harness.fetcher._flights.clear()


def test_a_disk_that_cannot_be_written_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from mountnd.blocks.disk.chunk_file import ChunkFile

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with with_disk(tmp_path / "blocks") as harness:
        stat = harness.put("a", body(100))
        monkeypatch.setattr(ChunkFile, "create", full)
        (error,) = fetch(bulk_of(harness), piece(stat))
        assert isinstance(error, OSError) and error.errno == errno.ENOSPC
        monkeypatch.undo()
        assert fetch(bulk_of(harness), piece(stat)) == [None]  # at once, when there is room again


def test_what_is_larger_than_the_limit_is_told(tmp_path: Path) -> None:
    with with_disk(tmp_path / "blocks", limit=1 * MIB) as harness:
        stat = harness.put("a", body(2 * MIB))
        (error,) = fetch(bulk_of(harness), piece(stat))
        assert isinstance(error, OSError) and error.errno == errno.ENOSPC


def test_it_goes_before_what_only_waits_to_be_written(tmp_path: Path) -> None:
    with with_disk(tmp_path / "blocks") as harness:
        through(harness, body(4 * MIB), "read")
        stat = harness.put("a", body(100))
        assert fetch(bulk_of(harness), piece(stat)) == [None]
        flush(harness)
        assert harness.count(DISK_KEPT) == 4 * MIB + 100


def test_after_the_end_it_says_so(tmp_path: Path) -> None:
    harness = with_disk(tmp_path / "blocks")
    with harness:
        stat = harness.put("a", body(100))
        bulk = bulk_of(harness)
    with pytest.raises(StoreError, match="closing"):
        bulk.fetch([piece(stat)], lambda errors: None)
    assert isinstance(harness.disk, DiskCache)
    with pytest.raises(OSError, match="closed"):
        harness.disk.keep([]).result(PATIENCE_S)


def test_the_cost_on_disk_is_no_less_than_what_it_takes(tmp_path: Path) -> None:
    for n in (1, 1000, 4096, BLOCK - 600, BLOCK, BLOCK + 1, 3 * MIB + 5, 17 * MIB):
        root = tmp_path / str(n)
        with with_disk(root) as harness:
            stat = harness.put("a", body(n))
            assert fetch(bulk_of(harness), piece(stat)) == [None]
            taken = sum(path.stat().st_blocks * 512 for path in root.rglob("*") if path.is_file())
            assert taken <= bulk_of(harness).cost(n, piece(stat).span) <= taken + 3 * 4096
