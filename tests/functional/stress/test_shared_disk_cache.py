"""The disk cache under stress, through real mounts: whatever happens to it, readers get the source's bytes.

Two mounts share one cache directory, and processes read on both as hard as they can, each read compared with the
source: under a size limit that everything read does not fit in, while daemons are killed in mid-fill, while the cache's
files are damaged under them, on a disk that fills up, and where nothing may be written.
"""

from __future__ import annotations

import contextlib
import itertools
import random
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from mountnd.blocks.disk import contents
from mountnd.blocks.geometry import BLOCK
from mountnd.stats import BYTES_ASKED, BYTES_FETCHED, BYTES_FROM_DISK, DISK_DAMAGED, DISK_EVICTED, DISK_SKIPPED
from tests.support.mounts import Mounted, kernel_mount
from tests.support.tree import MIB, Bucket

from .cache_files import FILES, chunk_files, damage, disk_usage, fill, flip_block, is_intact, wait_until_filled
from .readers import counters, read_all, readers

pytestmark = pytest.mark.kernel

LIMIT = 24 * MIB
# What two daemons may have written before either looks at the directory again, on top of the limit.
SLACK = LIMIT // 8
MEMORY = 12 * MIB  # so that most reads ask the disk
ENOUGH_S = 60.0  # what a busy machine may take beyond the usual to come to what a test looks at
ONE_WARNING = "cannot cache data here"


class Place(NamedTuple):
    """The bucket called `bucket` at `url`, the directory of its source, and one for mounts and their cache."""

    url: str
    bucket: str
    source: Path
    where: Path

    @property
    def cache(self) -> Path:
        return self.where / "cache"

    @property
    def blocks(self) -> Path:
        return self.cache / "blocks"

    @contextlib.contextmanager
    def mount(self, name: str, **options: object) -> Iterator[Mounted]:
        """A mount called `name` that shares this place's cache directory."""
        at = self.where / name
        at.mkdir(exist_ok=True)
        all_options = {"memory": MEMORY, "cache_size": LIMIT, "cache_dir": self.cache, "ttl": "indefinite"} | options
        with kernel_mount(at, self.url, [f"s3://{self.bucket}"], all_options) as mount:
            yield mount


@pytest.fixture(scope="module")
def filled(server: str, tmp_path_factory: pytest.TempPathFactory) -> tuple[Bucket, Path]:
    """The bucket, which is only read, and its source."""
    bucket, source = Bucket(server, "disk-cache"), tmp_path_factory.mktemp("disk-cache") / "source"
    fill(bucket, source)
    return bucket, source


@pytest.fixture
def place(filled: tuple[Bucket, Path], tmp_path: Path) -> Place:
    bucket, source = filled
    return Place(bucket.url, bucket.name, source, tmp_path)


@pytest.fixture
def small_disk(place: Place) -> Iterator[Callable[[str], None]]:
    """The place's cache directory is a disk of 8 MiB; call it to mount it anew with other options."""
    place.cache.mkdir(mode=0o700)

    def mount(options: str) -> None:
        argv = ["mount", "-t", "tmpfs", "-o", options, "mountnd-test", str(place.cache)]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=20, check=False)
        if done.returncode:
            pytest.skip(f"needs to mount a tmpfs: {done.stderr.strip()}")

    mount("size=8m,mode=0700")
    try:
        yield mount
    finally:
        subprocess.run(["umount", "-l", str(place.cache)], check=True, timeout=20)


def largest_usage(place: Place, seconds: float, enough: Callable[[], bool] = lambda: True) -> int:
    """The largest size that the cache is seen to have: for so long, and then until there was `enough` to see."""
    end, most = time.monotonic() + seconds, 0
    last = end + ENOUGH_S
    while time.monotonic() < end or (time.monotonic() < last and not enough()):
        most = max(most, disk_usage(place.blocks))
        time.sleep(0.02)
    return most


def evicted(*mounts: Mounted) -> int:
    """Bytes that these mounts have evicted."""
    return sum(counters(mount).get(DISK_EVICTED, 0) for mount in mounts)


def damaged_blocks(mount: Mounted) -> int:
    """Damaged blocks that a mount has met."""
    return counters(mount).get(DISK_DAMAGED, 0)


def test_two_mounts_share_a_directory_that_holds_less_than_they_read(place: Place) -> None:
    with place.mount("a") as a, place.mount("b") as b:
        with readers(place.source, (a.path, [1, 2]), (b.path, [3, 4])) as started:
            most = largest_usage(place, 4, lambda: evicted(a, b) > LIMIT)
            reports = [reader.end() for reader in started]
        assert not any("gone" in s for s in reports)
        for mount in (a, b):
            total = counters(mount)
            assert total[BYTES_FROM_DISK] > 0, "what one mount fetched, or had, was of use"
            assert DISK_DAMAGED not in total
            print(
                mount.path.parent.name,
                {k: total.get(k) for k in (BYTES_ASKED, BYTES_FROM_DISK, BYTES_FETCHED, DISK_EVICTED)},
            )
        assert evicted(a, b) > LIMIT
    most = max(most, disk_usage(place.blocks))
    print(f"the cache took {most / MIB:.1f} MiB at most; its limit is {LIMIT / MIB:.0f} MiB")
    assert LIMIT // 2 < most <= LIMIT + SLACK
    assert is_intact(place.blocks)


def test_a_daemon_killed_in_mid_fill_harms_nobody(place: Place) -> None:
    dice = random.Random(5)
    with place.mount("a", cache_size=1 << 30) as a, readers(place.source, (a.path, [11])) as staying:
        for turn in range(3):
            for path in chunk_files(place.blocks):
                path.unlink()  # so that both have much to write
            with (
                place.mount("b", cache_size=1 << 30) as b,
                readers(place.source, (b.path, [20 + turn, 30 + turn])) as started,
            ):
                wait_until_filled(place.blocks, MIB)
                time.sleep(dice.uniform(0, 0.2))  # no matter when: any moment must do
                b.kill()
                b.process.wait(20)
                for reader in started:
                    assert "gone" in reader.end()
            assert is_intact(place.blocks)
        with place.mount("b", cache_size=1 << 30) as b:
            read_all(b.path, place.source)
            assert counters(b)[BYTES_FROM_DISK] > 0
            assert DISK_DAMAGED not in counters(b)
        assert "gone" not in staying[0].end()
        assert DISK_DAMAGED not in counters(a)


def test_damage_under_running_readers_is_a_miss_and_a_counter(place: Place) -> None:
    dice = random.Random(7)
    done: list[str] = []
    with place.mount("a") as a, place.mount("b") as b:
        with readers(place.source, (a.path, [41, 42]), (b.path, [43, 44])) as started:
            wait_until_filled(place.blocks, LIMIT // 2)
            end = time.monotonic() + 4
            last = end + ENOUGH_S
            while time.monotonic() < end or (time.monotonic() < last and not all(damaged_blocks(m) for m in (a, b))):
                done.append(damage(place.blocks, dice))
                time.sleep(0.01)
            reports = [reader.end() for reader in started]
        assert not any("gone" in s for s in reports)
        damaged = [damaged_blocks(mount) for mount in (a, b)]
        print(
            f"{len(done)} damages, {damaged} damaged blocks met, {sum(s['bytes'] for s in reports) / MIB:.0f} MiB read"
        )
        assert all(damaged)
    assert {"flip", "head", "cut", "unlink", "swap", "overwrite"} <= set(done)
    # What nobody met is found by the next mount, or by `mountnd cache verify`; then all is well again.
    with place.mount("c") as mount:
        read_all(mount.path, place.source)
    found = contents.verify(str(place.blocks))
    print(f"{found.bad_blocks} damaged blocks and {found.bad_files} damaged files were left")
    assert is_intact(place.blocks)


def test_each_damaged_block_is_fetched_again_once(place: Place) -> None:
    roomy = {"cache_size": 1 << 30, "memory": 128 * MIB}  # so that everything read is kept
    with place.mount("a", **roomy) as mount:
        read_all(mount.path, place.source)
    biggest = max(chunk_files(place.blocks), key=lambda path: path.stat().st_size)
    flipped = [0, 3, 4, 100, 255]
    lost = sum(flip_block(biggest, index) for index in flipped)
    cut = next(path for path in chunk_files(place.blocks) if 3 * MIB < path.stat().st_size < 4 * MIB)
    with cut.open("r+b") as file:
        file.truncate(cut.stat().st_size - BLOCK)  # of the last block, and perhaps of the one before, a part is gone
    with place.mount("a", **roomy) as mount:
        read_all(mount.path, place.source)
        total = counters(mount)
    assert total[DISK_DAMAGED] in (len(flipped) + 1, len(flipped) + 2)
    assert lost < total[BYTES_FETCHED] <= lost + 8 * BLOCK  # near neighbours come in one request
    with place.mount("a", **roomy) as mount:
        read_all(mount.path, place.source)
        total = counters(mount)
    assert total[BYTES_FROM_DISK] >= sum(FILES.values())  # some blocks twice, where readers left and came back
    assert not {DISK_DAMAGED, BYTES_FETCHED} & total.keys()


@pytest.mark.root
def test_a_disk_that_fills_up_costs_one_warning(place: Place, small_disk: Callable[[str], None]) -> None:
    with place.mount("a", cache_size=1 << 30) as a, place.mount("b", cache_size=1 << 30) as b:
        with readers(place.source, (a.path, [51]), (b.path, [52])) as started:
            assert 0 < largest_usage(place, 1.5) <= 8 * MIB
            with (place.cache / "ballast").open("wb", buffering=0) as ballast:  # somebody else needs the disk
                for _ in itertools.repeat(None, 60):
                    with contextlib.suppress(OSError):
                        ballast.write(bytes(MIB))
                    time.sleep(0.02)
            reports = [reader.end() for reader in started]
        assert not any("gone" in s for s in reports)
        for mount in (a, b):
            assert counters(mount)[DISK_SKIPPED] > 0
            assert mount.log.count(ONE_WARNING) == 1, mount.log
    assert is_intact(place.blocks)


@pytest.mark.root
def test_a_disk_full_from_the_start_costs_one_warning(place: Place, small_disk: Callable[[str], None]) -> None:
    (place.cache / "ballast").write_bytes(bytes(8 * MIB - 64 * 1024))
    with place.mount("a") as mount:
        read_all(mount.path, place.source)
        assert counters(mount)[DISK_SKIPPED] > 0
        assert mount.log.count(ONE_WARNING) == 1, mount.log


@pytest.mark.root
def test_a_read_only_cache_is_read_and_costs_one_warning(place: Place, small_disk: Callable[[str], None]) -> None:
    with place.mount("a") as mount:
        read_all(mount.path, place.source)
    flip_block(max(chunk_files(place.blocks), key=lambda path: path.stat().st_size), 1)
    small_disk("remount,ro")
    with place.mount("a") as a, place.mount("b") as b:
        with readers(place.source, (a.path, [61]), (b.path, [62])) as started:
            time.sleep(0.7)
            reports = [reader.end() for reader in started]
        assert not any("gone" in s for s in reports)
        for mount in (a, b):
            read_all(mount.path, place.source)
            total = counters(mount)
            assert total[BYTES_FROM_DISK] > 0
            assert total[DISK_SKIPPED] > 0
            assert mount.log.count(ONE_WARNING) == 1, mount.log
