"""The soak finds what it is there to find: wrong bytes, mixed versions, hidden names, long waits, what grows."""

from __future__ import annotations

import os
import random
import time
from pathlib import Path

import pytest

from . import monitor
from .checking import Mount
from .faults import OF_BYTES, OF_NAMES, FaultPlan
from .monitor import MIB, Sample
from .reader import Reader
from .tally import WHILE_FAULTS_LAST, Tally
from .world import World, content


@pytest.fixture
def world() -> World:
    return World(volumes=3, volume_size=600_000, small=20, walk=80, replaced=3, begin=int(time.time()) - 30)


@pytest.fixture
def mount(world: World, tmp_path: Path) -> Mount:
    """A directory with the world's objects, as they are now: a mount without a fault."""
    for key in world.keys:
        file, version = tmp_path / key, world.version(key)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content(key, version, 0, world.size(key, version)))
    return Mount(str(tmp_path), world, Tally())


def read(mount: Mount, key: str) -> None:
    file = mount.open(key, "read")
    assert file is not None
    file.read(0, mount.world.size(key) + 1000)
    file.close()


def test_right_bytes_are_no_violation(mount: Mount) -> None:
    for key in mount.world.keys:
        read(mount, key)
    assert mount.tally.judge((), 60) == []
    assert mount.tally.bytes > 500_000


@pytest.mark.parametrize("kind", ["sequential", "mapped", "header", "whole", "walking", "changing"])
def test_every_kind_of_reader_is_content_with_it(mount: Mount, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "O_DIRECT", 0)  # an ordinary disk wants aligned reads for it
    reader = Reader(mount, random.Random(1))
    for _ in range(3):
        getattr(reader, kind)()
    assert mount.tally.judge((), 60) == []
    assert mount.tally.operations() > 3


def spoil(mount: Mount, key: str, at: int) -> None:
    with open(os.path.join(mount.path, key), "r+b") as file:
        file.seek(at)
        old = file.read(1)
        file.seek(at)
        file.write(bytes([old[0] ^ 1]))


@pytest.mark.parametrize("number", [0, 1])
def test_one_wrong_bit_is_found(mount: Mount, number: int) -> None:
    key = mount.world.below(("volumes", "replaced")[number])[0]
    spoil(mount, key, 4321)
    read(mount, key)
    (violation,) = mount.tally.judge(WHILE_FAULTS_LAST, 60)
    assert key in violation and "other bytes" in violation


def test_a_file_that_is_cut_off_is_found(mount: Mount) -> None:
    key = mount.world.below("volumes")[0]
    os.truncate(os.path.join(mount.path, key), 100_000)
    read(mount, key)
    assert len(mount.tally.judge(WHILE_FAULTS_LAST, 60)) == 1


def test_two_versions_in_one_file_are_found(mount: Mount) -> None:
    key = mount.world.below("replaced")[0]
    version = mount.world.version(key)
    with open(os.path.join(mount.path, key), "r+b") as file:
        file.seek(300_000)
        file.write(content(key, version - 1, 300_000, 310_000))
    opened = mount.open(key, "read")
    assert opened is not None
    assert opened.read(0, 1000)
    assert not opened.read(300_000, 1000), "right for another version, and this handle has seen one already"
    opened.close()


def test_a_name_that_is_hidden_or_too_many_is_found(mount: Mount) -> None:
    top = Path(mount.path, "small")
    for change in ((top / "extra").touch, lambda: next(top.glob("*/*")).unlink()):
        change()
        mount.tally = Tally()
        reader = Reader(mount, random.Random(0))
        for _ in range(20):
            reader.walking()
        assert any("small" in violation for violation in mount.tally.judge(WHILE_FAULTS_LAST, 60))


def test_outcomes_and_waits_are_judged() -> None:
    tally = Tally()
    for outcome, seconds in (("ok", 0.1), ("EIO", 12.0), ("ENOTCONN", 0.1)):
        tally.add("read", outcome, seconds)
    assert tally.judge(WHILE_FAULTS_LAST, 13.0) == ["read: 1 times ENOTCONN"]
    assert tally.judge([*WHILE_FAULTS_LAST, "ENOTCONN"], 11.0) == ["read: waited 12.0 s, at most 11.0 are promised"]
    again = Tally.from_json(tally.to_json())
    again.merge(tally)
    assert again.counts == {"read": {"ok": 2, "EIO": 2, "ENOTCONN": 2}}


@pytest.mark.parametrize("name", ["descriptors", "threads", "resident"])
def test_growth_is_found(name: str) -> None:
    flat = [Sample(float(i), 50 + i % 3, 130, 200 * MIB + i % 5 * MIB) for i in range(100)]
    assert monitor.growth(flat) == []
    growing = [sample._replace(**{name: getattr(sample, name) * (100 + i) // 100}) for i, sample in enumerate(flat)]
    (found,) = monitor.growth(growing)
    assert name in found


def test_faults_are_the_same_for_the_same_seed_and_of_all_kinds() -> None:
    one, two = FaultPlan(0.5, 3), FaultPlan(0.5, 3)
    made = [one.choose(names=i % 2 == 0) for i in range(4000)]
    assert made == [two.choose(names=i % 2 == 0) for i in range(4000)]
    assert set(made) == {"", *OF_BYTES, *OF_NAMES}
    assert 0.4 < sum(map(bool, made)) / len(made) < 0.6
