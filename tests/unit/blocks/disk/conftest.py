"""Where the disk caches of these tests lie."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.group import group_directory


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "blocks"


@pytest.fixture
def top(tmp_path: Path) -> Path:
    return group_directory(tmp_path)
