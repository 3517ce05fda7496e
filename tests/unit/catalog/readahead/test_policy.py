"""The readahead policy, by traces."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import pytest

from mountnd.catalog.readahead import policy
from mountnd.catalog.readahead.policy import (
    AccessHistory,
    ListingMode,
    Plan,
    ancestors,
    first_grant,
    most_pages,
    next_grant,
    parent,
)


def replay(history: AccessHistory, trace: Sequence[tuple[float, str]], listed: set[str]) -> list[Plan]:
    return [history.plan(prefix, when, listed.__contains__) for when, prefix in trace]


def test_three_directories_side_by_side_are_a_walk() -> None:
    plans = replay(AccessHistory(""), [(0, ""), (1, "a/"), (2, "b/"), (3, "c/")], {""})
    assert [plan.mode for plan in plans] == [
        ListingMode.DELIMITED,
        ListingMode.DELIMITED,
        ListingMode.DELIMITED,
        ListingMode.SUBTREE,
    ]
    assert plans[-1].base == ""


def test_a_walk_is_of_the_nearest_directory_that_is_known() -> None:
    trace = [(i, f"ds/sub-{i}/") for i in range(3)]
    assert replay(AccessHistory(""), trace, {"", "ds/"})[-1] == Plan(ListingMode.SUBTREE, "ds/")
    assert replay(AccessHistory(""), trace, {""})[-1].mode is ListingMode.DELIMITED


def test_it_moves_outward_only_as_the_walk_leaves() -> None:
    history = AccessHistory("")
    trace = [(i, f"ds0/sub-{i}/") for i in range(9)] + [(10, "ds1/")]
    plans = replay(history, trace, {"", "ds0/"})
    assert {plan.base for plan in plans if plan.mode is ListingMode.SUBTREE} == {"ds0/"}
    assert plans[-1].mode is not ListingMode.SUBTREE
    assert replay(history, [(11, "ds2/")], {"", "ds0/"})[-1] == Plan(ListingMode.SUBTREE, "")


def test_a_person_looking_around_is_no_walk() -> None:
    trace = [(i * (policy.WINDOW_S + 1), f"ds{i}/") for i in range(20)]
    assert all(plan.mode is not ListingMode.SUBTREE for plan in replay(AccessHistory(""), trace, {""}))


def test_flat_is_tried_below_what_was_scanned_and_goes_on_where_it_fits() -> None:
    history = AccessHistory("")
    history.directory_read("", 0.0)
    assert history.plan("a/", 1.0, lambda _: False).mode is ListingMode.FLAT
    history.flat_page_listed("a/", 1000, False)
    assert history.plan("b/", 2.0, lambda _: False).mode is ListingMode.DELIMITED
    history.flat_page_listed("c/", 10, True)
    assert history.plan("d/", 100.0, lambda _: False).mode is ListingMode.FLAT


def test_the_root_is_never_listed_flat_by_itself() -> None:
    history = AccessHistory("data/")
    assert [plan.mode for plan in replay(history, [(0, "data/"), (1, "data/")], {"data/"})] == [
        ListingMode.DELIMITED,
        ListingMode.DELIMITED,
    ]


def test_grants_grow_with_use_and_stop_without() -> None:
    most = most_pages(128 << 20)
    assert first_grant(5, most) >= 5 and first_grant(5000, most) == policy.FIRST_PAGES
    assert next_grant(20, 400, 300, most) == 40
    assert next_grant(10_000, 400, 400, most) == most
    assert next_grant(20, 400, 10, most) == policy.FEW_PAGES
    assert most_pages(1) == 1


def test_ancestors() -> None:
    assert list(ancestors("r/a/b/", "r/")) == [("r/a/", "r/a/b/"), ("r/", "r/a/")]
    assert list(ancestors("a/", "")) == [("", "a/")]
    assert list(ancestors("r/", "r/")) == []
    assert parent("a/b/") == "a/" and parent("a/") == ""


def descend(history: AccessHistory, prefix: str, when: float, first: str | None) -> Plan:
    """What is planned when a directory is opened for reading whose parent was, at 0 s; `first` leads there."""
    history.directory_read(parent(prefix), 0.0)
    history.directory_read(prefix, when)
    return history.plan(prefix, when, lambda _: True, lambda child: child == first)


def test_reading_a_directory_and_at_once_the_first_in_it_is_a_walk() -> None:
    assert descend(AccessHistory(""), "ds/a/", 0.01, "ds/a/") == Plan(ListingMode.SAMPLE, "ds/")


def test_a_person_or_one_who_wants_another_directory_is_none() -> None:
    assert descend(AccessHistory(""), "ds/a/", policy.DESCENT_S * 2, "ds/a/").mode is ListingMode.FLAT
    assert descend(AccessHistory(""), "ds/b/", 0.01, "ds/a/").mode is ListingMode.FLAT


def test_looking_up_a_file_in_the_first_directory_is_none() -> None:
    history = AccessHistory("")
    history.directory_read("ds/", 0.0)
    assert history.plan("ds/a/", 0.01, lambda _: True, lambda _: True).mode is ListingMode.FLAT


def test_a_sample_that_was_not_all_is_not_taken_again_and_gives_the_measure() -> None:
    history = AccessHistory("")
    history.subtree_sampled("ds/", 5000.0)
    assert descend(history, "ds/a/", 0.01, "ds/a/").mode is ListingMode.FLAT
    assert history.keys_per_child("ds/") == 5000.0


def mode(history: AccessHistory, prefix: str, now: float, listed: Collection[str] = ()) -> ListingMode:
    return history.plan(prefix, now, listed.__contains__).mode


def test_visits_count_for_a_walk_up_to_the_window_and_not_beyond() -> None:
    assert policy.AFTER == 3
    w = policy.WINDOW_S
    within = replay(AccessHistory(""), [(0, "a/"), (w / 2, "b/"), (w, "c/")], {""})
    assert [plan.mode for plan in within] == [ListingMode.DELIMITED, ListingMode.DELIMITED, ListingMode.SUBTREE]
    beyond = replay(AccessHistory(""), [(0, "a/"), (w / 2, "b/"), (w + 0.1, "c/")], {""})
    assert beyond[-1] == Plan(ListingMode.DELIMITED)


def test_a_directory_visited_again_counts_once_and_from_then_on() -> None:
    again = [(0, "a/"), (9, "a/"), (10, "b/"), (15, "c/")]
    assert [plan.mode for plan in replay(AccessHistory(""), again, {""})] == [ListingMode.DELIMITED] * 3 + [
        ListingMode.SUBTREE
    ]


def test_only_the_latest_visits_are_held() -> None:
    history = AccessHistory("")
    history.subtree_listed("d00/", 1000)
    for i in range(4 * policy.AFTER):
        history.plan(f"d{i:02}/", 0.0, lambda _: False)
    assert history.keys_per_child("") == 1000
    history.plan("x/", 0.0, lambda _: False)
    assert history.keys_per_child("") == 100.0


def test_keys_a_child_are_the_mean_of_those_listed_and_visited() -> None:
    history = AccessHistory("")
    for child, keys in (("a/", 10), ("b/", 40), ("unvisited/", 1000)):
        history.subtree_listed(child, keys)
    for child in ("a/", "b/", "c/"):
        history.plan(child, 0.0, lambda _: False)
    assert history.keys_per_child("") == 25.0 and history.keys_per_child("a/") == 100.0


def test_the_ancestors_held_are_bounded_and_the_latest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(policy, "ANCESTORS", 3)
    history = AccessHistory("")
    listed = {"x/", "y/", "z/"}
    for child in ("x/1/", "x/2/", "y/1/", "x/3/"):  # "", "x/" and "y/" are held
        last = mode(history, child, 0.0, listed)
    assert last is ListingMode.SUBTREE
    for child in ("y/1/", "z/1/", "x/4/"):
        last = mode(history, child, 1.0, listed)
    assert last is ListingMode.DELIMITED, "the visits below x/ were forgotten"


def test_subtrees_held_are_bounded_and_the_latest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(policy, "REMEMBERED", 2)
    history = AccessHistory("")
    for child in ("a/", "b/", "a/", "c/"):
        history.subtree_listed(child, 5)
    assert [history.was_subtree_listed(child) for child in ("a/", "b/", "c/")] == [True, False, True]


def test_reading_the_directory_around_makes_it_flat_up_to_the_window() -> None:
    for now, expected in ((policy.WINDOW_S, ListingMode.FLAT), (policy.WINDOW_S + 0.1, ListingMode.DELIMITED)):
        history = AccessHistory("")
        history.directory_read("d/", 0.0)
        assert mode(history, "d/a/", now) is expected


def test_a_flat_page_tells_of_the_directories_beside_it_alone() -> None:
    history = AccessHistory("")
    history.flat_page_listed("d/a/", 1000, False)
    assert not history.was_subtree_listed("d/a/")
    history.directory_read("d/", 0.0)
    history.directory_read("e/", 0.0)
    assert mode(history, "d/b/", 0.0) is ListingMode.DELIMITED
    assert mode(history, "e/b/", 0.0) is ListingMode.FLAT
    history.flat_page_listed("d/c/", 7, True)
    assert history.was_subtree_listed("d/c/") and mode(history, "d/b/", 0.0) is ListingMode.FLAT


def test_a_flat_page_of_the_root_has_nothing_beside_it() -> None:
    history = AccessHistory("r/")
    history.flat_page_listed("r/", 5, True)
    assert history.was_subtree_listed("r/")
    assert mode(history, "r/a/", 0.0) is ListingMode.DELIMITED
    other = AccessHistory("r/")
    other.flat_page_listed("r/a/", 5, True)
    assert mode(other, "r/b/", 0.0) is ListingMode.FLAT


def test_a_descent_is_believed_up_to_its_time_and_only_with_both_read() -> None:
    first = "ds/a/"
    assert descend(AccessHistory(""), first, policy.DESCENT_S, first).mode is ListingMode.SAMPLE
    assert descend(AccessHistory(""), first, policy.DESCENT_S + 0.01, first).mode is ListingMode.FLAT
    history = AccessHistory("")
    history.directory_read(first, 0.0)
    assert history.plan(first, 0.0, lambda _: True, lambda _: True).mode is ListingMode.DELIMITED
    history.directory_read("ds/", 0.0)
    assert history.plan(first, 0.0, lambda _: True, lambda _: True) == Plan(ListingMode.SAMPLE, "ds/")


def test_the_root_is_no_descent() -> None:
    history = AccessHistory("")
    history.directory_read("", 0.0)
    assert history.plan("", 0.0, lambda _: True, lambda _: True) == Plan(ListingMode.DELIMITED)


def test_grants_at_their_limits() -> None:
    assert first_grant(policy.WHOLE_PAGES, 256) == policy.WHOLE_PAGES + 2
    assert first_grant(policy.WHOLE_PAGES + 0.1, 256) == policy.FIRST_PAGES
    assert first_grant(1, 3) == first_grant(1000, 3) == 3
    assert next_grant(20, 400, 100, 256) == 40 and next_grant(20, 400, 99, 256) == policy.FEW_PAGES
    assert next_grant(20, 400, 0, 1) == 1
    assert next_grant(3, 0, 0, 256) == policy.FIRST_PAGES and next_grant(200, 1, 1, 256) == 256
    assert most_pages(128 << 20) == 223 and most_pages(1 << 40) == policy.MOST_PAGES
    assert most_pages(1_200_000) == 2


def test_a_place_outside_the_root_has_no_ancestors() -> None:
    assert list(ancestors("x/", "r/a/")) == []
    assert list(ancestors("r/a/b/c/", "r/")) == [("r/a/b/", "r/a/b/c/"), ("r/a/", "r/a/b/"), ("r/", "r/a/")]


def test_thresholds_are_as_measured() -> None:
    """Each has its reason beside it in `policy`: whoever changes one should mean to."""
    assert (policy.WINDOW_S, policy.DESCENT_S, policy.DESCENT_MAX) == (10.0, 0.5, 400)
    assert (policy.FIRST_PAGES, policy.WHOLE_PAGES, policy.MOST_PAGES, policy.FEW_PAGES) == (8, 16, 256, 2)
    assert (policy.MOST_PART, policy.PAGE_BYTES, policy.USED_PART) == (1 / 4, 150_000, 0.25)
    assert (policy.REMEMBERED, policy.ANCESTORS) == (20_000, 1_000)
