"""Clocks that are wrong: what was listed later wins, and what may be old is asked again, whatever they said."""

from __future__ import annotations

from pathlib import Path

import pytest

from mountnd.catalog.cache import segments
from mountnd.catalog.cache.disk import ListingDiskCache
from mountnd.catalog.model.keys import classify
from mountnd.catalog.model.listing import listing_of
from mountnd.config.options import INDEFINITE
from mountnd.stores.base import ObjectId, ObjectStat

from ..world import Make

HOUR, NOW = 3600.0, 1_700_000_000.0


class Machine:
    """A monotonic clock, and one on the wall that can be set."""

    def __init__(self, place: Path) -> None:
        self.place, self.now, self.wrong = place, 0.0, 0.0
        self.cache = self.mount()

    def mount(self) -> ListingDiskCache:
        self.cache = ListingDiskCache(self.place, "s", clock=lambda: self.now, wall=lambda: NOW + self.now + self.wrong)
        return self.cache

    def restart(self) -> None:
        self.cache.close()
        self.mount()

    def list(self, size: int, prefix: str = "d/") -> None:
        """The directory was listed now: its one object has this size."""
        key = f"{prefix}x"
        stat = ObjectStat(ObjectId("s", key, '"e"', "", size), size, 7, "STANDARD")
        self.cache.add(prefix, listing_of(classify(prefix, [stat], []), self.now))
        self.cache.flush()

    def known(self, prefix: str = "d/") -> int:
        """The size that is told, 0 for none."""
        found = self.cache.get(prefix)
        entry = found.get(b"x", prefix, "s") if found else None
        return entry.stat.size if entry and entry.stat else 0

    def age(self, prefix: str = "d/") -> float:
        """Seconds that what is told says of itself."""
        found = self.cache.get(prefix)
        assert found is not None
        return self.now - found.at


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


@pytest.mark.parametrize("wrong", [HOUR, -HOUR, 86400.0, -NOW + 1000, 400 * 86400.0])
def test_the_latest_listing_wins_whatever_the_clock_said(machine: Machine, wrong: float) -> None:
    """One under a wrong clock, then one under the right one; and at any time after, over restarts and merges."""
    machine.wrong = wrong
    machine.list(1)
    machine.restart()
    machine.wrong = 0.0
    machine.now += 10
    machine.list(2)
    for step in (0, 10, 1000, HOUR, HOUR, 86400):
        machine.now += step
        machine.restart()
        assert machine.known() == 2, step
        machine.list(3, "other/")
    for i in range(2 * segments.SEGMENTS_MAX):
        machine.list(i + 1, f"{i}/")
    machine.restart()
    assert machine.known() == 2


@pytest.mark.parametrize("wrong", [HOUR, -HOUR])
def test_the_latest_listing_wins_also_under_the_wrong_clock(machine: Machine, wrong: float) -> None:
    machine.list(1)
    machine.restart()
    machine.wrong = wrong
    machine.now += 10
    machine.list(2)
    for _ in range(2):
        machine.restart()
        assert machine.known() == 2
    machine.wrong = 0.0
    machine.restart()
    assert machine.known() == 2


def test_mounts_side_by_side(machine: Machine) -> None:
    """One has a clock ahead, and the other one has not looked since."""
    ahead = Machine(machine.place)
    ahead.wrong = HOUR
    ahead.list(1)
    machine.now += 10
    machine.list(2)
    ahead.cache.close()
    machine.restart()
    assert machine.known() == 2


def test_what_was_listed_in_the_future_stays_expired_when_that_has_come(machine: Machine) -> None:
    machine.wrong = HOUR
    machine.list(1)
    machine.restart()
    machine.wrong = 0.0
    machine.restart()
    assert machine.age() == float("inf")
    machine.list(2, "other/")  # whoever writes meanwhile takes note
    machine.now += HOUR + 30
    machine.restart()
    assert machine.known() == 1 and machine.age() > 2 * HOUR
    assert machine.known("other/") == 2 and machine.age("other/") >= HOUR


def test_a_clock_that_was_set_back_makes_nothing_younger(machine: Machine) -> None:
    machine.list(1)
    machine.now += HOUR
    machine.list(2, "e/")
    machine.wrong = -HOUR  # when "d/" was listed, again
    machine.restart()
    assert machine.known() == 1 and machine.age() >= HOUR
    machine.list(3, "f/")
    machine.restart()
    assert machine.age() >= HOUR and machine.age("e/") == float("inf") and machine.age("f/") < 300


def test_a_refresh_under_a_clock_ahead_holds_and_ends(machine: Machine) -> None:
    machine.list(1)
    machine.wrong = HOUR
    machine.cache.invalidate_below("d/")
    machine.cache.flush()
    machine.restart()
    assert machine.known() == 0
    machine.wrong = 0.0
    machine.now += 10
    machine.restart()
    assert machine.known() == 0
    machine.now += 10
    machine.list(2)
    assert machine.known() == 2
    for _ in range(3):
        machine.now += 10
        machine.restart()
        assert machine.known() == 2


def test_a_clock_set_back_while_mounted_after_a_refresh(machine: Machine) -> None:
    machine.list(1)
    machine.cache.invalidate_below("")
    machine.cache.flush()
    machine.wrong = -HOUR
    machine.now += 10
    machine.list(2)
    machine.now += 10
    machine.list(3)
    machine.restart()
    assert machine.known() == 3


def test_clocks_of_a_cluster_may_differ_a_little(machine: Machine) -> None:
    """Nothing is written anew for that, and what was listed there just now is fresh here."""
    machine.wrong = 30.0
    machine.list(1)
    machine.restart()
    machine.wrong = 0.0
    machine.restart()
    assert machine.age() <= 30
    before = {path.name for path in machine.place.glob("*/*.names")}
    machine.list(2, "e/")
    assert len({path.name for path in machine.place.glob("*/*.names")} - before) == 1


def test_times_are_mended_once_and_not_for_each_file_of_a_machine_that_is_ahead(machine: Machine) -> None:
    ahead = Machine(machine.place)
    ahead.wrong = HOUR
    for i in range(3):
        ahead.list(1, f"ahead{i}/")
        machine.now += segments.LOOK_S
        machine.cache.get("none/")
        machine.list(2, f"here{i}/")
        kept = {path.name for path in machine.place.glob("*/*.names")}
    assert len(kept) >= 5
    ahead.cache.close()
    machine.restart()
    assert [machine.known(f"here{i}/") for i in range(3)] == [2] * 3
    assert [machine.known(f"ahead{i}/") for i in range(3)] == [1] * 3


@pytest.mark.parametrize("ttl", [300.0, INDEFINITE])
def test_through_the_catalogue(make: Make, tmp_path: Path, ttl: float) -> None:
    """What a person sees: the bucket as it was listed last, and a restart that asks where it cannot know."""
    wrong = [HOUR]
    w = make(["d/a"], state_dir=tmp_path, ttl=ttl, wall=lambda: w.clock.now + NOW + wrong[0])
    assert w.ls("d") == ["a"]
    wrong[0] = 0.0
    w.store.put("d/b", b"1")
    w.clock.now += 400
    w.restart()
    assert w.ls("d") == ["a", "b"]
    for later in (10.0, HOUR):
        w.clock.now += later
        w.restart_offline()
        assert w.ls("d") == ["a", "b"]
