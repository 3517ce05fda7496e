"""The readahead policy, by traces."""

from __future__ import annotations

from collections.abc import Sequence

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
