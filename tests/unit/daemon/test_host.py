"""What the machine must have: each check by what it finds."""

from __future__ import annotations

import pytest

from mountnd import fusermount
from mountnd.daemon import host


def become(monkeypatch, uid, *, may_mount=False):
    """Let the checks take this process for a user's; `may_mount`: one who owns the namespace that he is in."""
    monkeypatch.setattr(host.os, "getuid", lambda: uid)
    monkeypatch.setattr(fusermount.os, "geteuid", lambda: uid)
    monkeypatch.setattr(fusermount, "_may_mount", lambda: may_mount)


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
    become(monkeypatch, 0)
    assert host.fuse_device(device).level == "warn"


def test_fusermount3_missing(monkeypatch):
    monkeypatch.setattr(fusermount.shutil, "which", lambda name: None)
    become(monkeypatch, 1000)
    assert host.fusermount().level == "bad"
    assert "apt-get install fuse3" in host.fusermount().fix
    become(monkeypatch, 0)
    assert host.fusermount().level == "warn"


def test_fusermount3_without_setuid(monkeypatch, tmp_path):
    tool = tmp_path / "fusermount3"
    tool.touch(0o755)
    monkeypatch.setattr(fusermount.shutil, "which", lambda name: str(tool))
    become(monkeypatch, 1000)
    finding = host.fusermount()
    assert finding.level == "warn"
    assert finding.fix.endswith(f"chmod u+s {tool}")


def test_a_user_without_a_name(monkeypatch):
    become(monkeypatch, 4_000_000_123)
    finding = host.user()
    assert finding.level == "bad"
    assert "x:4000000123:" in finding.fix
    become(monkeypatch, 0)
    assert host.user().level == "ok"


@pytest.mark.parametrize(
    ("conf", "allowed"),
    [("user_allow_other\n", True), ("  user_allow_other  ", True), ("#user_allow_other\n", False), ("", False)],
)
def test_user_allow_other(conf, allowed, tmp_path, monkeypatch):
    assert host.allows_other(conf) is allowed
    path = tmp_path / "fuse.conf"
    path.write_text(conf)
    become(monkeypatch, 1000)
    assert host.allow_other(path).level == ("ok" if allowed else "warn")
    assert host.allow_other(tmp_path / "none").level == "warn"


def test_who_owns_the_namespace_needs_no_fusermount3(monkeypatch, tmp_path):
    monkeypatch.setattr(fusermount.shutil, "which", lambda name: None)
    become(monkeypatch, 4_000_000_123, may_mount=True)
    assert (host.fusermount().level, host.user().level, host.allow_other(tmp_path / "none").level) == ("ok",) * 3


def test_libfuse_tells_its_version():
    finding = host.libfuse()
    assert finding.level == "ok"
    assert finding.what.startswith("libfuse 3.")


def test_libfuse_missing(monkeypatch):
    monkeypatch.setattr(host, "find_library", lambda name: None)
    assert host.libfuse().level == "bad"
