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

from mountnd.blocks import counters
from mountnd.blocks.disk import directory as cachedir
from mountnd.blocks.disk import eviction as evict
from mountnd.blocks.disk.cache import DiskTier
from mountnd.blocks.disk.chunk_file import CHUNK, ChunkFile
from mountnd.blocks.disk.eviction import Held
from mountnd.blocks.disk.writer import PINNED
from mountnd.blocks.geometry import BLOCK
from mountnd.stats import Stats
from mountnd.stores.memory import MemoryStore

from .rig import KIB, MIB, PATIENCE_S, Endless, Rig, body, read

DATA = body(20 * MIB + 12345)


def with_disk(root: Path, *, limit: int | None = 1 << 30, store: object = None, memory: int = 64 * MIB) -> Rig:
    stats = Stats()
    disk = DiskTier(root, limit, stats)
    return Rig(memory=memory, disk=disk, store=store, stats=stats)


def flush(rig: Rig) -> None:
    rig.quiet()
    disk = rig.blocks._disk
    assert isinstance(disk, DiskTier)
    assert disk.flush(PATIENCE_S)


def taken(root: Path) -> int:
    """Bytes on disk of everything below `root`, directories not counted."""
    return sum(p.stat().st_blocks * 512 for p in root.rglob("*") if p.is_file())


def through(rig: Rig, data: bytes, key: str = "a", step: int = 256 * KIB) -> None:
    """Read the object from end to end and compare."""
    stream = rig.open(key, data)
    for at in range(0, len(data), step):
        n = min(step, len(data) - at)
        assert read(stream, at, n) == data[at : at + n]
    stream.close()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "blocks"


def test_a_second_mount_reads_without_a_request(root: Path) -> None:
    with with_disk(root) as rig:
        through(rig, DATA)
        small = rig.put("small.json", b'{"a": 1}')
        assert read(rig.blocks.open(small.id, small.size), 0, small.size) == b'{"a": 1}'
        flush(rig)
        assert rig.count(counters.DISK_KEPT) == len(DATA) + small.size
        store = rig.store
    assert isinstance(store, MemoryStore)
    store.calls.clear()
    with with_disk(root, store=store) as rig:
        through(rig, DATA)
        assert read(rig.blocks.open(small.id, small.size), 0, small.size) == b'{"a": 1}'
        assert rig.gets == []
        rig.quiet()
        assert rig.count(counters.DISK) == len(DATA) + small.size
        assert rig.count(counters.FETCHED) == 0


def test_streaming_from_disk_takes_little_memory(root: Path) -> None:
    data = body(60 * MIB)
    with with_disk(root, memory=256 * MIB) as rig:
        through(rig, data)
        store = rig.store
    store.calls.clear()
    with with_disk(root, store=store, memory=256 * MIB) as rig:
        stream = rig.open("a", data)
        most = 0
        for at in range(0, len(data), MIB):
            assert read(stream, at, MIB) == data[at : at + MIB]
            most = max(most, rig.used)
        assert rig.gets == []
        assert most <= 20 * MIB
        assert rig.count(counters.WASTED) == 0


def test_another_etag_is_another_object(root: Path) -> None:
    newer = body(len(DATA), seed=9)
    for data in (DATA, newer, DATA, newer):
        with with_disk(root) as rig:
            through(rig, data)
            flush(rig)


def test_closing_writes_what_waits(root: Path) -> None:
    with with_disk(root) as rig:
        through(rig, DATA)
        store = rig.store
    store.calls.clear()
    with with_disk(root, store=store) as rig:
        through(rig, DATA)
        assert rig.gets == []


def test_holes_are_fetched_and_only_they(root: Path) -> None:
    with with_disk(root) as rig:
        stream = rig.open("a", DATA)
        read(stream, 100 * BLOCK, 8 * BLOCK)  # on a cold connection more is fetched
        rig.quiet()
        for block in (3, 4, 5, 6, 9):
            read(rig.blocks.open(stream._id, len(DATA)), block * BLOCK + 5, 100)
        flush(rig)
        store = rig.store
    store.calls.clear()
    with with_disk(root, store=store) as rig:
        stream = rig.open("a", DATA)
        read(stream, 200 * BLOCK, 8 * BLOCK)
        assert read(stream, 2 * BLOCK, 9 * BLOCK) == DATA[2 * BLOCK : 11 * BLOCK]
        # One block between two gaps is no reason for a second request, four are.
        assert {g for g in rig.gets if g[0] < 11 * BLOCK} == {(2 * BLOCK, 3 * BLOCK), (7 * BLOCK, 11 * BLOCK)}


def test_a_huge_object_costs_what_was_read_of_it(root: Path) -> None:
    store = Endless(300 << 30)
    with with_disk(root, store=store) as rig:
        stream = rig.blocks.open(store.id, store.size)
        rng = random.Random(3)
        for _ in range(20):
            at = rng.randrange(store.size - 100_000)
            assert read(stream, at, 100_000) == store.at(at, 100_000)
        flush(rig)
        assert taken(root) <= 20 * (3 * BLOCK + 2 * 4096)
        assert store.fetched <= 20 * 3 * BLOCK


def test_only_the_user_may_look(root: Path) -> None:
    old = os.umask(0)
    try:
        with with_disk(root) as rig:
            through(rig, DATA[:MIB])
            flush(rig)
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
    with with_disk(root, limit=limit, memory=64 * MIB) as rig:
        watcher.start()
        try:
            for i, data in enumerate([*files, *files[:5]]):
                through(rig, data, f"f{i}")
            flush(rig)
        finally:
            done.set()
            watcher.join(PATIENCE_S)
        assert 0 < most <= limit
        assert rig.count(counters.DISK_EVICTED) > 0
        assert limit // 2 <= taken(root) <= limit


def test_what_was_used_last_stays(root: Path) -> None:
    files = {f"k{i}": body(MIB, i) for i in range(12)}
    with with_disk(root, limit=9 * MIB, memory=MIB) as rig:
        for key, data in files.items():
            through(rig, files["k0"], "k0")  # read again and again, from disk
            through(rig, data, key)
            flush(rig)
        store = rig.store
    kept = {e.key for e in cachedir.listing(str(root))}
    assert {"k0", "k11", "k10"} <= kept
    assert not {"k1", "k2", "k3"} & kept
    store.calls.clear()
    with with_disk(root, store=store) as rig:
        through(rig, files["k0"], "k0")
        assert rig.gets == []


def test_a_limit_of_less_than_a_run_keeps_nothing_and_harms_nothing(root: Path) -> None:
    with with_disk(root, limit=1000) as rig:
        through(rig, DATA)
        flush(rig)
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
    with with_disk(root, memory=4 * MIB) as rig:
        through(rig, DATA)  # ends although nothing can be written
        assert rig.used <= 4 * MIB + PINNED + MIB
        slow.set()
        flush(rig)
        # What memory could not hold until then is not kept, and that is all there is to it.
        kept, skipped = rig.count(counters.DISK_KEPT), rig.count(counters.DISK_SKIPPED)
        assert len(DATA) <= kept + skipped <= rig.count(counters.FETCHED)
        assert PINNED // 2 <= kept <= 4 * MIB + PINNED + 2 * MIB


def test_waiting_blocks_hold_no_memory_that_readers_need(root: Path, slow: threading.Event) -> None:
    data = body(64 * MIB)
    with with_disk(root, memory=32 * MIB) as rig:
        through(rig, data)
        assert rig.count(counters.WASTED) == 0
        assert rig.count(counters.OVERDRAFT) == 0
        assert rig.used <= 32 * MIB
        slow.set()
        flush(rig)


def test_a_directory_of_another_user_is_not_used(root: Path, caplog: pytest.LogCaptureFixture) -> None:
    if os.geteuid():
        pytest.skip("only root can give a directory away")
    root.mkdir(parents=True)
    os.chown(root, 12345, 12345)
    with caplog.at_level(logging.WARNING), with_disk(root) as rig:
        through(rig, DATA)
        flush(rig)
    assert list(root.iterdir()) == []
    assert [r.getMessage() for r in caplog.records if r.name.startswith("mountnd")] == [
        f"{root}: cannot keep data here ({root} belongs to another user); going on with memory alone"
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
    monkeypatch.setattr(cachedir, "space", lambda root: (1 << 40, 1 << 40))
    with caplog.at_level(logging.WARNING), with_disk(tmpfs / "c", memory=4 * MIB) as rig:
        through(rig, DATA)
        through(rig, DATA)
        flush(rig)
        assert rig.count(counters.DISK_SKIPPED) > 0
    warnings = [r.getMessage() for r in caplog.records]
    assert len(warnings) == 1
    assert "No space left" in warnings[0]
    with with_disk(tmpfs / "c") as rig:
        through(rig, DATA)
        assert rig.count(counters.DISK_DAMAGED) == 0


@pytest.mark.root
def test_five_percent_of_the_disk_stay_free(tmpfs: Path) -> None:
    with with_disk(tmpfs / "c", limit=1 << 30) as rig:
        through(rig, DATA)
        flush(rig)
        free, total = cachedir.space(str(tmpfs))
        assert free >= total // 20
        assert taken(tmpfs) >= total // 2


@pytest.mark.root
def test_a_read_only_directory_is_read_and_warned_about_once(tmpfs: Path, caplog: pytest.LogCaptureFixture) -> None:
    data = DATA[: 3 * MIB]
    with with_disk(tmpfs / "c") as rig:
        through(rig, data)
        store = rig.store
    subprocess.run(["mount", "-o", "remount,ro", tmpfs], check=True)
    store.calls.clear()
    with caplog.at_level(logging.WARNING), with_disk(tmpfs / "c", store=store) as rig:
        through(rig, data)
        assert rig.gets == []
        for i in range(5):
            through(rig, DATA[: (i + 1) * 100_000], f"new{i}")
        flush(rig)
    assert len(caplog.records) == 1
    assert "Read-only" in caplog.records[0].getMessage()


def test_listing_clearing_and_the_default_limit(root: Path) -> None:
    assert cachedir.listing(str(root)) == []
    assert cachedir.verify(str(root)) == (0, 0, 0, 0)
    assert cachedir.clear(str(root)) == 0
    with with_disk(root, limit=None) as rig:
        through(rig, DATA, "big")
        through(rig, b"x" * 1000, "dir/small\udcff\U0001f600")
        flush(rig)
    listed = {e.key: e for e in cachedir.listing(str(root))}
    assert set(listed) == {"big", "dir/small\udcff\U0001f600"}
    big = listed["big"]
    assert (big.size, big.held, big.source) == (len(DATA), len(DATA), rig.store.source)
    assert len(DATA) <= big.disk <= len(DATA) + 3 * 3 * 4096
    assert cachedir.verify(str(root)) == (-(-len(DATA) // CHUNK) + 1, -(-len(DATA) // BLOCK) + 1, 0, 0)
    assert cachedir.clear(str(root), lambda source, key: key.startswith("dir/")) == 4096
    assert {e.key for e in cachedir.listing(str(root))} == {"big"}
    assert cachedir.clear(str(root)) == big.disk
    assert taken(root) == 0


def test_half_made_files_of_a_dead_process_go_after_an_hour(root: Path) -> None:
    with with_disk(root) as rig:
        through(rig, DATA[:MIB])
    (held,) = cachedir.scan(str(root))
    fresh, old = (root / f"{held.path}.1-{n}.new" for n in ("fresh", "old"))
    for p in (fresh, old):
        p.write_bytes(b"half")
    os.utime(old, (1, 1))
    assert [h.path for h in cachedir.scan(str(root))] == [held.path]
    assert fresh.exists()
    assert not old.exists()


def test_eviction_is_by_last_use_and_no_more_than_asked() -> None:
    files = [Held("a", 10, 3.0), Held("b", 20, 1.0), Held("c", 30, 2.0)]
    assert evict.choose(files, 0) == []
    assert [h.path for h in evict.choose(files, 1)] == ["b"]
    assert [h.path for h in evict.choose(files, 20)] == ["b"]
    assert [h.path for h in evict.choose(files, 21)] == ["b", "c"]
    assert [h.path for h in evict.choose(files, 10**9)] == ["b", "c", "a"]
    assert evict.default_limit(1 << 40) == 10 << 30
    assert evict.default_limit(20 << 30) == 2 << 30
    assert evict.room(100, 30, 10**6, 10**6) == 70
    assert evict.room(10**6, 0, 60, 1000) == 10
    assert evict.room(10**6, 0, 40, 1000) == -10
