"""Who may open how many files, under which limit."""

from __future__ import annotations

import resource

import pytest

from mountnd import assembly, descriptors
from mountnd.blocks.disk.cache import OPEN_FILES
from mountnd.blocks.disk.writer import WRITTEN_FILES
from mountnd.descriptors import Shares

MOST = Shares(assembly.BYTE_WORKERS, assembly.NAME_WORKERS, OPEN_FILES, WRITTEN_FILES)


@pytest.mark.parametrize("limit", [1024, 4096, 1 << 20, resource.RLIM_INFINITY])
def test_a_usual_limit_changes_nothing(limit: int) -> None:
    assert descriptors.shares(limit, MOST) == MOST


@pytest.mark.parametrize("limit", range(40, 1024, 8))
def test_all_together_stay_below_the_limit(limit: int) -> None:
    shares = descriptors.shares(limit, MOST)
    assert all(2 <= share <= most for share, most in zip(shares, MOST, strict=True))
    assert sum(shares) + 16 <= max(limit, 24)


def test_no_share_is_nothing() -> None:
    assert descriptors.shares(10, MOST) == Shares(2, 2, 2, 2)
