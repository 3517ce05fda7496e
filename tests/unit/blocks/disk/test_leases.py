"""Mounts that share a cache directory: a byte is fetched once, and nobody waits long for anybody else."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from mountnd.blocks.disk import lease_files, neighbours
from mountnd.blocks.disk.cache import DiskCache
from mountnd.blocks.fetch import sharing
from mountnd.errors import ServerFault
from mountnd.stats import BYTES_FETCHED, BYTES_FROM_DISK, SHARED_VAIN, SHARED_WAITS
from mountnd.stores.memory import MemoryStore
from tests.support.threads import Gate, run_together
from tests.support.waiting import wait_until

from ..harness import KIB, MIB, BlocksHarness, body, read, until
from .disk_harness import flush, lease_names, through, with_disk

DATA = body(6 * MIB + 12345)
OBJECT = MemoryStore().put("a", DATA).id
OTHER = "0123456789abcdef"


@contextmanager
def mounts(root: Path, count: int) -> Iterator[list[BlocksHarness]]:
    """So many mounts over one cache directory, each with a store of its own of the same objects."""
    with ExitStack() as stack:
        yield [stack.enter_context(with_disk(root)) for _ in range(count)]


def files(root: Path, folder: str) -> list[str]:
    return sorted(os.listdir(root / folder)) if (root / folder).exists() else []


def registered(root: Path, source: str, owner: str = OTHER) -> Path:
    """Another mount's sign of life, as it stands there."""
    path = root / neighbours.FOLDER / f"{owner}-{neighbours.tag(source)}"
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.touch(mode=0o600)
    return path


def leased(root: Path, owner: str = OTHER) -> list[Path]:
    """Leases of another mount on all of the object."""
    folder = root / lease_files.FOLDER
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    paths = [folder / name for name in lease_names(OBJECT, len(DATA))]
    for path in paths:
        path.write_text(owner)
        path.chmod(0o600)
    return paths


@contextmanager
def alive(path: Path) -> Iterator[None]:
    """Another mount shows that it lives."""
    ended = threading.Event()

    def beat() -> None:
        while not ended.wait(0.05):
            os.utime(path)

    thread = threading.Thread(target=beat)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Others are waited for much shorter than usual."""
    monkeypatch.setattr(sharing, "PATIENCE_S", 0.2)
    monkeypatch.setattr(sharing, "BYTES_PER_S", 1e9)


def fetched(harnesses: list[BlocksHarness]) -> int:
    return sum(harness.count(BYTES_FETCHED) for harness in harnesses)


def read_start(harness: BlocksHarness, got: list[bytes]) -> None:
    """Add the first 4 KiB of the object, or as much of an error's name."""
    try:
        got.append(read(harness.open("a", DATA), 0, 4096))
    except ServerFault as error:
        got.append(type(error).__name__.encode())


# -- together -------------------------------------------------------------------------------------


def test_mounts_that_read_the_same_at_once_fetch_it_once(root: Path) -> None:
    with mounts(root, 4) as harnesses:
        run_together([lambda h=h: through(h, DATA) for h in harnesses])  # type: ignore[misc]
        for harness in harnesses:
            flush(harness)
        assert fetched(harnesses) == len(DATA)
        assert sum(h.count(BYTES_FROM_DISK) for h in harnesses) >= 3 * len(DATA)
        assert sum(h.count(SHARED_VAIN) for h in harnesses) == 0
        until(lambda: files(root, lease_files.FOLDER) == [])
    assert files(root, neighbours.FOLDER) == []


def test_scattered_reads_are_shared_too(root: Path) -> None:
    places = [at * 97 * KIB for at in range(60)]
    with mounts(root, 3) as harnesses:

        def job(harness: BlocksHarness) -> None:
            stream = harness.open("a", DATA)
            for at in places:
                assert read(stream, at, 4096) == DATA[at : at + 4096]

        run_together([lambda h=h: job(h) for h in harnesses])  # type: ignore[misc]
        for harness in harnesses:
            flush(harness)
        ranges = [r for h in harnesses for r in h.gets]
        assert len(ranges) == len(set(ranges))
        assert fetched(harnesses) <= len(DATA)


def test_many_small_objects_are_fetched_once(root: Path) -> None:
    bodies = {f"sub-{i:02d}.json": body(700 + i, i) for i in range(40)}
    with mounts(root, 4) as harnesses:

        def job(harness: BlocksHarness) -> None:
            for key, data in bodies.items():
                assert read(harness.open(key, data), 0, len(data)) == data

        run_together([lambda h=h: job(h) for h in harnesses])  # type: ignore[misc]
        for harness in harnesses:
            flush(harness)
        assert fetched(harnesses) == sum(map(len, bodies.values()))


def test_who_comes_while_another_fetches_waits_and_reads_it_from_disk(root: Path) -> None:
    with mounts(root, 2) as (first, second):
        first.store.fault = gate = Gate()
        got: list[bytes] = []
        jobs = [threading.Thread(target=read_start, args=(harness, got)) for harness in (first, second)]
        jobs[0].start()
        gate.await_requests()
        jobs[1].start()
        until(lambda: second.count(SHARED_WAITS) == 1)
        assert second.gets == []
        gate.open()
        for job in jobs:
            job.join(20)
        assert got == [DATA[:4096]] * 2
        assert second.gets == [] and second.count(SHARED_VAIN) == 0


def test_what_was_not_fetched_after_all_is_fetched_by_who_waited(root: Path) -> None:
    with mounts(root, 2) as (first, second):
        first.store.fault = gate = Gate()
        gate.error = ServerFault("not today")
        got: list[bytes] = []
        failing = threading.Thread(target=read_start, args=(first, got))
        failing.start()
        gate.await_requests()
        waiting = threading.Thread(target=read_start, args=(second, got))
        waiting.start()
        until(lambda: second.count(SHARED_WAITS) == 1)
        gate.open()
        failing.join(20)
        waiting.join(20)
        assert got == [b"ServerFault", DATA[:4096]]
        assert second.count(SHARED_VAIN) == 0


# -- alone ----------------------------------------------------------------------------------------


def test_a_mount_alone_takes_no_lease_and_starts_no_thread(root: Path) -> None:
    with with_disk(root) as harness:
        through(harness, DATA)
        flush(harness)
        assert not (root / lease_files.FOLDER).exists()
        assert len(files(root, neighbours.FOLDER)) == 1
        assert not any(thread.name == "leases" for thread in threading.enumerate())


def test_mounts_of_other_sources_are_no_neighbours(root: Path) -> None:
    with with_disk(root) as one, with_disk(root, store=MemoryStore(url="memory://other")) as two:
        run_together([lambda: through(one, DATA), lambda: through(two, DATA)])
        assert not (root / lease_files.FOLDER).exists()


def test_an_idle_neighbour_is_forgotten_and_noticed_again(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbours, "SILENT_S", 0.3)
    with mounts(root, 2) as (reading, idle):
        disk = reading.disk
        assert isinstance(disk, DiskCache)
        source = reading.store.source
        assert disk.leases(source) is not None, "it might begin to read, too"
        wait_until(lambda: disk.leases(source) is None, pause=0.05)
        through(idle, DATA[: 64 * KIB], "b")
        assert disk.leases(source) is not None


# -- nobody depends on anybody ----------------------------------------------------------------------


def test_leases_of_a_mount_that_is_gone_hold_up_nobody(root: Path) -> None:
    held = leased(root)
    with mounts(root, 2) as (harness, _):
        through(harness, DATA)
        flush(harness)
        assert harness.count(SHARED_VAIN) == 0
        until(lambda: not any(path.exists() for path in held))


def test_a_dead_mount_is_waited_for_once(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbours, "SILENT_S", 0.3)
    registered(root, OBJECT.source)
    leased(root)
    with with_disk(root) as harness:
        stream = harness.open("a", DATA)
        assert read(stream, 0, 4096) == DATA[:4096]
        assert harness.count(SHARED_WAITS) == 1
        for part in range(1, 12):
            assert read(stream, part * 512 * KIB, 4096) == DATA[part * 512 * KIB :][:4096]
        assert harness.count(SHARED_WAITS) == 1
        assert harness.count(SHARED_VAIN) == 0, "it was dead, not slow"


@pytest.mark.usefixtures("impatient")
def test_a_mount_that_lives_and_gets_no_answer_is_waited_for_once(root: Path) -> None:
    with alive(registered(root, OBJECT.source)):
        leased(root)
        with with_disk(root) as harness:
            stream = harness.open("a", DATA)
            for part in range(12):
                assert read(stream, part * 512 * KIB, 4096) == DATA[part * 512 * KIB :][:4096]
            assert harness.count(SHARED_WAITS) == harness.count(SHARED_VAIN) == 1


@pytest.mark.usefixtures("impatient")
def test_two_that_stall_hold_up_each_other_no_longer_than_that(root: Path) -> None:
    with mounts(root, 2) as (first, second):
        first.store.fault = gate = Gate()
        stuck = threading.Thread(target=lambda: read(first.open("a", DATA), 0, 4096))
        stuck.start()
        gate.await_requests()
        assert read(second.open("a", DATA), 0, 4096) == DATA[:4096]
        assert second.count(SHARED_VAIN) == 1
        gate.open()
        stuck.join(20)


def test_who_waits_can_be_cancelled(root: Path) -> None:
    """Nobody wants it any more: the wait ends, and nothing is fetched."""
    with alive(registered(root, OBJECT.source)):
        leased(root)
        with with_disk(root) as harness:
            stat = harness.put("a", DATA)
            harness.blocks.prefetch(stat.id, stat.size, 0, MIB, owner="me")
            until(lambda: harness.count(SHARED_WAITS) >= 1)
            harness.blocks.cancel("me")
            harness.quiet()
            assert harness.gets == []


@pytest.mark.parametrize("years", [-30, 30])
def test_wrong_clocks(root: Path, years: int) -> None:
    """Files of times long past and to come: of mounts, which then count as left by a crash, and of leases."""
    wrong = time.time() + years * 365 * 86400
    os.utime(path := registered(root, OBJECT.source), (wrong, wrong))
    for lease in leased(root, owner=""):
        os.utime(lease, (wrong, wrong))
    with mounts(root, 2) as (harness, _):
        assert not path.exists()
        through(harness, DATA)
        assert harness.count(SHARED_VAIN) == 0


def test_a_clock_that_runs_backwards(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, calls = time.time_ns, iter(range(10**9))
    monkeypatch.setattr(time, "time_ns", lambda: real() - next(calls) * 10**9)
    with mounts(root, 2) as harnesses:
        run_together([lambda h=h: through(h, DATA) for h in harnesses])  # type: ignore[misc]
        # A lease that was just made, and says not yet whose it is, may be taken for an old one.
        assert len(DATA) <= fetched(harnesses) < 2 * len(DATA)


# -- where nothing can be written --------------------------------------------------------------------


@pytest.mark.parametrize("folder", [neighbours.FOLDER, lease_files.FOLDER])
@pytest.mark.parametrize("what", ["file", "link", "open to others"])
def test_what_is_in_the_way_is_left_alone(root: Path, folder: str, what: str, tmp_path: Path) -> None:
    root.mkdir(mode=0o700, parents=True)
    (target := tmp_path / "elsewhere").mkdir()
    make: dict[str, Callable[[], object]] = {
        "file": lambda: (root / folder).write_text("mine"),
        "link": lambda: (root / folder).symlink_to(target),
        "open to others": lambda: ((root / folder).mkdir(), (root / folder).chmod(0o777)),
    }
    make[what]()
    with mounts(root, 2) as harnesses:
        run_together([lambda h=h: through(h, DATA) for h in harnesses])  # type: ignore[misc]
        assert os.listdir(target) == []
        if what == "file":
            assert (root / folder).read_text() == "mine"


@pytest.mark.root
@pytest.mark.skipif(os.getuid() != 0, reason="needs root, to mount a tmpfs")
def test_a_cache_that_is_read_only_or_full(root: Path, tmp_path: Path) -> None:
    import subprocess

    root.mkdir(mode=0o700, parents=True)
    mount = ["mount", "-t", "tmpfs", "-o", "size=3m,mode=0700", "mountnd-test", str(root)]
    assert subprocess.run(mount, check=False).returncode == 0
    try:
        for options in ("remount,nr_inodes=40", "remount,ro"):
            assert subprocess.run(["mount", "-o", options, str(root)], check=False).returncode == 0
            with mounts(root, 2) as harnesses:
                run_together([lambda h=h: through(h, DATA) for h in harnesses])  # type: ignore[misc]
    finally:
        subprocess.run(["umount", "-l", str(root)], check=True)


def test_a_cache_that_is_removed_meanwhile(root: Path) -> None:
    import shutil

    with mounts(root, 2) as harnesses:
        ended = threading.Event()

        def remove() -> None:
            while not ended.wait(0.01):
                shutil.rmtree(root, ignore_errors=True)

        remover = threading.Thread(target=remove)
        remover.start()
        try:
            run_together([lambda h=h: through(h, DATA) for h in harnesses])  # type: ignore[misc]
        finally:
            ended.set()
            remover.join()


def test_what_crashes_left_is_cleared_away(root: Path) -> None:
    old = time.time() - 3600
    left = [*leased(root), registered(root, OBJECT.source), registered(root, "memory://gone", "f" * 16)]
    strange = [root / neighbours.FOLDER / "notes.txt", root / lease_files.FOLDER / "notes.txt"]
    for path in strange:
        path.touch()
    for path in (*left, *strange):
        os.utime(path, (old, old))
    with with_disk(root):
        assert not any(path.exists() for path in left)
        assert all(path.exists() for path in strange)
