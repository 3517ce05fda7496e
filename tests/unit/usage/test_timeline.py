"""Counters over time in slots whose number has a limit."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mountnd.usage.timeline import Timeline


def test_each_increase_stands_in_its_second() -> None:
    line = Timeline(2, slots=8)
    line.sample(0.2, (1, 0))
    line.sample(0.9, (3, 1))
    line.sample(3.1, (3, 5))
    assert line.series() == (1.0, [[3, 1], [0, 0], [0, 0], [0, 4]])


def test_slots_grow_longer_as_time_goes_on() -> None:
    line = Timeline(1, slots=4)
    for second in range(8):
        line.sample(second + 0.5, (second + 1,))
    assert line.series() == (2.0, [[2], [2], [2], [2]])
    line.sample(1000.0, (9,))
    seconds, rows = line.series()
    assert seconds == 256.0 and rows == [[8], [0], [0], [1]]


def test_a_counter_that_seems_to_fall_back_counts_once() -> None:
    line = Timeline(1)
    for total in (10, 8, 12):
        line.sample(0.0, (total,))
    assert line.series().rows == [[12]]


@given(st.lists(st.tuples(st.floats(0, 1e6), st.integers(0, 1000)), max_size=60))
def test_nothing_is_lost_and_no_more_slots_are_made(steps: list[tuple[float, int]]) -> None:
    line, now, total = Timeline(1, slots=6), 0.0, 0
    for pause, more in steps:
        now, total = now + pause, total + more
        line.sample(now, (total,))
    seconds, rows = line.series()
    assert len(rows) <= 6 and sum(row[0] for row in rows) == total
    assert len(rows) * seconds >= now
