"""A directory that a group may write: who is let in, what is made there, and what is opened."""

from __future__ import annotations

import os
import stat
import time
from pathlib import Path

import pytest

from mountnd.regular_file import Untrusted, UntrustedDirectory
from mountnd.shared_directory.blobs import Blobs, decoded, encoded
from mountnd.shared_directory.directory import SharedDirectory, SharedPath, directory_mode
from mountnd.shared_directory.file_clock import FileClock
from mountnd.shared_directory.place import SharedPlace, remarks
from tests.support.group import group_directory
from tests.support.strangers import KINDS, plant_special
from tests.support.waiting import wait_until


@pytest.fixture
def top(tmp_path: Path) -> Path:
    return group_directory(tmp_path)


@pytest.fixture
def held(top: Path) -> SharedDirectory:
    found = SharedPath(top).open()
    assert isinstance(found, SharedDirectory)
    return found


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize(
    ("files", "directories"), [(0o660, 0o2770), (0o640, 0o2750), (0o664, 0o2775), (0o600, 0o2700), (0o644, 0o2755)]
)
def test_modes_whatever_the_umask(top: Path, files: int, directories: int) -> None:
    assert directory_mode(files) == directories
    old = os.umask(0o077)
    try:
        held = (SharedPath(top, file_mode=files) / "a" / "b").open(make=True)
        os.close(held.create("c"))
    finally:
        os.umask(old)
    assert mode(top) == 0o2770  # it is not ours to change
    assert mode(top / "a") == mode(top / "a/b") == directories
    assert mode(top / "a/b/c") == files
    assert sorted(os.listdir(top)) == ["a"]


def test_the_top_is_never_made(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        (SharedPath(tmp_path / "absent") / "blocks").open(make=True)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("bits", [0o2777, 0o1777, 0o772, 0o703])
def test_what_everybody_may_write_is_refused(top: Path, bits: int) -> None:
    top.chmod(bits)
    with pytest.raises(UntrustedDirectory, match="everybody may write"):
        SharedPath(top).open()
    top.chmod(0o2770)
    (top / "below").mkdir()
    (top / "below").chmod(bits)
    with pytest.raises(UntrustedDirectory):
        (SharedPath(top) / "below").open()


def test_a_file_that_everybody_may_write_is_refused(top: Path, held: SharedDirectory) -> None:
    (top / "a").write_bytes(b"x")
    (top / "a").chmod(0o666)
    with pytest.raises(Untrusted):
        held.open_file("a")


@pytest.mark.parametrize("kind", KINDS)
def test_only_regular_files_are_opened_at_once(top: Path, held: SharedDirectory, kind: str) -> None:
    (top / "folder").mkdir(mode=0o770)
    plant_special(top / "folder/a", kind)
    for flags in (os.O_RDONLY, os.O_RDWR, os.O_WRONLY):
        with pytest.raises(OSError):
            held.open_file("folder/a", flags)
    with pytest.raises(OSError):
        held.stat("folder/a")


def test_a_folder_that_becomes_a_link_is_not_followed(top: Path, held: SharedDirectory, tmp_path: Path) -> None:
    """It was a folder when it was looked at last; anybody of the group may change that."""
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/a").write_text("precious")
    held.make("ab")
    os.close(held.create("ab/a"))
    os.close(held.open_file("ab/a"))
    (top / "ab").rename(top / "elsewhere")
    (top / "ab").symlink_to(tmp_path / "outside")
    for call in (held.open_file, held.create, held.touch, held.stat):
        with pytest.raises(UntrustedDirectory):
            call("ab/a")
    with pytest.raises(UntrustedDirectory):
        held.rename("elsewhere/a", "ab/a")
    assert not held.remove("ab/a")
    assert (tmp_path / "outside/a").read_text() == "precious"


def test_names_that_lead_out_are_no_files(top: Path, held: SharedDirectory, tmp_path: Path) -> None:
    (tmp_path / "outside").write_text("precious")
    for name in ("../outside", "..", "a/../../outside"):
        with pytest.raises(OSError):
            os.close(held.below("..").open_file("x") if name == ".." else held.open_file(name))


def test_two_make_a_folder_at_once(held: SharedDirectory, monkeypatch: pytest.MonkeyPatch) -> None:
    rename = os.rename

    def late(old: str, new: str, **where: int) -> None:
        os.mkdir(new, dir_fd=where["dst_dir_fd"])
        os.close(os.open(f"{new}/file", os.O_CREAT | os.O_WRONLY, dir_fd=where["dst_dir_fd"]))
        rename(old, new, **where)

    monkeypatch.setattr(os, "rename", late)
    held.make("ab")
    assert [entry.name for entry in held.entries()] == ["ab"]
    assert [entry.name for entry in held.below("ab").entries()] == ["file"]


def test_a_folder_that_is_there_stays(held: SharedDirectory) -> None:
    """Whoever makes it late puts no empty one in its place."""
    held.make("ab")
    before = held.below("ab").info.st_ino
    held._make("ab")
    assert held.below("ab").info.st_ino == before
    assert [entry.name for entry in held.entries()] == ["ab"]


def test_remarks(top: Path, held: SharedDirectory) -> None:
    assert remarks(held) == []
    top.chmod(0o770)
    assert "chmod g+s" in remarks(held)[0]
    top.chmod(0o3750)
    assert "chmod g+rwx" in remarks(held)[0] and "chmod -t" in remarks(held)[1]


def test_the_clock_of_the_file_system(held: SharedDirectory) -> None:
    """A node's own clock does not matter once the file system was asked."""
    clock = FileClock(wall=lambda: 12345.0)
    assert clock.now() == 12345.0 and clock.is_due
    clock.sync(held)
    assert abs(clock.now() - time.time()) < 5 and not clock.is_due
    clock.sync(held)  # the file is there by now
    assert abs(clock.now() - time.time()) < 5


class TestBlobs:
    def test_one_node_puts_and_another_gets(self, top: Path) -> None:
        one, other = SharedPlace(top, 0o660), SharedPlace(top, 0o660)
        Blobs(one).put("seek-index-1", "s3://b/k etag", b"index")
        wait_until(lambda: Blobs(other).get("seek-index-1", "s3://b/k etag") == b"index")
        assert Blobs(other).get("seek-index-1", "s3://b/k etag2") is None
        assert Blobs(other).get("seek-index-2", "s3://b/k etag") is None
        assert Blobs(other).get("seek-index-1", "s3://b/k etag", limit=4) is None
        for place in (one, other):
            place.close()
        assert Blobs(other).get("seek-index-1", "s3://b/k etag") is None
        assert {mode(path) for path in top.rglob("*") if path.is_file() and path.name != ".made"} == {0o660}

    def test_bad_kinds(self, top: Path) -> None:
        for kind in ("", "..", "a/b", "A", "x" * 33):
            with pytest.raises(ValueError, match="no kind of blobs"):
                Blobs(SharedPlace(top, 0o660)).get(kind, "name")

    def test_what_is_damaged_or_anothers_is_none(self) -> None:
        raw = encoded("name", b"content")
        assert decoded(raw, "name") == b"content"
        assert decoded(raw, "nam") is None and decoded(raw, "name2") is None
        assert decoded(encoded("nam", b"econtent"), "name") is None
        for at in range(len(raw)):
            assert decoded(raw[:at], "name") is None
            assert decoded(raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :], "name") is None
