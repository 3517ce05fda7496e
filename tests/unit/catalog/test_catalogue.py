"""What the catalogue answers, and how many requests that takes."""

from __future__ import annotations

import pytest

from mountnd import errors
from mountnd.catalog.model.entry import Entry
from mountnd.config.options import INDEFINITE
from mountnd.stores.memory import Call
from tests.support.waiting import wait_until

from .world import Make, ls

TREE = ["a/b/c/file", "a/b/other", "z.txt"]


def test_path_never_listed_costs_one_round_trip(make: Make) -> None:
    w = make(TREE)
    entry = w.at("a/b/c/file")
    assert entry.key == "a/b/c/file" and entry.stat is not None and entry.stat.size == 1
    # The root's first page and all that begins with "a", side by side: the rest of the path was in the second.
    assert sorted(w.requests()) == [("list", ""), ("list", "a")]


def test_complete_directory_answers_all(make: Make) -> None:
    w = make(TREE)
    assert w.ls() == ["a/", "z.txt"]
    assert w.requests() == [("list", "")]
    assert w.at("z.txt").stat is not None and w.at("a").is_dir
    with pytest.raises(errors.NotFound):
        w.at("absent")
    assert w.requests() == []


def test_long_listing_of_1001_takes_two_lists(make: Make) -> None:
    w = make([f"d/f{i:04}" for i in range(1001)])
    d = w.at("d")
    names = ls(w.cat, d)
    assert len(names) == 1001
    for name in names:
        assert w.cat.lookup(d, name.encode()).stat is not None
    # The look-up's own two requests, and two pages.
    assert sorted(w.requests()) == [("list", ""), ("list", "d"), ("list", "d/"), ("list", "d/")]


def test_ttl_and_absence(make: Make) -> None:
    w = make(["d/x"])
    with pytest.raises(errors.NotFound):
        w.at("d/new")
    w.store.put("d/new", b"1")
    w.clock.now += 299
    w.requests()
    with pytest.raises(errors.NotFound):
        w.at("d/new")
    assert w.requests() == []
    w.clock.now += 1
    assert w.at("d/new").key == "d/new"


def test_forget_asks_once_also_when_indefinite(make: Make) -> None:
    w = make({"d/x": b"1", "d/y": b"2"}, ttl=INDEFINITE)
    w.ls("d")
    w.store.put("d/x", b"longer")
    w.cat.forget("d/x")
    w.requests()
    stat = w.at("d/x").stat
    assert stat is not None and stat.size == 6
    assert w.requests() == [("list", "d/x")]
    assert w.at("d/x").stat == stat and w.ls("d") == ["x", "y"] and w.requests() == []
    w.store.delete("d/y")
    w.cat.forget("d/y")
    assert w.ls("d") == ["x"]
    assert w.requests() == [("list", "d/y")]


def test_below_a_file(make: Make) -> None:
    w = make(TREE)
    with pytest.raises(errors.NotADirectory):
        w.at("z.txt/x")


def test_not_flat_store(make: Make) -> None:
    w = make([f"d/f{i:04}" for i in range(1500)] + ["d/s/x"], flat=False)
    assert w.at("d/f1400").stat is not None
    assert w.at("d/s").is_dir
    with pytest.raises(errors.NotFound):
        w.at("d/absent")
    assert len(w.ls("d")) == 1501


def test_files_in_a_directory_that_may_not_be_listed(make: Make) -> None:
    w = make(["open/d/x", "open/d/y", "other"])

    def refuse(call: Call) -> None:
        if call.op == "list" and call.key.startswith("open/d"):
            raise errors.Forbidden("no ListBucket")
        if call.op == "head" and call.key.endswith("secret"):
            raise errors.Forbidden("no GetObject")

    assert w.ls("open") == ["d/"]
    w.cat.refresh("open/d/")
    w.store.fault = refuse
    d = Entry(b"d", "open/d/", True, None)
    assert w.cat.lookup(d, b"x").stat is not None
    w.requests()
    assert w.cat.lookup(d, b"x").stat is not None and w.requests() == []
    assert w.cat.lookup(d, b"y").stat is not None and w.requests() == [("head", "open/d/y")]
    for _ in range(3):
        with pytest.raises(errors.Forbidden, match="open/d/secret"):
            w.cat.lookup(d, b"secret")
    below = ("list", "open/d/secret/")  # without delimiter, and with it
    assert w.requests() == [("head", "open/d/secret"), below, below]
    with pytest.raises(errors.Forbidden):
        w.cat.scan(d)
    w.store.fault = None
    w.clock.now += 30
    w.requests()
    with pytest.raises(errors.NotFound):
        w.cat.lookup(d, b"secret")
    assert ls(w.cat, d) == ["x", "y"]


def test_several_bad_keys_are_reported_in_one_line(make: Make, caplog: pytest.LogCaptureFixture) -> None:
    w = make(["d//x", "d/./y", "d/ok"])
    for _ in range(3):
        assert w.ls("d") == ["ok"]
        w.cat.refresh("")

    def reports() -> list[str]:
        return [record.getMessage() for record in caplog.records if "not shown" in record.getMessage()]

    wait_until(lambda: bool(reports()), "the worker's report: it comes just after the listing can be seen")
    assert reports() == ["'memory://test/d/': 2 key(s) not shown, the first: 'd/./': a path component '.' or '..'"]
    assert [report.key for report in w.cat.hidden(w.at("d"))] == ["d/./", "d//"]
