"""Mountpoints inside a mount: nothing can be made there, and nothing is mounted over what it shows."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.support.cli import is_mounted, mountpoint, run_mountnd
from tests.support.quirky import quirky_server

pytestmark = pytest.mark.kernel


def test_inside_a_mount_another_place_is_named(tmp_path: Path) -> None:
    with quirky_server() as server, mountpoint(tmp_path / "mnt") as where:
        server.hold({"ds000001/a": b"a", "empty/": b""})
        flags = ["--endpoint-url", server.url, "--anonymous", "--region", "us-east-1", "--cache-size", "0"]
        assert run_mountnd("s3://bkt", where, *flags).returncode == 0
        for inside in ("ds000001", "empty", "new", "new/er"):
            done = run_mountnd("s3://bkt", where / inside, *flags)
            assert done.returncode == 1
            assert f"{where / inside} lies inside the mount {where} (s3://bkt), which is read-only" in done.stderr
            assert f"mountnd ~/{Path(inside).name}" in done.stderr
            assert "sudo" not in done.stderr
            assert not is_mounted(where / inside)
        assert sorted(os.listdir(where)) == ["ds000001", "empty"]
