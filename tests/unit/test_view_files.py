"""What views keep on disk: shared by processes, bounded, and believed only where its checksum holds."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from mountnd import view_files
from mountnd.private_directory import PrivatePath
from mountnd.view_files import ViewFiles


def name(n: int) -> bytes:
    return random.Random(n).randbytes(16)


def note(n: int) -> bytes:
    return n.to_bytes(16, "little")


@pytest.fixture
def place(tmp_path: Path) -> PrivatePath:
    return PrivatePath(tmp_path) / "views"


def test_notes_are_found_by_another_process_and_the_last_counts(place: PrivatePath) -> None:
    first, second = ViewFiles(place), ViewFiles(place)
    for n in range(500):
        (first if n % 2 else second).keep_note(name(n), note(n))
    assert all(ViewFiles(place).note(name(n)) == note(n) for n in range(500))
    second.keep_note(name(7), note(8))
    assert first.note(name(7)) == note(8)
    assert first.note(name(1000)) is None


def test_damaged_notes_are_none(place: PrivatePath, tmp_path: Path) -> None:
    files = ViewFiles(place)
    files.keep_note(name(1), note(1))
    (path,) = (tmp_path / "views").iterdir()
    data = path.read_bytes()
    for at in range(len(data)):
        path.write_bytes(data[:at] + bytes([data[at] ^ 4]) + data[at + 1 :])
        assert files.note(name(1)) is None
    path.write_bytes(data[:-3])
    assert files.note(name(1)) is None
    files.keep_note(name(1), note(2))
    assert files.note(name(1)) == note(2), "after half a record others are still found"


def test_notes_do_not_grow_without_an_end(place: PrivatePath, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(view_files, "NOTES_MAX", 400)
    files = ViewFiles(place)
    same = b"\1" * 12
    for n in range(50):
        files.keep_note(same + n.to_bytes(4, "big"), note(n))
    (path,) = (tmp_path / "views").iterdir()
    assert path.stat().st_size <= 440
    assert files.note(same + (49).to_bytes(4, "big")) == note(49)
    assert files.note(same + (0).to_bytes(4, "big")) is None


def test_blobs_come_back_whole_or_not_at_all(place: PrivatePath, tmp_path: Path) -> None:
    files, blob = ViewFiles(place), random.Random(0).randbytes(5000)
    files.put(name(1), blob)
    assert ViewFiles(place).get(name(1)) == blob
    assert files.get(name(2)) is None
    path = tmp_path / "views" / f"blob-{name(1).hex()}"
    data = path.read_bytes()
    for bad in (data[:-1], data[:100] + b"x" + data[101:], b"", data + b"x"):
        path.write_bytes(bad)
        assert files.get(name(1)) is None


def test_those_that_were_not_used_for_longest_give_way(
    place: PrivatePath, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(view_files, "LOOK_EVERY", 1)
    files = ViewFiles(place, 10_000)
    for n in range(5):
        files.put(name(n), bytes([n]) * 2500)
        os.utime(tmp_path / "views" / f"blob-{name(n).hex()}", (1000 + n, 1000 + n))
    files.get(name(2))
    files.put(name(9), bytes(2500))
    assert files.get(name(2)) and files.get(name(9))
    assert sum(path.stat().st_size for path in (tmp_path / "views").iterdir()) <= 10_000
    files.put(name(10), bytes(20_000))
    assert files.get(name(10)) is None, "one that is larger than all may be"


def test_a_directory_that_cannot_be_written_is_told_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "views").write_text("a file")
    files = ViewFiles(PrivatePath(tmp_path) / "views")
    for _ in range(3):
        files.keep_note(name(1), note(1))
        files.put(name(1), b"x")
    assert files.note(name(1)) is None and files.get(name(1)) is None
    assert len([record for record in caplog.records if record.levelname == "WARNING"]) == 1


def test_links_of_strangers_are_not_followed(place: PrivatePath, tmp_path: Path) -> None:
    files = ViewFiles(place)
    files.put(name(1), b"mine")
    path = tmp_path / "views" / f"blob-{name(1).hex()}"
    (tmp_path / "other").write_bytes(path.read_bytes())
    path.unlink()
    path.symlink_to(tmp_path / "other")
    assert files.get(name(1)) is None


def test_clearing_removes_what_is_ours_only(place: PrivatePath, tmp_path: Path) -> None:
    files = ViewFiles(place)
    files.put(name(1), bytes(9000))
    files.keep_note(name(1), note(1))
    (tmp_path / "views" / "mine.txt").write_text("kept")
    assert view_files.clear(place) >= 9000
    assert os.listdir(tmp_path / "views") == ["mine.txt"]
    assert files.get(name(1)) is None and files.note(name(1)) is None
    files.keep_note(name(1), note(3))
    assert files.note(name(1)) == note(3)
    assert view_files.clear(PrivatePath(tmp_path) / "nothing") == 0
