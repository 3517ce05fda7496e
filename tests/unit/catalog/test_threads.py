"""Many readers at once: one request for all who ask the same, and nobody sees anything but the tree."""

from __future__ import annotations

import random
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest

from mountnd import errors
from mountnd.catalog.model.entry import Entry
from mountnd.workers import Waiter, Workers
from tests.model.reference import Tree
from tests.model.small_pages import TINY, SmallPages
from tests.support.threads import Gate, call_before_answers

from .world import Make, World, ls


def hold(w: World) -> Gate:
    w.store.fault = gate = Gate()
    return gate


def test_one_listing_for_all(make: Make) -> None:
    w = make([f"d/f{i}" for i in range(10)])
    gate = hold(w)
    d = Entry(b"d", "d/", True, None)
    results = call_before_answers([lambda: ls(w.cat, d)] * 8, gate, 1)
    assert all(result == results[0] for result in results) and len(results[0]) == 10
    assert w.requests() == [("list", "d/")]


def test_one_look_up_for_all(make: Make) -> None:
    w = make([f"d/f{i}" for i in range(10)])
    gate = hold(w)
    d = Entry(b"d", "d/", True, None)
    results = call_before_answers([lambda: w.cat.lookup(d, b"f1")] * 8, gate, 2)
    assert len(set(results)) == 1
    assert sorted(w.requests()) == [("list", "d/"), ("list", "d/f1")]


def test_a_reader_that_is_killed_leaves_at_once(make: Make) -> None:
    killed = threading.Event()
    w = make(["d/f"], waiter=Waiter(killed.is_set))
    gate = hold(w)
    with ThreadPoolExecutor(2) as pool:
        d = Entry(b"d", "d/", True, None)
        asked: list[Future[Any]] = [pool.submit(w.cat.lookup, d, b"f"), pool.submit(w.cat.scan, d)]
        gate.await_requests()
        killed.set()
        for one in asked:
            with pytest.raises(errors.Interrupted):
                one.result(20)
        gate.open()
    killed.clear()
    assert ls(w.cat, d) == ["f"]


def test_a_store_that_does_not_answer_ends_in_time(make: Make) -> None:
    w = make(["d/f"], timeout=0.3)
    gate = hold(w)
    d = Entry(b"d", "d/", True, None)
    try:
        with pytest.raises(errors.TimedOut):
            w.cat.lookup(d, b"f")
        with pytest.raises(errors.TimedOut):
            w.cat.scan(d)
    finally:
        gate.open()


@pytest.mark.parametrize("ask", ["lookup", "scan"])
def test_all_waits_of_a_call_share_one_time_out(make: Make, ask: str) -> None:
    """However many requests a call would wait for in turn: here none is ever answered in time."""
    waited: list[float] = []

    class Impatient(Waiter):
        impatient = False

        def __call__(self, future: Future[Any], seconds: float = float("inf")) -> Any:
            if not self.impatient:
                return super().__call__(future, seconds)
            waited.append(seconds)
            w.clock.now += seconds
            raise errors.TimedOut("late")

    waiter = Impatient()
    w = make([f"a{i}/b/f" for i in range(9)], timeout=60.0, waiter=waiter)
    assert len(list(ls(w.cat, w.cat.root))) == 9
    gate = hold(w)
    waiter.impatient = True
    try:
        for i in range(8):
            waited.clear()
            with pytest.raises(errors.TimedOut):
                here = Entry(b"a", f"a{i}/", True, None)
                if ask == "scan":
                    w.cat.scan(here)
                else:
                    w.cat.lookup(here, b"b")
            assert sum(waited) <= 60.0
            w.clock.now += 10
    finally:
        gate.open()


def test_an_error_reaches_all_and_is_not_remembered(make: Make) -> None:
    w = make(["d/f"])
    d = Entry(b"d", "d/", True, None)

    def fail(call: object) -> None:
        raise errors.BadAnswer("garbled")

    w.store.fault = fail
    with pytest.raises(errors.BadAnswer):
        w.cat.scan(d)
    with pytest.raises(errors.BadAnswer):
        w.cat.lookup(d, b"f")
    w.store.fault = None
    assert ls(w.cat, d) == ["f"]


def test_forget_while_the_listing_is_under_way(make: Make) -> None:
    """What was listed before a GET disproved it must not come back."""
    w = make({"d/f": b"1", "d/g": b"2"})
    d = Entry(b"d", "d/", True, None)
    changed = threading.Event()

    def hold(call: object) -> None:
        if not changed.is_set():
            changed.set()
            w.store.fault = None

    w.store.fault = hold
    scan = w.cat.scan(d)
    assert changed.is_set()
    w.store.put("d/f", b"other")
    w.cat.forget("d/f")
    scan.close()
    stat = w.cat.lookup(d, b"f").stat
    assert stat is not None and stat.size == 5
    assert [entry.stat.size for entry in w.cat.known(d) or () if entry.stat] == [5, 1]


@pytest.mark.parametrize("seed", range(6))
def test_many_threads_see_the_tree(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    for module, name, value in TINY:
        assert getattr(module, name) != value
        monkeypatch.setattr(module, name, value)
    rng = random.Random(seed)
    parts = ["a", "a-1", "a!", "b", "c", "sub-01", "", "."]
    sizes = {
        "/".join(rng.choice(parts) for _ in range(rng.randint(1, 4))) + "/" * (rng.random() < 0.1): 1 for _ in range(80)
    }
    sizes.pop("", None)
    tree = Tree(sizes)
    store = SmallPages(dict.fromkeys(sizes, b"x"))
    store.page = rng.choice([1, 2, 5, 1000])
    workers = Workers(4, "names", reserved=1)
    limit = rng.choice([1, 5000, 1 << 20])
    w = World(store, workers, limit_bytes=limit)

    def roam(seed: int) -> None:
        mine = random.Random(seed)
        for _ in range(150):
            if mine.random() < 0.03:
                w.cat.refresh(mine.choice(["", "a/"]))
            here, prefix = w.cat.root, ""
            while True:
                shown = tree.listing(prefix)
                if mine.random() < 0.5:
                    expected = sorted(name + "/" * shown[name].endswith("/") for name in shown)
                    assert sorted(ls(w.cat, here)) == expected
                name = mine.choice([*shown, "absent", "a", "a-1"])
                try:
                    here = w.cat.lookup(here, name.encode())
                except errors.NotFound:
                    assert name not in shown
                    break
                assert here.key == shown[name]
                if not here.is_dir:
                    break
                prefix = here.key

    try:
        with ThreadPoolExecutor(6) as pool:
            for future in [pool.submit(roam, seed * 100 + i) for i in range(6)]:
                future.result(120)
        # With room for one listing alone, that of the directory around is never there to begin with.
        assert limit == 1 or w.stats.snapshot().get("names.subtree.listings"), (
            "no subtree was listed ahead: TINY has no effect"
        )
    finally:
        workers.close()
