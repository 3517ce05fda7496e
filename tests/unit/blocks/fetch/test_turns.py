"""How much readers may wait for at once: in turns beyond a limit, but never for long."""

from __future__ import annotations

import pytest

from mountnd.blocks.fetch.turns import STILL_S, TURN_S, DemandBudget, Turn
from tests.support.waiting import Clock


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def budget(clock: Clock) -> DemandBudget:
    return DemandBudget(20, clock)  # 10 for readers


def served(*turns: Turn) -> list[bool]:
    assert all(turn.granted is None or turn.granted.done() == turn.served for turn in turns)
    return [turn.served for turn in turns]


def test_reads_that_fit_begin_at_once_and_the_others_in_order(budget: DemandBudget) -> None:
    turns = [budget.enter(4) for _ in range(5)]
    small = budget.enter(1)
    assert served(*turns) == [True, True, False, False, False]
    assert not small.served, "nor before those that came sooner"
    budget.leave(turns[1])
    assert served(*turns) == [True, True, True, False, False]
    budget.leave(turns[0])
    budget.leave(turns[2])
    assert all(served(*turns, small))


def test_one_that_never_fits_is_served_alone(budget: DemandBudget) -> None:
    first, large, last = budget.enter(1), budget.enter(1000), budget.enter(1)
    assert served(first, large, last) == [True, False, False]
    budget.leave(first)
    assert served(large, last) == [True, False]
    budget.leave(large)
    assert last.served


def test_where_nothing_comes_nobody_waits(budget: DemandBudget, clock: Clock) -> None:
    silent, waiting = budget.enter(10), budget.enter(10)
    assert budget.look(waiting) == STILL_S
    clock.now += STILL_S
    assert budget.look(waiting) == 0 and waiting.served
    assert budget.look(budget.enter(1)) == 0, "nothing has come since"
    assert silent.served


def test_while_something_comes_they_wait(budget: DemandBudget, clock: Clock) -> None:
    """A slow network is not a silent one: what waits there takes memory."""
    slow, waiting = budget.enter(10), budget.enter(10)
    for _ in range(4):
        clock.now += 0.9
        budget.came()
        assert budget.look(waiting) > 0
    assert served(slow, waiting) == [True, False]
    clock.now = waiting.since + TURN_S
    assert budget.look(waiting) == 0, "but no longer than that"


def test_what_takes_long_counts_no_more(budget: DemandBudget, clock: Clock) -> None:
    budget.enter(10)
    clock.now += TURN_S / 2
    waiting = budget.enter(10)
    clock.now += TURN_S / 2
    budget.came()
    assert waiting.served
    other = budget.enter(10)
    assert not other.served
    budget.leave(waiting)
    assert other.served


def test_whoever_leaves_before_its_turn_holds_up_nobody(budget: DemandBudget) -> None:
    first, second, third = (budget.enter(10) for _ in range(3))
    budget.leave(second)
    assert not third.served
    budget.leave(first)
    assert served(third, second) == [True, False]
    budget.begin(third)  # again is nothing
    budget.leave(third)
    assert budget.enter(10).served
