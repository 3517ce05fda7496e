"""What the catalogue believes after the keys of its store have changed."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from mountnd.catalog.requests import LOOK_S
from mountnd.config.options import INDEFINITE
from mountnd.errors import Forbidden, NotFound
from mountnd.stores.base import Deadline, Renewals
from mountnd.stores.memory import Call

from .world import Make, World

KEYS = ["a/x", "a/y", "b/z"]


class Keyed:
    """A world whose store refuses, or hides, what the keys of the moment may not see."""

    def __init__(self, make: Make, **options: object) -> None:
        self.refused: Callable[[Call], bool] = lambda _: False
        self.world: World = make(KEYS, **({"ttl": INDEFINITE} | options))
        store = self.world.store
        store.renewals = self.renewals = Renewals()
        store.fault = self._fault
        store.renew = self._renew  # type: ignore[method-assign]
        self.looks, self.other_keys = 0, False
        self.world.start()

    def _fault(self, call: Call) -> None:
        if self.refused(call):
            raise Forbidden("not with these keys")

    def _renew(self, *, deadline: Deadline) -> bool:
        self.looks += 1
        if self.other_keys:
            self.change()
        return self.other_keys

    def change(self) -> None:
        """Other keys, which may see everything."""
        self.refused = lambda _: False
        self.renewals.count += 1


@pytest.fixture
def keyed(make: Make) -> Keyed:
    return Keyed(make)


def test_a_refusal_is_forgotten(keyed: Keyed) -> None:
    keyed.world.ls()  # where nothing above may be listed, a refused name is taken to be a directory
    keyed.refused = lambda call: True
    with pytest.raises(Forbidden):
        keyed.world.at("a/x")
    keyed.change()
    assert not keyed.world.at("a/x").is_dir
    assert keyed.world.ls("a") == ["x", "y"]


def test_a_directory_that_could_not_be_listed_is_listed(keyed: Keyed) -> None:
    keyed.refused = lambda call: call.op == "list"
    with pytest.raises(NotFound):
        keyed.world.at("a")
    keyed.change()
    keyed.world.requests()
    assert keyed.world.at("a").is_dir
    assert {op for op, _ in keyed.world.requests()} == {"list"}


def test_an_absence_is_asked_for_again_and_a_presence_is_not(keyed: Keyed) -> None:
    world = keyed.world
    assert world.ls("a") == ["x", "y"]
    with pytest.raises(NotFound):
        world.at("a/new")
    world.store.put("a/new", b"")
    with pytest.raises(NotFound):
        world.at("a/new")
    keyed.change()
    world.requests()
    assert world.at("a/x").key == "a/x"
    assert world.ls("a") == ["x", "y"]
    assert world.requests() == []
    assert world.at("a/new").key == "a/new"
    assert len(world.requests()) == 1
    assert world.ls("a") == ["new", "x", "y"]
    with pytest.raises(NotFound):
        world.at("a/none")
    assert len(world.requests()) == 1
    with pytest.raises(NotFound):
        world.at("a/none")
    assert world.requests() == []


def test_an_empty_directory_is_listed_again(make: Make) -> None:
    keyed = Keyed(make, root="later/")
    assert keyed.world.ls() == []
    keyed.world.store.put("later/x", b"")
    assert keyed.world.ls() == []
    keyed.change()
    assert keyed.world.ls() == ["x"]


def test_what_was_asked_for_with_the_old_keys_and_comes_late_is_not_kept(keyed: Keyed) -> None:
    def late(call: Call) -> bool:
        if call.op == "head":
            keyed.change()
        return True

    keyed.world.ls()
    keyed.refused = late
    with pytest.raises(Forbidden):
        keyed.world.at("a/x")
    assert not keyed.world.at("a/x").is_dir


def test_a_refusal_that_is_remembered_has_the_store_look_for_keys(keyed: Keyed) -> None:
    keyed.world.ls()
    keyed.refused = lambda call: True
    for _ in range(5):
        with pytest.raises(Forbidden):
            keyed.world.at("a/x")
    assert keyed.looks == 1, "once in a few seconds"
    keyed.other_keys = True
    with pytest.raises(Forbidden):
        keyed.world.at("a/x")
    keyed.world.clock.now += LOOK_S
    assert not keyed.world.at("a/x").is_dir
    assert keyed.looks == 2


def test_names_on_disk_outlive_the_keys(make: Make, tmp_path: object) -> None:
    keyed = Keyed(make, state_dir=tmp_path)
    assert keyed.world.ls("a") == ["x", "y"]
    keyed.change()
    keyed.world.restart()
    assert keyed.world.at("a/x").key == "a/x"
    assert keyed.world.requests() == []
