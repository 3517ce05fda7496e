"""The link by which mount(8) finds mountnd."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

import pytest

from mountnd.cli import install_helper as module
from mountnd.cli.install_helper import install_helper
from mountnd.errors import MountError


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The `mountnd` of an installation whose Python runs."""
    path = tmp_path / "venv/bin/mountnd"
    path.parent.mkdir(parents=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(path.parent / "python"))
    return path


def test_a_link_is_made_once_and_follows_the_installation(tmp_path: Path, command: Path) -> None:
    helper = tmp_path / "mount.fuse.mountnd"
    assert "lines of type fuse.mountnd in /etc/fstab work" in install_helper(helper)
    assert os.readlink(helper) == str(command)
    assert install_helper(helper) == f"{helper} leads to {command} already."
    helper.unlink()
    helper.symlink_to(tmp_path / "an older one")
    install_helper(helper)
    assert os.readlink(helper) == str(command)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mount.fuse.mountnd", "venv"]


def test_what_somebody_else_put_there_stays(tmp_path: Path, command: Path) -> None:
    helper = tmp_path / "mount.fuse.mountnd"
    helper.write_text("#!/bin/sh\n")
    with pytest.raises(MountError, match="is no link, so it is left alone"):
        install_helper(helper)
    assert stat.S_ISREG(helper.lstat().st_mode)


def test_who_may_not_is_told_what_to_type(tmp_path: Path, command: Path) -> None:
    with pytest.raises(MountError, match=rf"cannot be made \(.*\); type: sudo ln -sfn {command} /absent/mount"):
        install_helper(Path("/absent/mount.fuse.mountnd"))


def test_an_installation_without_a_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    with pytest.raises(MountError, match="There is no .*/mountnd to link to; install mountnd"):
        install_helper(tmp_path / "mount.fuse.mountnd")


def test_it_is_where_mount_looks() -> None:
    """mount(8): /sbin/mount.TYPE; `main` knows the arguments by the beginning of this name."""
    assert str(module.HELPER) == "/sbin/mount.fuse.mountnd"
