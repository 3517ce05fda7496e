"""What is told of names without asking: since when they are known, from where, and that telling changes nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from mountnd.catalog.query.remembered import Remembered
from mountnd.config.options import INDEFINITE
from mountnd.errors import Forbidden, NotFound
from mountnd.stats import LISTINGS_RECALLED
from mountnd.stores.base import Renewals
from mountnd.stores.memory import Call

from .world import Make, World

KEYS = ["a/x", "a/y", "b/z"]


def told(world: World, path: str) -> Remembered:
    """What is known of a path, its directory taken to be there."""
    *around, name = path.split("/")
    directory = world.cat.root
    for one in around:
        directory = world.cat.below(directory, one.encode())
    return world.cat.remembered(directory, name.encode())


def test_nothing_is_known_before_it_was_asked_for(make: Make) -> None:
    world = make(KEYS)
    assert told(world, "a/x") == Remembered(None)
    assert world.cat.remembered_listing(world.cat.root) is None
    assert world.requests() == []


def test_a_listing_tells_of_what_is_there_and_what_is_not(make: Make) -> None:
    world = make(KEYS, ttl=300.0)
    world.clock.now += 50
    begun = world.clock.now
    world.ls("a")
    world.clock.now += 10
    for name, answer in (("x", "Entry"), ("nope", "NotFound")):
        known = told(world, f"a/{name}")
        assert type(known.answer).__name__ == answer
        assert (known.told_by, known.on_disk, known.at, known.until) == ("listing", False, begun, begun + 300)
        assert known.believed
    listed = world.cat.remembered_listing(world.cat.below(world.cat.root, b"a"))
    assert listed is not None and (listed.entries, listed.believed, listed.at) == (2, True, begun)
    world.clock.now += 300
    assert not told(world, "a/x").believed and isinstance(told(world, "a/nope").answer, NotFound)
    listed = world.cat.remembered_listing(world.cat.below(world.cat.root, b"a"))
    assert listed is not None and not listed.believed


def test_a_look_up_tells_of_one_name(make: Make) -> None:
    world = make([f"d/{n:04}" for n in range(3000)])
    world.at("d/2500")
    assert told(world, "d/2500").told_by == "look-up" and told(world, "d/2500").believed
    assert told(world, "d/2501") == Remembered(None)


def test_an_indefinite_ttl_has_no_end(make: Make) -> None:
    world = make(KEYS, ttl=INDEFINITE)
    world.ls("a")
    assert told(world, "a/x").until == float("inf")


def test_what_was_invalidated_is_unknown(make: Make) -> None:
    world = make(KEYS, ttl=INDEFINITE)
    world.ls("a")
    world.cat.forget("a/x")
    assert told(world, "a/x") == Remembered(None)
    assert told(world, "a/y").believed
    listed = world.cat.remembered_listing(world.cat.below(world.cat.root, b"a"))
    assert listed is not None and not listed.believed


def test_what_the_disk_has_is_told_and_stays_there(make: Make, tmp_path: Path) -> None:
    world = make(KEYS, ttl=300.0, state_dir=tmp_path)
    world.ls("a")
    world.restart()
    world.clock.now += 20
    before = world.stats.snapshot()
    for _ in range(2):
        known = told(world, "a/x")
        assert (known.on_disk, known.believed, world.cat.age(known.at)) == (True, True, pytest.approx(20))
        assert isinstance(told(world, "a/nope").answer, NotFound)
    assert world.stats.snapshot() == before and world.requests() == []
    world.ls("a")
    assert world.stats.snapshot()[LISTINGS_RECALLED] > before.get(LISTINGS_RECALLED, 0)
    assert not told(world, "a/x").on_disk


def test_a_refusal_is_told(make: Make) -> None:
    world = make(KEYS)
    world.ls()

    def refuse(call: Call) -> None:
        raise Forbidden("no", code="AccessDenied")

    world.store.fault = refuse
    with pytest.raises(Forbidden):
        world.at("b/z")
    assert isinstance(told(world, "b/z").answer, Forbidden)
    assert world.cat.refuses_listing(world.cat.below(world.cat.root, b"b"))
    assert not world.cat.refuses_listing(world.cat.root)


def test_what_was_absent_for_other_keys_is_unknown(make: Make) -> None:
    world = make(KEYS, ttl=INDEFINITE)
    world.store.renewals = Renewals()
    world.start()
    world.ls("a")
    world.store.renewals.count += 1
    world.cat.lookup(world.cat.below(world.cat.root, b"a"), b"x")  # which notices the change
    assert told(world, "a/x").believed
    assert told(world, "a/nope").answer is None


def test_telling_counts_as_no_use(make: Make) -> None:
    """What is evicted next is the same, whoever was told of it meanwhile."""

    def kept(tell: bool) -> list[str]:
        names = [f"d{n:02}" for n in range(20)]
        world = make([f"{d}/{'n' * 100}{n:02}" for d in names for n in range(20)], limit_bytes=32_000)
        for d in names:
            world.ls(d)
            if tell:
                told(world, f"d00/{'n' * 100}01")
                world.cat.remembered_listing(world.cat.below(world.cat.root, b"d00"))
        return [d for d in names if world.cat.known(world.cat.below(world.cat.root, d.encode())) is not None]

    assert kept(tell=True) == kept(tell=False)
    assert 3 < len(kept(tell=False)) < 20
