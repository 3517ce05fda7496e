"""Last use goes by the monotonic clock: one that is set back on the wall makes nothing unused, or used for ever."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mountnd.blocks.disk import last_use
from mountnd.blocks.disk.last_use import TOUCH_S, LastUse
from mountnd.blocks.disk.place import CacheDirectory

NAME = "ab/" + "0" * 30


def test_a_clock_that_is_set_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / NAME
    path.parent.mkdir()
    path.touch()
    wall, monotonic = [1_000_000.0], [50.0]
    monkeypatch.setattr(last_use.time, "time", lambda: wall[0])
    monkeypatch.setattr(last_use.time, "monotonic", lambda: monotonic[0])
    used = LastUse(CacheDirectory(tmp_path))
    assert used.of(NAME) == 0.0
    used.touch(NAME)
    os.utime(path, (1, 1))
    wall[0] -= 3600
    monotonic[0] += 10
    assert used.of(NAME) == wall[0] - 10  # not an hour in the future
    used.touch(NAME)
    assert path.stat().st_mtime == 1  # a moment ago
    monotonic[0] += TOUCH_S + 1
    used.touch(NAME)
    assert path.stat().st_mtime > 1
    assert used.of("ab/" + "1" * 30) == 0.0


def test_a_link_is_not_touched(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.touch()
    os.utime(victim, (1, 1))
    (tmp_path / "ab").mkdir()
    (tmp_path / NAME).symlink_to(victim)
    LastUse(CacheDirectory(tmp_path)).touch(NAME)
    assert victim.stat().st_mtime == 1
