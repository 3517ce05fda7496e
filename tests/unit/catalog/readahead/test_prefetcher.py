"""Whole walks: what they see, and the requests they cost."""

from __future__ import annotations

import random
import threading
from itertools import islice

import pytest

from mountnd import errors
from mountnd.catalog.readahead.key_ranges import PARALLEL
from mountnd.stats import SUBTREE_LISTINGS
from mountnd.stores.memory import Call
from tests.support.study_keys import study_keys

from ..world import Make, find


def test_find_over_a_study_takes_a_dozen_requests(make: Make) -> None:
    keys = study_keys()
    w = make(keys)
    seen = [entry.key for entry in find(w) if not entry.is_dir]
    assert sorted(seen) == sorted(keys)
    assert len(w.requests()) <= 12
    assert len(list(find(w))) == len(keys) + 2002
    assert w.requests() == []


def test_find_in_any_order(make: Make) -> None:
    keys = study_keys()
    w = make(keys)
    seen = [entry.key for entry in find(w, shuffle=random.Random(1)) if not entry.is_dir]
    assert sorted(seen) == sorted(keys)
    assert len(w.requests()) <= 14


def test_one_file_in_each_of_200_directories(make: Make) -> None:
    w = make(study_keys())
    for s in range(200):
        assert not w.at(f"sub-{s:03}/ses-0/anat/sub-{s:03}_ses-0_T1w.nii").is_dir
    assert len(w.requests()) <= 14


def test_a_walk_of_a_small_subtree_is_noticed_at_its_first_directory(make: Make) -> None:
    """One page of the top, then six ranges side by side, which hold all of it."""
    w = make(study_keys())
    assert len(list(find(w))) == len(study_keys()) + 2002
    assert len(w.requests()) == 1 + PARALLEL


@pytest.mark.parametrize("size", ["one page", "two pages"])
def test_what_the_first_page_of_a_sample_tells_is_not_waited_for(make: Make, size: str) -> None:
    """The other requests are sent over connections that have to be opened first."""
    files = 3 if size == "one page" else 120
    keys = [f"sub-{s:02}/{kind}/f{i:03}" for s in range(12) for kind in ("anat", "func") for i in range(files)]
    w = make(keys)
    go, late = threading.Event(), []

    def hold_all_but_the_first(call: Call) -> None:
        if sum(one.op == "list" for one in w.store.calls) > 2 and not go.wait(20.0):
            late.append(call)

    w.store.fault = hold_all_but_the_first
    # So many entries lie in those directories of which the first page holds all.
    first = len(keys) + 36 if size == "one page" else (1000 // (2 * files)) * (2 * files + 3)
    assert len(list(islice(find(w), first))) == first
    assert not late
    go.set()
    assert sorted(entry.key for entry in find(w) if not entry.is_dir) == sorted(keys)
    assert w.stats.snapshot()[SUBTREE_LISTINGS] == 1


def test_a_sample_of_a_large_subtree_is_all_that_is_listed_ahead(make: Make) -> None:
    """300 data sets of 1,200 keys: who reads the top and the first of them causes a page here and there, no more."""
    w = make([f"ds{d:03}/sub-{s:02}/f{i}" for d in range(300) for s in range(30) for i in range(40)])
    w.ls()
    assert len(w.ls("ds000")) == 30
    assert len(w.requests()) <= 1 + PARALLEL + 1


def test_the_first_of_very_many_directories_is_listed_alone(make: Make) -> None:
    w = make([f"ds{d:04}/x" for d in range(900)])
    w.ls()
    assert w.ls("ds0000") == ["x"]
    assert len(w.requests()) == 2


def test_of_many_data_sets_only_the_one_walked_is_listed(make: Make) -> None:
    w = make([f"ds{d:04}/sub-{s:02}/anat/f{i}" for d in range(900) for s in range(20) for i in range(3)])
    assert len(list(find(w, w.at("ds0300")))) == 20 * 5
    # The root and the data set, both by the look-up.
    assert len(w.requests()) == 2


def test_a_walk_stops_listing_where_it_stops(make: Make) -> None:
    w = make([f"ds{d:04}/sub-{s:02}/anat/f{i}" for d in range(900) for s in range(40) for i in range(3)])
    w.ls()
    for d in range(4):
        assert len(list(find(w, w.at(f"ds{d:04}")))) == 40 * 5
    # 108 pages would be the whole bucket: the first grant is 8.
    assert len(w.requests()) <= 1 + 2 + 8


def test_a_large_walk_lists_each_page_about_once(make: Make) -> None:
    keys = [f"a{d:03}/b{s:02}/f{i}" for d in range(300) for s in range(25) for i in range(5)]
    w = make(keys)
    seen = [entry.key for entry in find(w) if not entry.is_dir]
    assert len(seen) == len(set(seen)) == len(keys)
    assert len(w.requests()) <= len(keys) / 1000 * 1.3 + PARALLEL + 5  # a sample comes first


def test_a_failing_walk_falls_back_to_plain_listings(make: Make) -> None:
    keys = [f"a{d:02}/f{i}" for d in range(30) for i in range(40)]
    w = make(keys)

    def refuse(call: object) -> None:
        if getattr(call, "key", None) == "" and len(w.store.calls) > 1:
            raise errors.Forbidden("no flat listing here")

    w.store.fault = refuse
    assert len(list(find(w))) == len(keys) + 30


@pytest.mark.parametrize("page", [3, 10, 1000])
def test_directories_larger_than_a_page_within_a_walk(make: Make, page: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mountnd.stores.memory.PAGE_MAX", page)
    keys = [f"a{d:02}/x/f{i:03}" for d in range(12) for i in range(d * 5)] + [f"a{d:02}/m" for d in range(12)]
    w = make(keys)
    assert sorted(entry.key for entry in find(w) if not entry.is_dir) == sorted(keys)
