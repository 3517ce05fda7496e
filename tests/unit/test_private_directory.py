"""Directories that nobody else may write: who is believed, what is opened, and that nothing waits."""

from __future__ import annotations

import os
import re
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from mountnd.private_directory import PrivateDirectory, PrivatePath
from mountnd.regular_file import Untrusted, UntrustedDirectory, open_regular
from tests.support import strangers
from tests.support.strangers import UID

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.getuid() != 0, reason="needs root, to give files away"),
]


@pytest.fixture
def place() -> Iterator[Path]:
    with strangers.shared_place() as place:
        yield place


def read(directory: PrivateDirectory, name: str) -> bytes:
    return directory.read(name, 100)


def test_it_is_made_closed_and_used_again(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        path = PrivatePath(tmp_path / "a" / "cache") / "blocks" / "x"
        held = path.open(make=True)
    finally:
        os.umask(before)
    modes = [stat.S_IMODE((tmp_path / "a" / name).stat().st_mode) for name in ("cache", "cache/blocks")]
    assert modes == [0o700, 0o700]
    held.write("f", b"1")
    assert read(path.open(), "f") == b"1"
    assert stat.S_IMODE((tmp_path / "a/cache/blocks/x/f").stat().st_mode) == 0o600
    assert [entry.name for entry in held.entries()] == ["f"]


def test_a_missing_one_is_not_made_unasked(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        (PrivatePath(tmp_path) / "none" / "x").open()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("level", [0, 1, 2])
@pytest.mark.parametrize("make", [False, True])
@pytest.mark.parametrize(
    ("uid", "mode", "why"),
    [
        (UID, 0o700, "it belongs to user"),
        (UID, 0o755, "it belongs to user"),
        (0, 0o777, "other users may write to it (mode 0777)"),
        (0, 0o770, "other users may write to it (mode 0770)"),
        (0, 0o1777, "other users may write to it (mode 1777)"),
        (0, 0o702, "other users may write to it (mode 0702)"),
    ],
)
def test_what_others_could_have_filled_is_not_used(
    place: Path, level: int, make: bool, uid: int, mode: int, why: str
) -> None:
    path = PrivatePath(place / "cache") / "names" / "x"
    path.open(make=True)
    bad = [place / "cache", place / "cache/names", place / "cache/names/x"][level]
    bad.chmod(mode)
    os.chown(bad, uid, uid)
    seen = strangers.picture(place)
    with pytest.raises(UntrustedDirectory, match=re.escape(why)) as caught:
        path.open(make=make)
    assert caught.value.filename == str(bad)
    assert "\n" not in caught.value.strerror
    assert strangers.picture(place) == seen  # nothing was made, removed or closed


def test_what_is_ours_and_readable_by_others_is_used(place: Path) -> None:
    path = PrivatePath(place / "cache") / "names"
    path.open(make=True).write("f", b"1")
    (place / "cache").chmod(0o755)
    (place / "cache/names").chmod(0o755)
    assert read(path.open(), "f") == b"1"


@pytest.mark.parametrize("owner", [0, UID])
@pytest.mark.parametrize("make", [False, True])
def test_links_below_are_never_followed(place: Path, owner: int, make: bool) -> None:
    victim = place / "victim"
    victim.mkdir(0o700)
    (victim / "f").write_bytes(b"secret")
    (place / "cache").mkdir(0o700)
    (place / "cache/names").symlink_to(victim)
    strangers.give(place / "cache/names", owner)
    seen = strangers.picture(place)
    with pytest.raises(UntrustedDirectory, match="symbolic link"):
        (PrivatePath(place / "cache") / "names").open(make=make)
    held = PrivateDirectory.open(place / "cache")
    for use in (
        lambda: held.open_file("names/f"), lambda: held.create("names/g"), lambda: held.touch("names/f"),
        lambda: held.make("names"), lambda: held.rename("x", "names/f"),
    ):  # fmt: skip
        with pytest.raises(UntrustedDirectory):
            use()
    assert not held.remove("names/f")
    assert strangers.picture(place) == seen


def test_the_first_directory_may_be_a_link_of_ours_and_of_nobody_else(place: Path) -> None:
    real = place / "real"
    real.mkdir(0o700)
    link = place / "cache"
    link.symlink_to("real")
    PrivateDirectory.open(link).write("f", b"1")
    assert (real / "f").read_bytes() == b"1"
    strangers.give(link)
    for make in (False, True):
        with pytest.raises(UntrustedDirectory, match="symbolic link of user"):
            PrivateDirectory.open(link, make=make)
    link.unlink()
    link.symlink_to("cache")
    with pytest.raises(OSError, match="Too many levels"):
        PrivateDirectory.open(link)


def test_roots_directory_is_believed_and_a_users_is_not_by_root_or_by_others(place: Path) -> None:
    (place / "roots").mkdir(0o755)
    (place / "roots/f").write_bytes(b"root's")
    (place / "roots/f").chmod(0o644)
    said = strangers.as_stranger(lambda: read(PrivateDirectory.open(place / "roots"), "f"))
    assert said == 'b"root\'s"'
    (place / "mine").mkdir(0o755)
    os.chown(place / "mine", 1234, 1234)
    said = strangers.as_stranger(lambda: PrivateDirectory.open(place / "mine"))
    assert said.startswith("UntrustedDirectory") and "user 1234" in said
    assert strangers.as_stranger(lambda: PrivateDirectory.open(place / "his", make=True).path) == str(place / "his")
    with pytest.raises(UntrustedDirectory):
        PrivateDirectory.open(place / "his")


@pytest.mark.parametrize("kind", strangers.KINDS)
def test_what_is_no_regular_file_is_refused_at_once(tmp_path: Path, kind: str) -> None:
    held = PrivateDirectory.open(tmp_path)
    strangers.plant_special(tmp_path / "f", kind)
    seen = (tmp_path / "f").lstat()
    expected = IsADirectoryError if kind == "directory" else Untrusted
    for flags in (os.O_RDONLY, os.O_WRONLY, os.O_RDWR):
        with pytest.raises(expected):
            held.open_file("f", flags)
    if kind not in ("loop", "directory"):
        with pytest.raises(Untrusted):
            open_regular(tmp_path / "f")
    assert (tmp_path / "f").lstat() == seen
    if kind == "directory":
        with pytest.raises(IsADirectoryError):
            held.write("f", b"new")
    else:
        held.write("f", b"new")  # in its place
        assert read(held, "f") == b"new"
    assert [entry.name for entry in held.entries() if entry.name.endswith(".tmp")] == []


@pytest.mark.parametrize(("uid", "mode"), [(UID, 0o600), (UID, 0o644), (0, 0o666), (0, 0o660), (0, 0o602)])
def test_files_that_others_could_have_written_are_not_read(tmp_path: Path, uid: int, mode: int) -> None:
    held = PrivateDirectory.open(tmp_path)
    held.write("f", b"1")
    (tmp_path / "f").chmod(mode)
    os.chown(tmp_path / "f", uid, uid)
    with pytest.raises(Untrusted):
        held.open_file("f")
    with pytest.raises(Untrusted):
        held.open_file("f", os.O_RDWR)


def test_a_directory_stays_the_same_whatever_its_path_becomes(place: Path) -> None:
    held = PrivateDirectory.open(place / "cache", make=True)
    held.write("f", b"ours")
    (place / "cache").rename(place / "away")
    victim = place / "victim"
    victim.mkdir()
    (place / "cache").symlink_to(victim)
    assert read(held, "f") == b"ours"
    held.write("g", b"1")
    assert held.remove("f")
    assert list(victim.iterdir()) == [] and sorted(os.listdir(place / "away")) == ["g"]


def test_making_it_is_a_race_that_all_win(tmp_path: Path) -> None:
    """Threads make a deep place while another one removes it: each gets a directory, or none is there at the end."""
    path, opened, failed = (
        PrivatePath(tmp_path / "a" / "b") / "c" / "d",
        list[PrivateDirectory](),
        list[BaseException](),
    )
    begun = threading.Barrier(8)

    def make() -> None:
        begun.wait(20)
        for _ in range(50):
            try:
                opened.append(path.open(make=True))
            except BaseException as e:
                failed.append(e)

    def spoil() -> None:
        begun.wait(20)
        for _ in range(50):
            for name in ("a/b/c/d", "a/b/c"):
                try:
                    os.rmdir(tmp_path / name)
                except OSError:
                    pass

    threads = [threading.Thread(target=make) for _ in range(7)] + [threading.Thread(target=spoil)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(opened) + len(failed) == 350
    assert not [e for e in failed if not isinstance(e, FileNotFoundError)]
    assert len(failed) <= 3  # ten tries each were lost against the other


def test_what_is_too_large_is_not_read(tmp_path: Path) -> None:
    held = PrivateDirectory.open(tmp_path)
    held.write("f", bytes(101))
    with pytest.raises(OSError, match="larger than 100 bytes"):
        read(held, "f")


def test_descriptors_are_closed(tmp_path: Path) -> None:
    def count() -> int:
        return len(os.listdir("/proc/self/fd"))

    strangers.plant_special(tmp_path / "fifo", "fifo")
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    before = count()
    for _ in range(20):
        held = PrivateDirectory.open(tmp_path, make=True)
        held.below("x", make=True).write("f", b"1")
        for name in ("fifo", "open", "none"):
            with pytest.raises(OSError):
                held.open_file(name)
        with pytest.raises(UntrustedDirectory):
            held.below("open")
        with pytest.raises(UntrustedDirectory):
            PrivateDirectory.open(tmp_path / "open")
        del held
    assert count() == before
