"""The longest waits: those that are kept, and in which order."""

from __future__ import annotations

import random

from mountnd.usage.waits import LEAST_S, SlowestWaits, Wait


def test_the_longest_are_kept_in_order() -> None:
    waits = SlowestWaits(5, wall=lambda: 100.0)
    seconds = [i / 10 for i in range(1, 40)]
    random.Random(1).shuffle(seconds)
    for s in seconds:
        waits.note(Wait(0.0, s, "read", "/x"))
    kept = waits.longest()
    assert [wait.seconds for wait in kept] == [3.9, 3.8, 3.7, 3.6, 3.5]
    assert kept[0].at == 100.0 - 3.9
    assert waits.floor == 3.5


def test_what_nobody_notices_is_not_kept() -> None:
    waits = SlowestWaits()
    waits.note(Wait(0.0, LEAST_S, "read", "/x"))
    assert waits.longest() == []


def test_equal_waits_of_things_that_have_no_order() -> None:
    waits = SlowestWaits(2)
    for _ in range(5):
        waits.note(Wait(0.0, 1.0, "read", object()))
    assert len(waits.longest()) == 2
