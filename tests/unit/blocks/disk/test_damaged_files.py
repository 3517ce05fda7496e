"""Whatever is done to the cache directory, a read gives the source's bytes: flips, cuts, swaps, kills, crowds."""

from __future__ import annotations

import os
import random
import shutil
import signal
import struct
import subprocess
import sys
import time
from pathlib import Path

import pytest
from xxhash import xxh3_64_intdigest

from mountnd.blocks.disk import contents
from mountnd.blocks.disk.chunk_file import MAGIC, ChunkFile, ChunkIdentity, InvalidChunk
from mountnd.blocks.geometry import BLOCK, BlockRange
from mountnd.stats import BYTES_FROM_DISK, DISK_DAMAGED

from ..harness import MIB, Endless, body, read
from .disk_harness import flush, taken, through, with_disk
from .reader_process import SIZE

DATA = body(5 * MIB + 4321)
SMALL = body(700, seed=4)


def fill(root: Path) -> list[Path]:
    """The cache with `DATA` as `a` and `SMALL` as `b`; its files, the large one first."""
    with with_disk(root) as harness:
        through(harness, DATA)
        through(harness, SMALL, "b")
        flush(harness)
    return sorted((p for p in root.rglob("*") if p.is_file()), key=lambda p: -p.stat().st_size)


def check(root: Path, *, damaged: bool) -> None:
    """Everything reads right; what was damaged is counted and mended, so that the next mount needs no request."""
    with with_disk(root) as harness:
        through(harness, DATA)
        through(harness, SMALL, "b")
        flush(harness)
        if damaged:
            assert harness.count(DISK_DAMAGED) > 0
            assert len(harness.gets) > 0
        store = harness.store
    store.calls.clear()
    with with_disk(root, store=store) as harness:
        through(harness, DATA)
        through(harness, SMALL, "b")
        assert harness.gets == []
        assert harness.count(DISK_DAMAGED) == 0


def flip(path: Path, at: int, bit: int) -> None:
    with open(path, "r+b") as f:
        f.seek(at)
        old = f.read(1)[0]
        f.seek(at)
        f.write(bytes([old ^ 1 << bit]))


@pytest.mark.parametrize("seed", range(6))
def test_flipped_bits_anywhere(root: Path, seed: int) -> None:
    rng = random.Random(seed)
    large, small = fill(root)
    for _ in range(3):
        flip(large, rng.randrange(large.stat().st_size), rng.randrange(8))
    check(root, damaged=False)  # a flip may hit padding, where nothing is
    flip(small, rng.randrange(small.stat().st_size), rng.randrange(8))
    check(root, damaged=False)


@pytest.mark.parametrize("at", [0, 7, 8, 12, 16, 23, 24, 40])
def test_a_flipped_bit_in_the_header_makes_the_file_go(root: Path, at: int) -> None:
    large, _ = fill(root)
    flip(large, at, 1)
    check(root, damaged=True)


def test_every_flip_in_a_small_file_is_found(root: Path) -> None:
    _, small = fill(root)
    good = small.read_bytes()
    identity = ChunkFile.open(str(small)).identity
    head = good.index(SMALL) - 8  # the one checksum
    for at in range(len(good)):
        flip(small, at, at % 8)
        into = memoryview(bytearray(len(SMALL)))
        try:
            ok, bad = ChunkFile.open(str(small), identity).read(BlockRange(0, 1), [into])
        except InvalidChunk:
            assert at < head
        else:
            padding = at < head and at >= head - 8
            assert bytes(into) == SMALL if padding and ok else (ok, bad) == ([], [0]), at
        small.write_bytes(good)


def test_flipped_bits_in_data_are_dropped_by_verify(root: Path) -> None:
    large, _ = fill(root)
    flip(large, large.stat().st_size - 100, 3)
    flip(large, large.stat().st_size - 3 * BLOCK, 3)
    got = contents.verify(str(root))
    assert (got.files, got.bad_blocks, got.bad_files) == (2, 2, 0)
    assert contents.verify(str(root)).bad_blocks == 0
    with with_disk(root) as harness:
        through(harness, DATA)
        assert sum(b - a for a, b in harness.gets) in range(BLOCK + 1, 4 * BLOCK + 1)
        assert harness.count(DISK_DAMAGED) == 0


@pytest.mark.parametrize("keep", [0, 1, 20, 100, 4096, 4097, 5000, 3 * MIB, -1])
def test_truncated_files(root: Path, keep: int) -> None:
    large, small = fill(root)
    for path in (large, small):
        size = path.stat().st_size
        os.truncate(path, size - 1 if keep < 0 else min(keep, size - 1))
    check(root, damaged=False)


def test_files_in_each_others_place(root: Path) -> None:
    large, small = fill(root)
    spare = root / "spare"
    shutil.copy(large, spare)
    shutil.copy(small, large)
    shutil.move(spare, small)
    check(root, damaged=True)


def test_a_file_of_another_version_is_not_believed(root: Path) -> None:
    """The whole file, header and all, under the name of the same key with another ETag."""
    fill(root)
    with with_disk(root) as harness:
        older, newer = harness.put("a", DATA), harness.put("a", body(len(DATA), seed=5))
    old, new = ChunkIdentity(older.id, older.size, 0), ChunkIdentity(newer.id, newer.size, 0)
    (root / new.name).parent.mkdir(exist_ok=True)
    shutil.copy(root / old.name, root / new.name)
    with with_disk(root) as harness:
        through(harness, body(len(DATA), seed=5))
        assert harness.count(BYTES_FROM_DISK) == 0
        assert harness.count(DISK_DAMAGED) > 0


def test_blocks_in_each_others_place_inside_a_file(root: Path) -> None:
    large, _ = fill(root)
    raw = bytearray(large.read_bytes())
    data = len(raw) - len(DATA)
    one, two = slice(data, data + BLOCK), slice(data + BLOCK, data + 2 * BLOCK)
    raw[one], raw[two] = raw[two], raw[one]
    large.write_bytes(raw)
    with with_disk(root) as harness:
        through(harness, DATA)
        assert harness.count(DISK_DAMAGED) == 2
        assert harness.gets == [(0, 2 * BLOCK)]


def test_not_a_cache_file_at_all(root: Path) -> None:
    large, small = fill(root)
    large.write_bytes(b"")
    small.write_bytes(MAGIC + os.urandom(5000))
    (root / "README").write_text("somebody put this here")
    (root / "zz").mkdir()
    (root / "zz" / "subdirectory").mkdir()
    check(root, damaged=True)
    assert (root / "README").exists()


def test_a_header_that_is_nested_too_deeply(root: Path) -> None:
    """With a right checksum, as whoever may write to a shared directory can make it."""
    large, _ = fill(root)
    identity = b"[" * 200_000
    front = struct.pack("<8sII", MAGIC, len(identity), 1)
    large.write_bytes(front + struct.pack("<Q", xxh3_64_intdigest(front + identity)) + identity)
    check(root, damaged=True)


def test_a_directory_that_vanishes_is_made_again(root: Path) -> None:
    with with_disk(root) as harness:
        through(harness, DATA)
        flush(harness)
        shutil.rmtree(root)
        through(harness, DATA, "other")
        flush(harness)
    check(root, damaged=False)


def start(root: Path, seed: int, limit: int, n: int) -> subprocess.Popen[str]:
    argv = [sys.executable, "-m", "tests.unit.blocks.disk.reader_process", str(root), str(seed), str(limit), str(n)]
    cwd = Path(__file__).parents[3]
    p = subprocess.Popen(argv, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert p.stdout is not None
    if (line := p.stdout.readline()) != "ready\n":
        p.kill()
        pytest.fail(f"{line!r} {p.communicate(timeout=20)[1]}")
    return p


def finish(p: subprocess.Popen[str]) -> list[int]:
    try:
        out, err = p.communicate(timeout=60)
    except subprocess.TimeoutExpired:
        p.kill()
        raise
    assert p.returncode == 0, err
    return [int(x) for x in out.split()[1:]]


def test_processes_crowd_one_directory_under_a_small_limit(root: Path) -> None:
    limit = 20 * MIB
    crowd = [start(root, seed, limit, 1200) for seed in range(3)]
    try:
        results = [finish(p) for p in crowd]
    finally:
        for p in crowd:
            p.kill()
            p.wait()
    assert all(damaged == 0 for _, damaged in results)
    assert sum(disk for disk, _ in results) > 0  # they did profit
    assert taken(root) <= limit * 17 // 16
    assert contents.verify(str(root)).bad_blocks == 0


def test_killed_in_the_middle_of_filling_again_and_again(root: Path) -> None:
    rng = random.Random(2)
    for seed in range(6):
        p = start(root, seed, 1 << 30, 100_000)
        try:
            time.sleep(rng.uniform(0.05, 0.4))  # no matter when: any moment must do
            p.send_signal(signal.SIGKILL)
            assert p.wait(20) == -signal.SIGKILL
        finally:
            p.kill()
            p.communicate(timeout=20)
        found = contents.verify(str(root))
        assert found.bad_files == 0
    assert taken(root) > 0
    store = Endless(SIZE)
    with with_disk(root, store=store) as harness:
        stream = harness.blocks.open(store.id, store.size)
        for at in range(0, SIZE, MIB):
            n = min(MIB, SIZE - at)
            assert read(stream, at, n) == store.at(at, n)
        assert harness.count(BYTES_FROM_DISK) > 0
        assert harness.count(DISK_DAMAGED) == 0
    # The last one also reads on beside a killer that damages files under it.
    p = start(root, 99, 1 << 30, 600)
    try:
        while p.poll() is None:
            for path in root.rglob("*"):
                try:
                    if path.is_file():
                        flip(path, rng.randrange(max(1, path.stat().st_size)), rng.randrange(8))
                except (OSError, IndexError):
                    continue
            time.sleep(0.002)
        finish(p)
    finally:
        p.kill()
        p.wait()
