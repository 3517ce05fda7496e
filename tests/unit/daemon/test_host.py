"""What the machine must have: each check by what it finds."""

from __future__ import annotations

import pytest

from mountnd import fusermount
from mountnd.daemon import host


@pytest.fixture(autouse=True)
def no_namespace(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever is played here does not own a namespace in which he may mount (root, who runs the tests, does)."""
    monkeypatch.setattr(host, "fusermount_is_needed", lambda: True)


def test_in_a_namespace_of_its_own_a_user_needs_neither_fusermount3_nor_a_name(monkeypatch):
    monkeypatch.setattr(host, "fusermount_is_needed", lambda: False)
    monkeypatch.setattr(fusermount.shutil, "which", lambda name: None)
    monkeypatch.setattr(host.os, "getuid", lambda: 54321)
    assert [found.level for found in (host.fusermount(), host.user(), host.allow_other())] == ["ok"] * 3


def test_a_missing_device_names_the_command(tmp_path):
    finding = host.fuse_device(tmp_path / "fuse")
    assert finding.level == "bad"
    assert str(tmp_path / "fuse") in finding.what
    assert "modprobe fuse" in finding.fix


def test_a_device_that_is_not_open_to_this_user(tmp_path, monkeypatch):
    device = tmp_path / "fuse"
    device.touch(0o600)

    def refuse(*args: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(host.os, "open", refuse)  # root may open everything
    assert host.fuse_device(device) == (
        "bad",
        f"{device} (mode 0600) is not open to this user",
        f"sudo chmod 0666 {device}",
    )


def test_a_device_that_opens(tmp_path, monkeypatch):
    device = tmp_path / "fuse"
    device.touch()
    device.chmod(0o666)
    assert host.fuse_device(device).level == "ok"
    device.chmod(0o600)
    monkeypatch.setattr(host.os, "getuid", lambda: 0)
    assert host.fuse_device(device).level == "warn"


def test_fusermount3_missing(monkeypatch):
    monkeypatch.setattr(fusermount.shutil, "which", lambda name: None)
    monkeypatch.setattr(host.os, "getuid", lambda: 1000)
    assert host.fusermount().level == "bad"
    assert "apt-get install fuse3" in host.fusermount().fix
    monkeypatch.setattr(host.os, "getuid", lambda: 0)
    assert host.fusermount().level == "warn"


def test_fusermount3_without_setuid(monkeypatch, tmp_path):
    tool = tmp_path / "fusermount3"
    tool.touch(0o755)
    monkeypatch.setattr(fusermount.shutil, "which", lambda name: str(tool))
    monkeypatch.setattr(host.os, "getuid", lambda: 1000)
    finding = host.fusermount()
    assert finding.level == "warn"
    assert finding.fix.endswith(f"chmod u+s {tool}")


def test_a_user_without_a_name(monkeypatch):
    monkeypatch.setattr(host.os, "getuid", lambda: 4_000_000_123)
    finding = host.user()
    assert finding.level == "bad"
    assert "x:4000000123:" in finding.fix
    monkeypatch.setattr(host.os, "getuid", lambda: 0)
    assert host.user().level == "ok"


@pytest.mark.parametrize(
    ("conf", "allowed"),
    [("user_allow_other\n", True), ("  user_allow_other  ", True), ("#user_allow_other\n", False), ("", False)],
)
def test_user_allow_other(conf, allowed, tmp_path, monkeypatch):
    assert host.allows_other(conf) is allowed
    path = tmp_path / "fuse.conf"
    path.write_text(conf)
    monkeypatch.setattr(host.os, "getuid", lambda: 1000)
    assert host.allow_other(path).level == ("ok" if allowed else "warn")
    assert host.allow_other(tmp_path / "none").level == "warn"


def test_libfuse_tells_its_version():
    finding = host.libfuse()
    assert finding.level == "ok"
    assert finding.what.startswith("libfuse 3.")


def test_libfuse_missing(monkeypatch):
    monkeypatch.setattr(host, "find_library", lambda name: None)
    assert host.libfuse().level == "bad"
