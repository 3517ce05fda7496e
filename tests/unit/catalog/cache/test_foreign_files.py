"""Whatever lies among a source's segments, it costs what it held, and is said once in the log."""

from __future__ import annotations

import json
import os
import random
import struct
import tracemalloc
import zlib
from pathlib import Path
from typing import Any

import pytest

from mountnd.catalog.cache import segment, segments
from mountnd.catalog.cache.disk import ListingDiskCache
from mountnd.catalog.model.keys import classify
from mountnd.catalog.model.listing import Listing, listing_of
from mountnd.stores.base import ObjectId, ObjectStat
from mountnd.stores.notes import FileNotes
from tests.support import strangers

NAN, INF = float("nan"), float("inf")
NEEDS_ROOT = pytest.mark.skipif(os.getuid() != 0, reason="needs root, to give files away")


def listing(prefix: str) -> Listing:
    key = f"{prefix}x"
    return listing_of(classify(prefix, [ObjectStat(ObjectId("s", key, '"e"', "", 1), 1, 7, "STANDARD")], []), 0.0)


def cache(place: Path, **clocks: Any) -> ListingDiskCache:
    return ListingDiskCache(place, "s", **({"clock": lambda: 0.0, "wall": lambda: 1000.0} | clocks))


def fill(place: Path, *prefixes: str) -> Path:
    """A segment with a listing of each, and an invalidation. The last segment that was made."""
    kept = cache(place)
    for prefix in prefixes:
        kept.add(prefix, listing(prefix))
    kept.invalidate_below("gone/")
    kept.close()
    return max(place.glob("*/*.names"), key=lambda path: path.name)


def knows(kept: ListingDiskCache, prefix: str) -> bool:
    """Whether it has the listing of a directory; if so, it must be the right one."""
    found = kept.get(prefix)
    if found is not None:
        assert found.get(b"x", prefix, "s") == listing(prefix).get(b"x", prefix, "s")
    return found is not None


@pytest.mark.parametrize("size", [3 << 30, 1 << 40])
def test_one_that_is_larger_than_all_together_may_be_is_not_read(tmp_path: Path, size: int) -> None:
    """A sparse file costs whoever made it nothing, also in a directory that nodes share."""
    path = fill(tmp_path, "a/")
    note = min(size, 4 << 30) - 1000
    foot = struct.pack("<QIII8s", size - note - 28, 0, note, 0, b"mntname1")
    with open(path.with_name(f"{path.name[:19]}9-00000000.names"), "wb") as file:
        file.truncate(size - len(foot))
        file.seek(0, os.SEEK_END)
        file.write(foot)
    tracemalloc.start()
    try:
        assert knows(cache(tmp_path), "a/")
        assert tracemalloc.get_traced_memory()[1] < 64 << 20
    finally:
        tracemalloc.stop()


def test_every_flip_anywhere_in_a_segment_costs_what_it_held_at_most(tmp_path: Path, caplog: Any) -> None:
    """Every bit of the footer, of the index and of what was invalidated, and every byte elsewhere."""
    path = fill(tmp_path, "a/", "b/")
    whole = path.read_bytes()
    start = struct.unpack("<QIII8s", whole[-28:])[0]
    for at in range(len(whole)):
        for bit in range(8) if at >= start else (at % 8,):
            path.write_bytes(whole[:at] + bytes([whole[at] ^ 1 << bit]) + whole[at + 1 :])
            caplog.clear()
            kept = cache(tmp_path)
            held = [knows(kept, prefix) for prefix in ("a/", "b/")]
            if at >= start:
                assert held == [False, False], at
            assert sum(held) >= 1 or at >= start, at
            assert len(caplog.records) == (0 if all(held) else 1), at
            kept.close()


def test_every_length_of_a_segment(tmp_path: Path) -> None:
    path = fill(tmp_path, "a/")
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        assert not knows(cache(tmp_path), "a/")
    path.write_bytes(whole + b"x")
    assert not knows(cache(tmp_path), "a/")


@pytest.mark.parametrize("start", [0, 7, 8, 1 << 31, 1 << 62, 1 << 63, (1 << 64) - 1])
@pytest.mark.parametrize("count", [0, 1, 1 << 31, (1 << 32) - 1])
def test_lengths_that_no_file_has(tmp_path: Path, start: int, count: int) -> None:
    """With the checksum that belongs to them where that can be."""
    path = fill(tmp_path, "a/")
    for note in (0, 2, (1 << 32) - 1):
        path.write_bytes(b"mntname1" + struct.pack("<QIII8s", start, count, note, zlib.crc32(b""), b"mntname1"))
        assert not knows(cache(tmp_path), "a/")


@pytest.mark.parametrize(
    "note",
    [b"", b"1", b"[1]", b'[["zz", 1]]', b'[["", null]]', b'[["", "1"]]', b'[["", 1, 2]]', b"[" * 10_000, b"\xff"],
)
def test_what_a_checksum_vouches_for_and_is_nonsense(tmp_path: Path, note: bytes) -> None:
    path = fill(tmp_path, "a/")
    foot = struct.pack("<QIII8s", 8, 0, len(note), zlib.crc32(note), b"mntname1")
    path.write_bytes(b"mntname1" + note + foot)
    kept = cache(tmp_path)
    assert not knows(kept, "a/")
    kept.add("a/", listing("a/"))
    kept.close()
    assert knows(cache(tmp_path), "a/")


@pytest.mark.parametrize("row", [(0, 1 << 31), (1 << 62, 5), ((1 << 64) - 10, 20), (8, (1 << 32) - 1)])
@pytest.mark.parametrize("times", [(1.0, 1.0), (NAN, NAN), (1.0, 1e300), (INF, INF)])
def test_rows_that_point_anywhere(tmp_path: Path, row: tuple[int, int], times: tuple[float, float]) -> None:
    path = fill(tmp_path, "a/")
    index = struct.pack("<8sQddII", segment.prefix_hash("a/"), row[0], *times, row[1], 0) + b"[]"
    path.write_bytes(b"mntname1" + index + struct.pack("<QIII8s", 8, 1, 2, zlib.crc32(index), b"mntname1"))
    kept = cache(tmp_path)
    assert not knows(kept, "a/")
    kept.add("a/", listing("a/"))
    kept.close()
    assert knows(cache(tmp_path), "a/")


def test_damage_is_said_once_for_each_file_and_stays_beside_what_is_good(tmp_path: Path, caplog: Any) -> None:
    now = [0.0]
    bad = fill(tmp_path, "a/")
    bad.write_bytes(b"x" * 100)
    fill(tmp_path, "b/")
    caplog.clear()
    kept = cache(tmp_path, clock=lambda: now[0])
    for _ in range(5):
        assert knows(kept, "b/") and not knows(kept, "a/")
        now[0] += 60
    kept.close()
    assert [bad.name in record.getMessage() for record in caplog.records] == [True]


@NEEDS_ROOT
@pytest.mark.root
@pytest.mark.parametrize("kind", strangers.KINDS)
@pytest.mark.parametrize("what", ["segment", "source", "temporary", "server.json"])
def test_what_is_no_file_in_the_place_of_one(tmp_path: Path, kind: str, what: str, caplog: Any) -> None:
    fill(tmp_path, "a/", "c/")
    path = fill(tmp_path, "a/")
    good = fill(tmp_path, "b/")
    if what == "segment":
        strangers.plant_special(path, kind)
    else:
        names = {"temporary": ".00000000000000000001-12345678.tmp"}
        strangers.plant_special(path.with_name(names.get(what, what)), kind)
    caplog.clear()
    notes = FileNotes(path.with_name("server.json"))
    assert notes.read() == {}
    kept = cache(tmp_path)
    assert knows(kept, "b/") and knows(kept, "c/")
    for i in range(20):  # so that they are merged
        kept.add(f"d{i}/", listing(f"d{i}/"))
        kept.flush()
    kept.close()
    assert len(caplog.records) == (what in ("segment", "server.json"))
    again = cache(tmp_path)
    assert all(knows(again, f"d{i}/") for i in range(20))
    if what == "server.json":
        notes.write({"etags": "why"})
        assert notes.read() == ({} if kind == "directory" else {"etags": "why"})
    assert not good.with_name("a-fifo").is_file()


@NEEDS_ROOT
@pytest.mark.root
@pytest.mark.parametrize(("uid", "mode"), [(strangers.UID, 0o600), (0, 0o666)])
def test_a_segment_that_another_could_have_written_is_not_believed(
    tmp_path: Path, uid: int, mode: int, caplog: Any
) -> None:
    path = fill(tmp_path, "a/")
    os.chown(path, uid, uid)
    path.chmod(mode)
    caplog.clear()
    assert not knows(cache(tmp_path), "a/")
    assert len(caplog.records) == 1 and path.name in caplog.text


@NEEDS_ROOT
@pytest.mark.root
def test_only_names_of_our_own_making_are_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    directory = fill(tmp_path, "a/").parent
    victim = tmp_path / "victim"
    victim.write_bytes(fill(tmp_path, "b/").read_bytes())
    foreign = {
        directory / "results.names": None, directory / "00000000000000000001-12345678.names": victim,
        directory / ".bashrc.tmp": None, directory / ".thesis.docx.tmp": None, directory / "README": None,
    }  # fmt: skip
    for path, target in foreign.items():
        if target:
            path.symlink_to(target)
        else:
            path.write_bytes(victim.read_bytes())
            os.utime(path, (1, 1))
    seen = strangers.picture(victim)
    monkeypatch.setattr(segments, "DISK_BYTES", 1)
    kept = cache(tmp_path)
    for i in range(20):
        kept.add(f"d{i}/", listing(f"d{i}/"))
        kept.flush()
    kept.close()
    assert strangers.picture(victim) == seen
    assert all(path.exists() for path in foreign)


@pytest.mark.parametrize("text", [b"{", b"[]", b"null", b"\xff", b"[" * 50_000, b'{"etags": 1}', b" " * 70_000, b""])
def test_notes_that_are_damaged_hold_nothing(tmp_path: Path, text: bytes, caplog: Any) -> None:
    (tmp_path / "server.json").write_bytes(text)
    notes = FileNotes(tmp_path / "server.json")
    assert notes.read() == {}
    assert len(caplog.records) <= 1
    notes.write({"a": "b"})
    assert json.loads((tmp_path / "server.json").read_text()) == notes.read() == {"a": "b"}


def test_random_damage(tmp_path: Path) -> None:
    """A few hundred ways at random: what is read is right, and what is added afterwards is kept."""
    dice = random.Random(5)
    path = fill(tmp_path, *(f"{i}/" for i in range(20)))
    whole = path.read_bytes()
    for _ in range(300):
        spoilt = bytearray(whole)
        for _ in range(dice.randrange(1, 4)):
            at, n = dice.randrange(len(whole)), dice.randrange(1, 30)
            spoilt[at : at + n] = dice.choice((b"", dice.randbytes(n), bytes(n), whole[n : 2 * n]))
        path.write_bytes(spoilt)
        kept = cache(tmp_path)
        for i in range(20):
            knows(kept, f"{i}/")
