"""The soak in short: every part for some seconds, with fewer readers; what it promises holds there too."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.mounts import watchdog

from . import kills, parts
from .parts import Report, Scale
from .world import World

pytestmark = [
    pytest.mark.kernel,
    pytest.mark.root,
    pytest.mark.skipif(os.getuid() != 0, reason="needs root, to mount a small disk"),
]

SEED, SECONDS = 11, 4.0
HANG_S = 170.0


@pytest.fixture(autouse=True)
def _watched() -> Iterator[None]:
    with watchdog(HANG_S):
        yield


@pytest.fixture
def short() -> Scale:
    """8 readers on a busy machine; too short to be flat."""
    world = World(volumes=10, volume_size=4 << 20, small=100, walk=400, replaced=6, begin=int(time.time()), period=3)
    return Scale(readers=8, every=0.5, slack=15.0, flat=False, world=world)


@pytest.mark.parametrize("part", [parts.under_faults, parts.disk_full, parts.bit_flips], ids=lambda part: part.__name__)
def test_a_part(part: Callable[[Path, float, int, Scale], Report], short: Scale, tmp_path: Path) -> None:
    report = part(tmp_path, SECONDS, SEED, short)
    print(report.tally.table(), *report.figures, sep="\n")
    assert report.violations == []
    assert report.seconds >= SECONDS
    assert sum(outcomes.get("ok", 0) for outcomes in report.tally.counts.values()) > 100


def test_kill_nine(short: Scale, tmp_path: Path) -> None:
    report = kills.kill_nine(tmp_path, 2, SEED, short)
    print(report.tally.table(), *report.figures, sep="\n")
    assert report.violations == []
    assert "2 dead mounts replaced" in report.figures[0]
