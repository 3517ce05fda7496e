"""How much readers may wait for at once: in turns beyond a limit, but never for long."""

from __future__ import annotations

import pytest

from mountnd.blocks.fetch.budget import TURN_S, DemandBudget


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def budget(clock: Clock) -> DemandBudget:
    return DemandBudget(20, clock)  # 10 for readers


def test_reads_that_fit_begin_at_once_and_the_others_in_order(budget: DemandBudget) -> None:
    turns = [budget.enter(4) for _ in range(5)]
    small = budget.enter(1)
    assert [t.granted.done() for t in turns] == [True, True, False, False, False]
    assert not small.granted.done(), "nor before those that came sooner"
    budget.leave(turns[1])
    assert [t.granted.done() for t in turns] == [True, True, True, False, False]
    budget.leave(turns[0])
    budget.leave(turns[2])
    assert all(t.granted.done() for t in turns) and small.granted.done()


def test_one_that_never_fits_is_served_alone(budget: DemandBudget) -> None:
    first, large, last = budget.enter(1), budget.enter(1000), budget.enter(1)
    assert first.granted.done() and not large.granted.done()
    budget.leave(first)
    assert large.granted.done() and not last.granted.done()
    budget.leave(large)
    assert last.granted.done()


def test_what_takes_long_counts_no_more(budget: DemandBudget, clock: Clock) -> None:
    silent = budget.enter(10)
    waiting = budget.enter(10)
    assert silent.granted.done() and not waiting.granted.done()
    clock.now += TURN_S
    assert not budget.enter(1).granted.done(), "the one before it has not begun"
    budget.begin(waiting)
    assert waiting.granted.done()
    clock.now += TURN_S
    assert budget.enter(1).granted.done() is False
    budget.leave(waiting)
    assert budget.enter(1).granted.done()


def test_whoever_leaves_before_its_turn_holds_up_nobody(budget: DemandBudget) -> None:
    first, second, third = budget.enter(10), budget.enter(10), budget.enter(10)
    budget.leave(second)
    assert not third.granted.done()
    budget.leave(first)
    assert third.granted.done() and not second.granted.done()
    budget.begin(third)  # again is nothing
    budget.leave(third)
    assert budget.enter(10).granted.done()
