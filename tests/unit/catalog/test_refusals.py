"""A refused listing says something of that listing only."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from mountnd import errors
from mountnd.catalog.model.entry import Entry
from mountnd.stores.memory import Call

from .world import Make, World, ls


def refuse(w: World, lists: Callable[[str], bool], heads: Callable[[str], bool] = lambda _: False) -> None:
    def fault(call: Call) -> None:
        if call.op == "list" and lists(call.key):
            raise errors.Forbidden("no ListBucket", code="AccessDenied")
        if call.op == "head" and heads(call.key):
            raise errors.Forbidden("no GetObject, or no such key", code="403")

    w.store.fault = fault


def test_a_name_below_which_something_is_known_is_a_directory(make: Make) -> None:
    w = make(["d/x", "other"])
    refuse(w, lambda prefix: not prefix.startswith("d/"))
    assert w.at("d").is_dir and ls(w.cat, w.at("d")) == ["x"]
    w.clock.now += 1000
    refuse(w, lambda _: True)
    assert w.at("d").is_dir, "known from before, whatever its age"
    with pytest.raises(errors.NotFound):
        w.at("e")


def test_an_absence_where_listing_is_refused_is_asked_for_again(make: Make) -> None:
    w = make(["other"])
    refuse(w, lambda _: True)
    with pytest.raises(errors.NotFound) as absent:
        w.at("new")
    assert absent.value.passing
    w.store.put("new", b"x")
    assert w.at("new").key == "new"
    w.requests()
    assert w.at("new").key == "new" and w.requests() == []


def test_an_ordinary_absence_is_kept(make: Make) -> None:
    w = make(["other"])
    with pytest.raises(errors.NotFound) as absent:
        w.at("new")
    assert not absent.value.passing


def test_in_a_large_directory_whose_names_may_not_be_asked_for_by_prefix(make: Make) -> None:
    w = make([f"d/f{n:04}" for n in range(1500)] + ["d/s/x"])
    refuse(w, lambda prefix: prefix not in ("", "d/", "d/s/"))
    d = Entry(b"d", "d/", True, None)
    assert len(ls(w.cat, d)) == 1501
    w.cat.forget("d/f1400")
    w.cat.forget("d/s")
    stat = w.cat.lookup(d, b"f1400").stat
    assert stat is not None and stat.size == 1
    assert w.cat.lookup(d, b"s").is_dir
    assert len(ls(w.cat, d)) == 1501, "the directory itself may be listed all the same"


def test_what_is_asked_beside_a_listing_may_be_refused(make: Make) -> None:
    w = make([f"f{n:04}" for n in range(1500)] + ["z/x"])
    refuse(w, lambda prefix: prefix == "z")  # all that begins with the name
    assert w.at("z").is_dir
    assert w.at("f1400").stat is not None
    assert len(w.ls()) == 1501


def test_where_nothing_may_be_listed_a_refused_name_is_a_directory_for_a_while(make: Make) -> None:
    w = make(["a/b/file"])
    refuse(w, lambda _: True, lambda key: key != "a/b/file")
    stat = w.at("a/b/file").stat
    assert stat is not None and stat.size == 1
    w.requests()
    assert w.at("a/b").is_dir and w.requests() == []
    with pytest.raises(errors.Forbidden):
        w.ls("a")
    w.clock.now += 30
    w.store.fault = None
    w.store.delete("a/b/file")
    with pytest.raises(errors.NotFound):
        w.at("a")
