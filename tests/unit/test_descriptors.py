"""Who may open how many files, under which limit."""

from __future__ import annotations

import errno
import gc
import os
import resource

import pytest

from mountnd import descriptors, parallelism
from mountnd.blocks.disk.cache import OPEN_FILES
from mountnd.blocks.disk.writer import WRITTEN_FILES
from mountnd.descriptors import Shares

MOST = Shares(parallelism.BYTE_WORKERS, parallelism.NAME_WORKERS, OPEN_FILES, WRITTEN_FILES)


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


class Idle:
    """Something that holds what others may need more."""

    def __init__(self) -> None:
        self.closed = 0
        descriptors.spare(self.close)

    def close(self) -> None:
        self.closed += 1


class Opened:
    """Fails with these errnos, one a call, and then opens."""

    def __init__(self, *errnos: int) -> None:
        self.errnos = list(errnos)

    def __call__(self) -> str:
        if self.errnos:
            number = self.errnos.pop(0)
            raise OSError(number, os.strerror(number))
        return "opened"


def test_what_is_spare_is_closed_when_it_is_needed_and_only_then() -> None:
    idle, gone = Idle(), Idle()
    del gone
    gc.collect()
    assert descriptors.opening(Opened()) == "opened"
    with pytest.raises(ConnectionRefusedError):
        descriptors.opening(Opened(errno.ECONNREFUSED))
    assert idle.closed == 0
    assert descriptors.opening(Opened(errno.EMFILE)) == "opened"
    assert idle.closed == 1
    with pytest.raises(OSError, match="Too many open files"):
        descriptors.opening(Opened(errno.EMFILE, errno.EMFILE))
