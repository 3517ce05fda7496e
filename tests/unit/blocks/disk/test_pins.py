"""Pins: what they name is never evicted, by any process that shares the directory; what is damaged pins nothing."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from mountnd.blocks.disk import contents
from mountnd.blocks.disk.eviction import CacheFile, victims, why_no_room
from mountnd.blocks.disk.pins import Pins, check_name
from mountnd.blocks.disk.place import CacheDirectory
from mountnd.blocks.geometry import BlockRange, block_count
from mountnd.errors import UsageError

from ..harness import MIB, body
from .disk_harness import bulk_of, fetch, flush, piece, taken, through, with_disk

CHUNKS = [f"{i:02x}/{i:030x}" for i in range(20)]


@pytest.fixture
def root(tmp_path: Path) -> CacheDirectory:
    return CacheDirectory(tmp_path / "blocks")


def files(root: CacheDirectory) -> list[Path]:
    return sorted(Path(root.path).glob("pins/*"))


def test_added_listed_removed(root: CacheDirectory) -> None:
    pins = Pins(root)
    assert (pins.all(), list(pins.chunks()), pins.remove("a")) == ([], [], False)
    pins.add("a", ["one"], CHUNKS[:3])
    pins.add("b", ["two"], CHUNKS[2:5])
    pins.add("a", ["three", "one"], CHUNKS[7:8])
    first, second = Pins(root).all()
    assert (first.name, set(first.chunks), first.asked) == ("a", {*CHUNKS[:3], CHUNKS[7]}, ("one", "three"))
    assert set(pins.chunks()) == {*CHUNKS[:5], CHUNKS[7]} and second.name == "b"
    assert pins.remove("a") and not pins.remove("a")
    assert set(pins.chunks()) == set(CHUNKS[2:5])
    assert {path.stat().st_mode & 0o777 for path in files(root)} == {0o600}


def test_others_see_it_at_once(root: CacheDirectory) -> None:
    mine, theirs = Pins(root), Pins(CacheDirectory(root.path))
    mine.add("a", [], CHUNKS[:1])
    assert set(theirs.chunks()) == set(CHUNKS[:1])
    mine.add("a", [], CHUNKS[1:2])
    assert set(theirs.chunks()) == set(CHUNKS[:2])
    theirs.remove("a")
    assert not mine.chunks()


def test_of_several_who_add_at_once_nobody_loses_anything(root: CacheDirectory) -> None:
    Pins(root).add("a", [], CHUNKS[:1])
    threads = [threading.Thread(target=lambda i=i: Pins(root).add("a", [], CHUNKS[i : i + 1])) for i in range(1, 20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(Pins(root).chunks()) == set(CHUNKS)


@pytest.mark.parametrize("how", ["cut", "flipped", "empty", "renamed", "strange"])
def test_what_is_damaged_pins_nothing_and_is_told(
    root: CacheDirectory, how: str, caplog: pytest.LogCaptureFixture
) -> None:
    pins = Pins(root)
    pins.add("good", [], CHUNKS[:1])
    pins.add("a", [], CHUNKS[1:3])
    (path,) = [path for path in files(root) if path.name.startswith("a@")]
    raw = path.read_bytes()
    if how == "renamed":  # a pin under a name that it does not say
        path.rename(path.with_name(path.name.replace("a@", "z@")))
    elif how == "strange":
        path.write_bytes(b"\0" * 100)
    else:
        path.write_bytes({"cut": raw[:-10], "flipped": raw.replace(b"01/", b"02/", 1), "empty": b""}[how])
    fresh = Pins(root)
    assert set(fresh.chunks()) == set(CHUNKS[:1])
    assert [(pin.name, pin.damaged) for pin in fresh.all() if pin.damaged] == [("z" if how == "renamed" else "a", 1)]
    assert "pins nothing" in caplog.text
    assert fresh.remove("z" if how == "renamed" else "a")


def test_links_and_strangers_are_not_followed(root: CacheDirectory, tmp_path: Path) -> None:
    pins = Pins(root)
    pins.add("a", [], CHUNKS[:1])
    (path,) = files(root)
    elsewhere = tmp_path / "elsewhere"
    path.rename(elsewhere)
    path.symlink_to(elsewhere)
    assert not Pins(root).chunks()
    os.chmod(Path(root.path) / "pins", 0o777)
    path.unlink()
    elsewhere.rename(path)
    assert not Pins(root).chunks()


@pytest.mark.parametrize("name", ["", "a/b", "..", ".x", "a b", "-x", "x" * 65, "a@b", "ä"])
def test_names_that_are_none(name: str) -> None:
    with pytest.raises(UsageError, match="name of a pin"):
        check_name(name)


def test_eviction_passes_them_by() -> None:
    there = [CacheFile(name, 10, float(i)) for i, name in enumerate(CHUNKS)]
    gone = victims(there, 30, pinned=frozenset(CHUNKS[:3]))
    assert [file.path for file in gone] == CHUNKS[3:6]
    assert victims(there, 10**9, pinned=CHUNKS) == []
    assert "unpin" in why_no_room(10, 100, 99) and "disk" in why_no_room(10, 100, 10)


def test_what_is_pinned_stays_while_others_come_and_go(tmp_path: Path) -> None:
    root = tmp_path / "blocks"
    with with_disk(root, limit=12 * MIB) as harness:
        pinned = harness.put("pinned", body(4 * MIB))
        bulk = bulk_of(harness)
        assert fetch(bulk, piece(pinned)) == [None]
        bulk.pin("p", ["x"], bulk.chunks(pinned.id, pinned.size, piece(pinned).span))
        for i in range(8):
            through(harness, body(3 * MIB, i + 2), f"other-{i}")
            flush(harness)
        span = BlockRange(0, block_count(pinned.size))
        assert bulk.absent(pinned.id, pinned.size, span) == []
        assert taken(root) <= 13 * MIB
        assert {entry.key for entry in contents.objects(root)} > {"pinned"}
        Pins(CacheDirectory(root)).remove("p")
        for i in range(8, 14):
            through(harness, body(3 * MIB, i + 2), f"other-{i}")
            flush(harness)
        assert bulk.absent(pinned.id, pinned.size, span) != []


def test_where_pins_leave_no_room_it_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    root = tmp_path / "blocks"
    with with_disk(root, limit=4 * MIB) as harness:
        pinned = harness.put("pinned", body(4 * MIB - 300_000))
        bulk = bulk_of(harness)
        bulk.pin("p", ["x"], bulk.chunks(pinned.id, pinned.size, piece(pinned).span))
        assert fetch(bulk, piece(pinned)) == [None]
        through(harness, body(3 * MIB, 5), "other")
        flush(harness)
        assert "cache unpin" in caplog.text
        assert bulk.absent(pinned.id, pinned.size, piece(pinned).span) == []


def test_clearing_passes_them_by_unless_asked(root: CacheDirectory) -> None:
    with with_disk(Path(root.path)) as harness:
        stats = [harness.put(f"f{i}", body(100, i + 1)) for i in range(3)]
        bulk = bulk_of(harness)
        assert fetch(bulk, *map(piece, stats)) == [None] * 3
        bulk.pin("p", [], bulk.chunks(stats[0].id, 100, piece(stats[0]).span))
    freed, kept = contents.clear(root, keep=Pins(root).chunks())
    assert freed == 2 * kept > 0
    assert [entry.key for entry in contents.objects(root)] == ["f0"]
    assert contents.clear(root, lambda source, key: key == "f0") == (kept, 0)
