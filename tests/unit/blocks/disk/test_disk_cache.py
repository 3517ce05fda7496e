"""The disk tier: what it keeps over restarts, its limit, and that it degrades to memory with one warning."""

from __future__ import annotations

import logging
import os
import random
import stat
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from mountnd.blocks.disk import contents, directory
from mountnd.blocks.disk.chunk_file import CHUNK, ChunkFile
from mountnd.blocks.disk.writer import PINNED
from mountnd.blocks.geometry import BLOCK
from mountnd.stats import (
    BYTES_FETCHED,
    BYTES_FROM_DISK,
    DISK_DAMAGED,
    DISK_EVICTED,
    DISK_KEPT,
    DISK_SKIPPED,
    MEMORY_OVERDRAFT,
    PREFETCH_WASTED,
)
from mountnd.stores.memory import MemoryStore

from ..harness import MIB, PATIENCE_S, Endless, body, read
from .disk_harness import flush, taken, through, with_disk

DATA = body(20 * MIB + 12345)


def test_a_second_mount_reads_without_a_request(root: Path) -> None:
    with with_disk(root) as harness:
        through(harness, DATA)
        small = harness.put("small.json", b'{"a": 1}')
        assert read(harness.blocks.open(small.id, small.size), 0, small.size) == b'{"a": 1}'
        flush(harness)
        assert harness.count(DISK_KEPT) == len(DATA) + small.size
        store = harness.store
    assert isinstance(store, MemoryStore)
    store.calls.clear()
    with with_disk(root, store=store) as harness:
        through(harness, DATA)
        assert read(harness.blocks.open(small.id, small.size), 0, small.size) == b'{"a": 1}'
        assert harness.gets == []
        harness.quiet()
        assert harness.count(BYTES_FROM_DISK) == len(DATA) + small.size
        assert harness.count(BYTES_FETCHED) == 0


def test_streaming_from_disk_takes_little_memory(root: Path) -> None:
    data = body(60 * MIB)
    with with_disk(root, memory=256 * MIB) as harness:
        through(harness, data)
        store = harness.store
    store.calls.clear()
    with with_disk(root, store=store, memory=256 * MIB) as harness:
        stream = harness.open("a", data)
        most = 0
        for at in range(0, len(data), MIB):
            assert read(stream, at, MIB) == data[at : at + MIB]
            most = max(most, harness.used)
        assert harness.gets == []
        assert most <= 20 * MIB
        assert harness.count(PREFETCH_WASTED) == 0


def test_another_etag_is_another_object(root: Path) -> None:
    newer = body(len(DATA), seed=9)
    for data in (DATA, newer, DATA, newer):
        with with_disk(root) as harness:
            through(harness, data)
            flush(harness)


def test_closing_writes_what_waits(root: Path) -> None:
    with with_disk(root) as harness:
        through(harness, DATA)
        store = harness.store
    store.calls.clear()
    with with_disk(root, store=store) as harness:
        through(harness, DATA)
        assert harness.gets == []


def test_holes_are_fetched_and_only_they(root: Path) -> None:
    with with_disk(root) as harness:
        stream = harness.open("a", DATA)
        read(stream, 100 * BLOCK, 32 * BLOCK)  # on a cold connection more is fetched
        harness.quiet()
        for block in (3, 4, 5, 6, 9):
            read(harness.blocks.open(stream.id, len(DATA)), block * BLOCK + 5, 100)
        flush(harness)
        store = harness.store
    store.calls.clear()
    with with_disk(root, store=store) as harness:
        stream = harness.open("a", DATA)
        read(stream, 200 * BLOCK, 32 * BLOCK)  # over four connections, which are warm then
        assert read(stream, 2 * BLOCK, 9 * BLOCK) == DATA[2 * BLOCK : 11 * BLOCK]
        # One block between two gaps is no reason for a second request, four are.
        assert {g for g in harness.gets if g[0] < 11 * BLOCK} == {(2 * BLOCK, 3 * BLOCK), (7 * BLOCK, 11 * BLOCK)}


def test_a_huge_object_costs_what_was_read_of_it(root: Path) -> None:
    store = Endless(300 << 30)
    with with_disk(root, store=store) as harness:
        stream = harness.blocks.open(store.id, store.size)
        rng = random.Random(3)
        for _ in range(20):
            at = rng.randrange(store.size - 100_000)
            assert read(stream, at, 100_000) == store.at(at, 100_000)
        flush(harness)
        assert taken(root) <= 20 * (3 * BLOCK + 2 * 4096)
        assert store.fetched <= 20 * 3 * BLOCK


def test_only_the_user_may_look(root: Path) -> None:
    old = os.umask(0)
    try:
        with with_disk(root) as harness:
            through(harness, DATA[:MIB])
            flush(harness)
    finally:
        os.umask(old)
    for path in [root, *root.rglob("*")]:
        want = 0o700 if path.is_dir() else 0o600
        assert stat.S_IMODE(path.stat().st_mode) == want, path


@pytest.mark.parametrize("limit", [4 * MIB, 40 * MIB])
def test_the_limit_holds_while_readers_read(root: Path, limit: int) -> None:
    rng = random.Random(8)
    files = [body(rng.randrange(1, 6 * MIB), i) for i in range(30)]
    most = 0
    done = threading.Event()

    def watch() -> None:
        nonlocal most
        while not done.is_set():
            before = set(root.rglob("*"))
            try:
                now = taken(root)
            except OSError:
                continue  # evicted under our eyes
            if before <= set(root.rglob("*")):  # else it counts what is gone and what came for it
                most = max(most, now)
            done.wait(0.002)

    watcher = threading.Thread(target=watch)
    with with_disk(root, limit=limit, memory=64 * MIB) as harness:
        watcher.start()
        try:
            for i, data in enumerate([*files, *files[:5]]):
                through(harness, data, f"f{i}")
            flush(harness)
        finally:
            done.set()
            watcher.join(PATIENCE_S)
        assert 0 < most <= limit
        assert harness.count(DISK_EVICTED) > 0
        assert limit // 2 <= taken(root) <= limit


def test_what_was_used_last_stays(root: Path) -> None:
    files = {f"k{i}": body(MIB, i) for i in range(12)}
    with with_disk(root, limit=9 * MIB, memory=MIB) as harness:
        for key, data in files.items():
            through(harness, files["k0"], "k0")  # read again and again, from disk
            through(harness, data, key)
            flush(harness)
        store = harness.store
    kept = {e.key for e in contents.objects(str(root))}
    assert {"k0", "k11", "k10"} <= kept
    assert not {"k1", "k2", "k3"} & kept
    store.calls.clear()
    with with_disk(root, store=store) as harness:
        through(harness, files["k0"], "k0")
        assert harness.gets == []


def test_a_limit_of_less_than_a_run_keeps_nothing_and_harms_nothing(root: Path) -> None:
    with with_disk(root, limit=1000) as harness:
        through(harness, DATA)
        flush(harness)
        assert taken(root) <= 1000


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """A disk that writes nothing until the event is set."""
    gate = threading.Event()
    real = ChunkFile.write

    def write(self: ChunkFile, *args: object) -> int:
        assert gate.wait(PATIENCE_S)
        return real(self, *args)  # type: ignore[arg-type]

    monkeypatch.setattr(ChunkFile, "write", write)
    yield gate
    gate.set()


def test_readers_do_not_wait_for_a_slow_disk(root: Path, slow: threading.Event) -> None:
    with with_disk(root, memory=4 * MIB) as harness:
        through(harness, DATA)  # ends although nothing can be written
        assert harness.used <= 4 * MIB + PINNED + MIB
        slow.set()
        flush(harness)
        # What memory could not hold until then is not kept, and that is all there is to it.
        kept, skipped = harness.count(DISK_KEPT), harness.count(DISK_SKIPPED)
        assert len(DATA) <= kept + skipped <= harness.count(BYTES_FETCHED)
        assert PINNED // 2 <= kept <= 4 * MIB + PINNED + 2 * MIB


def test_waiting_blocks_hold_no_memory_that_readers_need(root: Path, slow: threading.Event) -> None:
    data = body(64 * MIB)
    with with_disk(root, memory=32 * MIB) as harness:
        through(harness, data)
        assert harness.count(PREFETCH_WASTED) == 0
        assert harness.count(MEMORY_OVERDRAFT) == 0
        assert harness.used <= 32 * MIB
        slow.set()
        flush(harness)


def test_a_directory_of_another_user_is_not_used(root: Path, caplog: pytest.LogCaptureFixture) -> None:
    if os.geteuid():
        pytest.skip("only root can give a directory away")
    root.mkdir(parents=True)
    os.chown(root, 12345, 12345)
    with caplog.at_level(logging.WARNING), with_disk(root) as harness:
        through(harness, DATA)
        flush(harness)
    assert list(root.iterdir()) == []
    why = "it belongs to user 12345, who could put false data there; choose a directory of your own"
    assert [r.getMessage() for r in caplog.records if r.name.startswith("mountnd")] == [
        f"{root}: cannot cache data here ({why}); continuing with memory only"
    ]


@pytest.fixture
def tmpfs(tmp_path: Path) -> Iterator[Path]:
    """A file system of 8 MiB of its own."""
    at = tmp_path / "tmpfs"
    at.mkdir()
    got = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=8m,mode=700", "tmpfs", at], capture_output=True, text=True, check=False
    )
    if got.returncode:
        pytest.skip(f"cannot mount a tmpfs: {got.stderr.strip()}")
    try:
        yield at
    finally:
        subprocess.run(["umount", "-l", at], check=True)


@pytest.mark.root
def test_a_full_disk_degrades_to_memory_with_one_warning(
    tmpfs: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Blind to the space that is left, as with a quota that statvfs does not show.
    monkeypatch.setattr(directory, "disk_space", lambda root: (1 << 40, 1 << 40))
    with caplog.at_level(logging.WARNING), with_disk(tmpfs / "c", memory=4 * MIB) as harness:
        stream = harness.open("a", DATA)
        for at in range(0, len(DATA), MIB):  # each is written before memory needs its place for the next
            n = min(MIB, len(DATA) - at)
            assert read(stream, at, n) == DATA[at : at + n]
            flush(harness)
        through(harness, DATA)
        assert harness.count(DISK_SKIPPED) > 0
    warnings = [r.getMessage() for r in caplog.records]
    assert len(warnings) == 1
    assert "No space left" in warnings[0]
    with with_disk(tmpfs / "c") as harness:
        through(harness, DATA)
        assert harness.count(DISK_DAMAGED) == 0


@pytest.mark.root
def test_five_percent_of_the_disk_stay_free(tmpfs: Path) -> None:
    with with_disk(tmpfs / "c", limit=1 << 30) as harness:
        through(harness, DATA)
        flush(harness)
        free, total = directory.disk_space(str(tmpfs))
        assert free >= total // 20
        assert taken(tmpfs) >= total // 2


@pytest.mark.root
def test_a_read_only_directory_is_read_and_warned_about_once(tmpfs: Path, caplog: pytest.LogCaptureFixture) -> None:
    data = DATA[: 3 * MIB]
    with with_disk(tmpfs / "c") as harness:
        through(harness, data)
        store = harness.store
    subprocess.run(["mount", "-o", "remount,ro", tmpfs], check=True)
    store.calls.clear()
    with caplog.at_level(logging.WARNING), with_disk(tmpfs / "c", store=store) as harness:
        through(harness, data)
        assert harness.gets == []
        for i in range(5):
            through(harness, DATA[: (i + 1) * 100_000], f"new{i}")
        flush(harness)
    assert len(caplog.records) == 1
    assert "Read-only" in caplog.records[0].getMessage()


def test_listing_clearing_and_the_default_limit(root: Path) -> None:
    assert contents.objects(str(root)) == []
    assert contents.verify(str(root)) == (0, 0, 0, 0, 0)
    assert contents.clear(str(root)) == (0, 0)
    with with_disk(root, limit=None) as harness:
        through(harness, DATA, "big")
        through(harness, b"x" * 1000, "dir/small\udcff\U0001f600")
        flush(harness)
    listed = {e.key: e for e in contents.objects(str(root))}
    assert set(listed) == {"big", "dir/small\udcff\U0001f600"}
    big = listed["big"]
    assert (big.size, big.held, big.source) == (len(DATA), len(DATA), harness.store.source)
    assert len(DATA) <= big.disk <= len(DATA) + 3 * 3 * 4096
    assert contents.verify(str(root)) == (-(-len(DATA) // CHUNK) + 1, -(-len(DATA) // BLOCK) + 1, 0, 0, 0)
    assert contents.clear(str(root), lambda source, key: key.startswith("dir/")) == (4096, 0)
    assert {e.key for e in contents.objects(str(root))} == {"big"}
    assert contents.clear(str(root)) == (big.disk, 0)
    assert taken(root) == 0


def test_half_made_files_of_a_dead_process_go_after_an_hour(root: Path) -> None:
    with with_disk(root) as harness:
        through(harness, DATA[:MIB])
    (held,) = directory.scan(str(root))
    fresh, old = (root / f"{held.path}.1-{n}.new" for n in ("fresh", "old"))
    for p in (fresh, old):
        p.write_bytes(b"half")
    os.utime(old, (1, 1))
    assert [h.path for h in directory.scan(str(root))] == [held.path]
    assert fresh.exists()
    assert not old.exists()
