"""How much of whole objects is asked for at once, by what came lately."""

from __future__ import annotations

import pytest

from mountnd.blocks.pace import FIRST_BYTES, FIRST_PIECE, LAST_PIECE, LEAST_PIECE, MOST_PIECE, PIECES, SECONDS, Pace
from tests.support.waiting import Clock

MIB = 1 << 20
PLENTY = 1 << 40


def line(clock: Clock, pace: Pace, rate: float, seconds: float) -> None:
    """A line that brings so many bytes a second, in ten pieces each."""
    for _ in range(int(seconds * 10)):
        pace.asked()
        clock.now += 0.1
        pace.came(int(rate / 10), 0.1)


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_before_anything_came(clock: Clock) -> None:
    pace = Pace(clock)
    assert (pace.rate, pace.piece(PLENTY), pace.at_once(PLENTY)) == (None, FIRST_PIECE, FIRST_BYTES)
    assert pace.at_once(MIB) == MIB  # of little memory no more than that


@pytest.mark.parametrize("rate", [0.1e6, 1e6, 10e6, 100e6, 1000e6])
def test_a_steady_line(clock: Clock, rate: float) -> None:
    pace = Pace(clock)
    line(clock, pace, rate, 8)
    assert pace.rate == pytest.approx(rate, rel=0.1)
    assert LEAST_PIECE <= pace.piece(PLENTY) <= MOST_PIECE
    assert pace.at_once(PLENTY) >= pace.piece(PLENTY) * PIECES or pace.piece(PLENTY) == LEAST_PIECE
    # What is under way comes long before an attempt's 30 s are over, on the slowest line, too.
    assert pace.at_once(PLENTY) <= max(rate * SECONDS * 1.2, LEAST_PIECE * PIECES)
    assert LEAST_PIECE * PIECES / 30 < 0.15e6


def test_towards_the_end_pieces_are_shorter(clock: Clock) -> None:
    pace = Pace(clock)
    line(clock, pace, 500e6, 5)
    sizes = [pace.piece(left) for left in (PLENTY, 64 * MIB, 16 * MIB, MIB, 0)]
    assert sizes == sorted(sizes, reverse=True) and sizes[0] == MOST_PIECE and sizes[-1] == LAST_PIECE


def test_a_line_that_becomes_slow_is_asked_for_less_and_a_pause_is_forgotten(clock: Clock) -> None:
    pace = Pace(clock)
    line(clock, pace, 100e6, 8)
    fast = pace.at_once(PLENTY)
    line(clock, pace, 5e6, 8)
    assert pace.at_once(PLENTY) < fast / 10
    clock.now += 3600
    line(clock, pace, 100e6, 1)
    assert pace.rate == pytest.approx(100e6, rel=0.3)


def test_a_server_that_is_late_is_asked_for_fewer_at_once(clock: Clock) -> None:
    pace = Pace(clock)
    assert pace.gets(64) == 64 and pace.gets(2) == 2
    for _ in range(64):
        pace.came(100, 5.0)
    few = pace.gets(64)
    assert 4 <= few < 16
    for _ in range(1000):
        pace.came(100, 30.0)
    assert pace.gets(64) == 4
    for _ in range(100):
        pace.came(100, 0.1)
    assert pace.gets(64) == 64
