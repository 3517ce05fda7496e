"""What one mount knows of all packs: new ones are seen, those that are gone forgotten, and memory is bounded."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mountnd.blocks.disk.packs import index
from mountnd.blocks.disk.packs.format import FOLDER
from mountnd.blocks.disk.packs.index import PackIndex
from mountnd.blocks.disk.packs.pack_file import NewPack, Pack, PackFile
from mountnd.blocks.disk.place import CacheDirectory
from mountnd.private_directory import PrivateDirectory
from mountnd.shared_directory.directory import SharedPath
from tests.support.waiting import Clock

RECORD = bytes(40)


def add(top: Path, *keys: int, now: float = 1e9) -> Pack:
    root = SharedPath(top).open()
    root.make(FOLDER)
    new = NewPack(root, now)
    for key in keys:
        new.add(key, RECORD)
    return new.publish()


class Node:
    def __init__(self, top: Path, most: int = 1000) -> None:
        self.clock = Clock()
        self.damaged: list[str] = []
        self.refused: list[str] = []
        self.index = PackIndex(
            CacheDirectory(SharedPath(top)), self.clock, most=most, refused=self.refused.append,
            damaged=lambda name, why: self.damaged.append(name),
        )  # fmt: skip

    def has(self, key: int) -> bool:
        return any(True for _ in self.index.find(key))


def test_no_directory_and_no_folder(top: Path) -> None:
    node = Node(top / "absent")
    assert node.index.refresh()
    assert not node.index.refresh()  # not looked for again that soon
    node = Node(top)
    assert node.index.refresh() and node.index.is_complete and node.index.packs == ()


def test_new_ones_are_seen_within_a_second_or_when_something_must_be_there(top: Path) -> None:
    add(top, 1)
    node = Node(top)
    assert node.index.refresh() and node.has(1)
    add(top, 2)
    assert not node.index.refresh() and not node.has(2)
    node.clock.now += index.LOOK_S
    assert node.index.refresh() and node.has(2)
    add(top, 3)
    node.index.expire()
    assert node.index.refresh() and node.has(3) and node.has(1)


def test_a_folder_that_has_not_changed_is_not_listed_again(top: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    listed: list[int] = []
    names = index._pack_names
    monkeypatch.setattr(index, "_pack_names", lambda folder: listed.append(1) or names(folder))  # type: ignore[func-returns-value]
    add(top, 1)
    node = Node(top)
    for _ in range(10):
        node.index.refresh()
        node.clock.now += index.LOOK_S
    assert 2 <= len(listed) <= 4  # again once its clock has ticked, and not after that
    add(top, 2)
    node.index.refresh()
    assert node.has(2)


def test_a_second_change_within_one_tick_of_the_clock_is_seen(top: Path) -> None:
    node = Node(top)
    for key in range(5):
        add(top, key)
        os.utime(top / FOLDER, (1e9, 1e9))  # as a file system that counts seconds has it
        node.index.expire()
        node.index.refresh()
        assert node.has(key)


def test_a_folder_whose_time_stays_in_the_future(top: Path) -> None:
    """As on Lustre, after a node whose clock is ahead has packed something."""
    node = Node(top)
    for key in range(5):
        add(top, key)
        os.utime(top / FOLDER, (4e9, 4e9))
        node.index.expire()
        node.index.refresh()
        assert node.has(key)
        node.clock.now += 1 + index.SETTLED_S


def test_a_time_that_stays_is_believed_for_a_while(top: Path) -> None:
    """As the node sees it whose clock is ahead."""
    node = Node(top)
    add(top, 1)
    for _ in range(5):
        os.utime(top / FOLDER, (1e9, 1e9))
        node.clock.now += index.LOOK_S
        node.index.refresh()
    add(top, 2)
    os.utime(top / FOLDER, (1e9, 1e9))
    node.clock.now += index.LOOK_S
    node.index.refresh()
    assert not node.has(2)
    node.clock.now += index.RELIST_S
    node.index.refresh()
    assert node.has(2)


def test_what_must_have_come_is_seen_whatever_the_folders_time_says(top: Path) -> None:
    """As some file systems tell it late."""
    add(top, 1)
    os.utime(top / FOLDER, (1e9, 1e9))
    node = Node(top)
    for _ in range(4):
        node.index.refresh()
        node.clock.now += index.LOOK_S
    add(top, 2)
    os.utime(top / FOLDER, (1e9, 1e9))
    node.index.refresh()
    assert not node.has(2)
    node.index.expire(changed=True)
    node.index.refresh()
    assert node.has(2)


def test_what_is_gone_is_forgotten(top: Path) -> None:
    one, other = add(top, 1), add(top, 2)
    node = Node(top)
    node.index.refresh()
    (top / one.name).unlink()
    node.index.expire()
    node.index.refresh()
    assert not node.has(1) and node.has(2)
    node.index.forget(other.name)
    assert not node.has(2)
    node.clock.now += 10
    node.index.refresh()
    assert node.has(2)  # it was there after all


def test_of_too_many_the_newest_are_known(top: Path) -> None:
    for n in range(10):
        add(top, *range(10 * n, 10 * n + 10), now=1e9 + n)
    node = Node(top, most=35)
    node.index.refresh()
    assert node.index.is_complete and node.index.is_crowded
    assert [n for n in range(10) if node.has(10 * n)] == [7, 8, 9]
    node.index.add(add(top, 1000, now=2e9))
    node.clock.now += 10
    node.index.refresh()
    assert node.has(1000) and node.has(95) and sum(len(pack.entries) for pack in node.index.packs) <= 35
    for pack in node.index.packs:
        (top / pack.name).unlink()
    for _ in range(2):
        node.clock.now += 10
        node.index.refresh()
    assert [n for n in range(10) if node.has(10 * n)] == [4, 5, 6]  # there is room for others now


@pytest.mark.parametrize("looks", ["one", "several"])
def test_of_too_many_the_oldest_are_not_even_opened(top: Path, monkeypatch: pytest.MonkeyPatch, looks: str) -> None:
    """All indexes of a directory of 1 TiB are half a GiB in 30,000 files; until they are read each look is slow."""
    opened: list[str] = []

    class Counted(PackFile):
        @classmethod
        def open(cls, name: str, within: CacheDirectory | PrivateDirectory) -> PackFile:
            opened.append(name)
            return PackFile.open(name, within)

    monkeypatch.setattr(index, "PackFile", Counted)
    for n in range(40):
        add(top, *range(10 * n, 10 * n + 10), now=1e9 + n)
    node = Node(top, most=35)
    if looks == "several":
        monkeypatch.setattr(index, "BUDGET_S", -1.0)  # one pack is read by each
    for _ in range(10):
        node.clock.now += 10
        node.index.refresh()
    assert node.index.is_complete and node.index.is_crowded
    assert [n for n in range(40) if node.has(10 * n)] == [37, 38, 39]
    assert len(opened) <= 6
    add(top, 1000, now=2e9)
    node.clock.now += 10
    node.index.refresh()
    assert node.has(1000)


def test_what_is_no_pack_is_told_once(top: Path, tmp_path: Path) -> None:
    add(top, 1)
    bad = [f"{FOLDER}/{n:010x}-{'0' * 16}.pack" for n in range(4)]
    (top / bad[0]).write_bytes(b"no pack")
    (top / bad[1]).symlink_to(tmp_path)
    (top / bad[2]).mkdir()
    os.mkfifo(top / bad[3])
    for other in ("README", "x.pack", f"{'0' * 10}-{'0' * 16}.pack.new"):
        (top / FOLDER / other).write_bytes(b"")
    node = Node(top)
    for _ in range(3):
        node.clock.now += 10
        node.index.expire()
        assert node.index.refresh()
    assert sorted(node.damaged) == bad
    assert node.has(1) and len(node.index.packs) == 1


def test_a_look_takes_a_bounded_time_and_the_next_one_goes_on(top: Path) -> None:
    for n in range(10):
        add(top, n, now=1e9 + n)
    node = Node(top)
    now = node.clock.now

    class Slow(Clock):
        def __call__(self) -> float:
            self.now += index.BUDGET_S / 4
            return self.now

    node.index._clock = Slow(now)
    assert node.index.refresh() and not node.index.is_complete
    known = len(node.index.packs)
    assert 0 < known < 10
    assert node.has(9)  # the newest first
    for _ in range(10):
        node.index.refresh()
    assert node.index.is_complete and len(node.index.packs) == 10


def test_names_without_end_are_not_all_looked_at(top: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index, "MOST_NAMES", 50)
    add(top, 1)
    for n in range(100):
        (top / FOLDER / f"{n:010x}-{'0' * 16}.pack").write_bytes(b"")
    node = Node(top)
    node.index.refresh()
    assert len(node.damaged) <= 50
