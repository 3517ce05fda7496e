"""The walk policy by traces, and the split by its promise: each key in exactly one range."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from mountnd.catalog.model.keys import order
from mountnd.catalog.readahead import policy as walk
from mountnd.catalog.readahead.key_ranges import before, cut, end, entries_a_range
from mountnd.catalog.readahead.policy import Plan, Trail, Way, ancestors, first_grant, most_pages, next_grant, parent


def replay(trail: Trail, trace: Sequence[tuple[float, str]], listed: set[str]) -> list[Plan]:
    return [trail.miss(prefix, when, listed.__contains__) for when, prefix in trace]


def test_three_directories_side_by_side_are_a_walk() -> None:
    plans = replay(Trail(""), [(0, ""), (1, "a/"), (2, "b/"), (3, "c/")], {""})
    assert [plan.way for plan in plans] == [Way.PAGE, Way.PAGE, Way.PAGE, Way.WALK]
    assert plans[-1].base == ""


def test_a_walk_is_of_the_nearest_directory_that_is_known() -> None:
    trace = [(i, f"ds/sub-{i}/") for i in range(3)]
    assert replay(Trail(""), trace, {"", "ds/"})[-1] == Plan(Way.WALK, "ds/")
    assert replay(Trail(""), trace, {""})[-1].way is Way.PAGE


def test_it_moves_outward_only_as_the_walk_leaves() -> None:
    trail = Trail("")
    trace = [(i, f"ds0/sub-{i}/") for i in range(9)] + [(10, "ds1/")]
    plans = replay(trail, trace, {"", "ds0/"})
    assert {plan.base for plan in plans if plan.way is Way.WALK} == {"ds0/"}
    assert plans[-1].way is not Way.WALK
    assert replay(trail, [(11, "ds2/")], {"", "ds0/"})[-1] == Plan(Way.WALK, "")


def test_a_person_looking_around_is_no_walk() -> None:
    trace = [(i * (walk.WINDOW_S + 1), f"ds{i}/") for i in range(20)]
    assert all(plan.way is not Way.WALK for plan in replay(Trail(""), trace, {""}))


def test_flat_is_tried_below_what_was_scanned_and_goes_on_where_it_fits() -> None:
    trail = Trail("")
    trail.scanned("", 0.0)
    assert trail.miss("a/", 1.0, lambda _: False).way is Way.FLAT
    trail.outcome("a/", 1000, False)
    assert trail.miss("b/", 2.0, lambda _: False).way is Way.PAGE
    trail.outcome("c/", 10, True)
    assert trail.miss("d/", 100.0, lambda _: False).way is Way.FLAT


def test_the_root_is_never_listed_flat_by_itself() -> None:
    trail = Trail("data/")
    assert [plan.way for plan in replay(trail, [(0, "data/"), (1, "data/")], {"data/"})] == [Way.PAGE, Way.PAGE]


def test_grants_grow_with_use_and_stop_without() -> None:
    most = most_pages(128 << 20)
    assert first_grant(5, most) >= 5 and first_grant(5000, most) == walk.FIRST_PAGES
    assert next_grant(20, 400, 300, most) == 40
    assert next_grant(10_000, 400, 400, most) == most
    assert next_grant(20, 400, 10, most) == walk.FEW_PAGES
    assert most_pages(1) == 1


def test_ancestors() -> None:
    assert list(ancestors("r/a/b/", "r/")) == [("r/a/", "r/a/b/"), ("r/", "r/a/")]
    assert list(ancestors("a/", "")) == [("", "a/")]
    assert list(ancestors("r/", "r/")) == []
    assert parent("a/b/") == "a/" and parent("a/") == ""


segments = st.text(st.sampled_from("ab!-./0é\udcff\U0001f9e0"), min_size=1, max_size=3).filter(
    lambda text: "/" not in text
)
names = st.lists(st.tuples(segments, st.booleans()), unique_by=lambda pair: pair[0], max_size=20)


@given(names, st.integers(1, 6), st.lists(st.tuples(segments, st.lists(segments, min_size=1, max_size=3))))
def test_each_key_lies_in_one_range(
    entries: list[tuple[str, bool]], per_range: int, keys: list[tuple[str, list[str]]]
) -> None:
    spelled = sorted(order(name + "/" * is_dir) for name, is_dir in entries)
    ranges = cut("b/", len(spelled), spelled.__getitem__, lambda name: name.endswith(b"/"), per_range)
    for low, high in ranges:
        assert order(low) < order(high)
    for one, other in pairwise(ranges):
        assert order(one.high) <= order(other.low)
    directories = {name for name, is_dir in entries if is_dir}
    for top, rest in keys:
        key = "b/" + "/".join([top, *rest])
        inside = [r for r in ranges if order(r.low) <= order(key) < order(r.high)]
        assert len(inside) <= 1
        if top in directories:
            assert len(inside) == 1


@given(segments)
def test_listing_begins_before_the_range(name: str) -> None:
    low = f"b/{name}/"
    assert order(before(low)) < order(low) < order(end(low))
    # What lies between belongs to names that begin with this one and a dot.
    assert order(before(low)).startswith(order(f"b/{name}."))


def test_ranges_are_of_a_page_or_of_some() -> None:
    assert entries_a_range(200, 24, True) * 24 <= 1000
    assert entries_a_range(10, 1, True) == 10
    assert entries_a_range(100_000, 24, False) * 24 <= 4000
    assert entries_a_range(100_000, 1e6, False) == 1


def descend(trail: Trail, prefix: str, when: float, first: str | None) -> Plan:
    """What is planned when a directory is opened for reading whose parent was, at 0 s; `first` leads there."""
    trail.scanned(parent(prefix), 0.0)
    trail.scanned(prefix, when)
    return trail.miss(prefix, when, lambda _: True, lambda child: child == first)


def test_reading_a_directory_and_at_once_the_first_in_it_is_a_walk() -> None:
    assert descend(Trail(""), "ds/a/", 0.01, "ds/a/") == Plan(Way.SAMPLE, "ds/")


def test_a_person_or_one_who_wants_another_directory_is_none() -> None:
    assert descend(Trail(""), "ds/a/", walk.DESCENT_S * 2, "ds/a/").way is Way.FLAT
    assert descend(Trail(""), "ds/b/", 0.01, "ds/a/").way is Way.FLAT


def test_looking_up_a_file_in_the_first_directory_is_none() -> None:
    trail = Trail("")
    trail.scanned("ds/", 0.0)
    assert trail.miss("ds/a/", 0.01, lambda _: True, lambda _: True).way is Way.FLAT


def test_a_sample_that_was_not_all_is_not_taken_again_and_gives_the_measure() -> None:
    trail = Trail("")
    trail.sampled("ds/", 5000.0)
    assert descend(trail, "ds/a/", 0.01, "ds/a/").way is Way.FLAT
    assert trail.keys_a_child("ds/") == 5000.0
