"""What is served while the store is out of reach, or not to be asked."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from mountnd import errors
from mountnd.catalog.query import stale_fallback

from ..world import Make

KEYS = ["d/x", "d/y", "d/sub/z", "e/", "odd/\udcff\n", "odd//hidden"]


def test_offline_serves_what_is_known_and_asks_nothing(make: Make, tmp_path: Path) -> None:
    w = make(KEYS, state_dir=tmp_path)
    w.ls("d"), w.ls()
    w.clock.now += 10_000
    w.restart_offline()
    assert w.ls() == ["d/", "e/", "odd/"] and w.at("d/x").stat is not None
    with pytest.raises(errors.NotFound):
        w.at("d/absent")
    for ask in (lambda: w.ls("e"), lambda: w.at("e/x")):
        with pytest.raises(errors.Unreachable, match="offline"):
            ask()
    assert w.requests() == []


def test_without_a_network_the_tree_stands(make: Make) -> None:
    w = make(KEYS)
    w.ls("d"), w.ls(), w.requests()

    def cut_off(call: object) -> None:
        raise errors.Unreachable("no route")

    w.store.fault = cut_off
    w.clock.now += 10_000
    assert w.ls("d") == ["sub/", "x", "y"]
    asked = w.requests()
    assert w.at("d/y").stat is not None and w.ls() == ["d/", "e/", "odd/"]
    with pytest.raises(errors.Unreachable):
        w.ls("e")
    # One request found out, or two side by side; nobody else waited for a time-out.
    assert len(asked) <= 2 and w.requests() == []
    w.store.fault = None
    w.clock.now += 10
    assert w.ls("e") == []


def test_a_silent_store_is_not_waited_for_where_names_are_known(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stale_fallback, "PATIENCE_S", 0.2)
    w = make(KEYS)
    w.ls(), w.ls("d")
    answers = threading.Event()

    def silent(call: object) -> None:
        answers.wait(20)

    w.store.fault = silent
    w.clock.now += 10_000
    assert w.ls("d") == ["sub/", "x", "y"]
    w.requests()
    assert w.ls() == ["d/", "e/", "odd/"] and w.requests() == []
    answers.set()
    w.store.put("d/new", b"1")
    w.clock.now += 10
    assert "new" in w.ls("d")
