"""Where the disk caches of these tests lie."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "blocks"


@pytest.fixture
def top(tmp_path: Path) -> Path:
    """A directory that nodes share."""
    path = tmp_path / "shared"
    path.mkdir()
    path.chmod(0o2770)
    return path
