"""Which places can be mounted on, and what is said about the others."""

from __future__ import annotations

import os

import pytest

from mountnd.daemon import mountpoint
from mountnd.errors import MountError


def quiet(line: str) -> None:
    raise AssertionError(line)


@pytest.fixture
def ordinary(monkeypatch):
    """What access(2) would say to an ordinary user: the tests may run as root, to whom it never says no."""
    refused: set[str] = set()
    monkeypatch.setattr(mountpoint.os, "getuid", lambda: 1000)
    monkeypatch.setattr(mountpoint.os, "access", lambda path, mode: str(path) not in refused)
    return refused


def test_a_missing_one_is_made(tmp_path):
    assert mountpoint.prepare(tmp_path / "new", quiet)
    assert (tmp_path / "new").is_dir()


def test_an_empty_one_is_used(tmp_path):
    assert not mountpoint.prepare(tmp_path, quiet)


def test_with_its_parent_missing_too(tmp_path):
    with pytest.raises(MountError, match=f"Type: mkdir -p {tmp_path}/a/b$"):
        mountpoint.prepare(tmp_path / "a" / "b", quiet)
    assert not (tmp_path / "a").exists()


def test_where_the_parent_is_not_ours(tmp_path, monkeypatch, ordinary):
    def refuse(self: object, *args: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(mountpoint.Path, "mkdir", refuse)
    with pytest.raises(MountError) as e:
        mountpoint.prepare(tmp_path / "open neuro", quiet)
    assert f"sudo install -d -o $USER '{tmp_path}/open neuro'" in str(e.value)
    assert "mountnd ~/'open neuro'" in str(e.value)


def test_where_neither_parent_nor_grandparent_is_ours(tmp_path, ordinary):
    ordinary.add(str(tmp_path))
    with pytest.raises(MountError, match="Type: sudo install -d -o "):
        mountpoint.prepare(tmp_path / "a" / "b", quiet)


def test_one_that_this_user_may_not_write(tmp_path, ordinary):
    ordinary.add(str(tmp_path))
    with pytest.raises(MountError, match="not writable by this user"):
        mountpoint.prepare(tmp_path, quiet)


def test_one_that_is_not_empty(tmp_path):
    (tmp_path / "my thesis.tex").touch()
    with pytest.raises(MountError, match="is not empty"):
        mountpoint.prepare(tmp_path, quiet)


def test_a_file(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(MountError, match="is a file"):
        mountpoint.prepare(tmp_path / "file", quiet)
    with pytest.raises(MountError, match="below a file"):
        mountpoint.prepare(tmp_path / "file" / "x", quiet)


def test_another_file_system_is_mounted_there():
    assert os.path.ismount("/proc")
    with pytest.raises(MountError, match="/proc is mounted already"):
        mountpoint.prepare(mountpoint.Path("/proc"), quiet)
