"""Key ranges by their promise: each key in exactly one."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from mountnd.catalog.model.keys import sort_key
from mountnd.catalog.readahead import key_ranges
from mountnd.catalog.readahead.key_ranges import end_of, entries_per_range, key_before, split

segments = st.text(st.sampled_from("ab!-./0é\udcff\U0001f9e0"), min_size=1, max_size=3).filter(
    lambda text: "/" not in text
)
names = st.lists(st.tuples(segments, st.booleans()), unique_by=lambda pair: pair[0], max_size=20)


@given(names, st.integers(1, 6), st.lists(st.tuples(segments, st.lists(segments, min_size=1, max_size=3))))
def test_each_key_lies_in_one_range(
    entries: list[tuple[str, bool]], per_range: int, keys: list[tuple[str, list[str]]]
) -> None:
    spelled = sorted(sort_key(name + "/" * is_dir) for name, is_dir in entries)
    ranges = split("b/", len(spelled), spelled.__getitem__, lambda name: name.endswith(b"/"), per_range)
    for low, high in ranges:
        assert sort_key(low) < sort_key(high)
    for one, other in pairwise(ranges):
        assert sort_key(one.high) <= sort_key(other.low)
    directories = {name for name, is_dir in entries if is_dir}
    for top, rest in keys:
        key = "b/" + "/".join([top, *rest])
        inside = [r for r in ranges if sort_key(r.low) <= sort_key(key) < sort_key(r.high)]
        assert len(inside) <= 1
        if top in directories:
            assert len(inside) == 1


@given(segments)
def test_listing_begins_before_the_range(name: str) -> None:
    low = f"b/{name}/"
    assert sort_key(key_before(low)) < sort_key(low) < sort_key(end_of(low))
    # What lies between belongs to names that begin with this one and a dot.
    assert sort_key(key_before(low)).startswith(sort_key(f"b/{name}."))


def test_ranges_are_of_a_page_or_of_some() -> None:
    assert entries_per_range(200, 24, True) * 24 <= 1000
    assert entries_per_range(10, 1, True) == 10
    assert entries_per_range(100_000, 24, False) * 24 <= 4000
    assert entries_per_range(100_000, 1e6, False) == 1


def test_ranges_begin_and_end_with_a_directory_that_is_wanted() -> None:
    names = [b"a", b"b/", b"c", b"d/", b"e", b"f", b"g", b"h/"]
    ranges = split("p/", len(names), names.__getitem__, lambda name: name.endswith(b"/"), 4)
    assert ranges == [("p/b/", "p/d0"), ("p/h/", "p/h0")]
    assert split("p/", 4, names.__getitem__, lambda name: False, 4) == []


def test_entries_a_range_at_their_limits() -> None:
    assert entries_per_range(100, 16, True) == 50 and entries_per_range(100, 8, True) == 100
    assert entries_per_range(101, 16, True) == 34
    assert entries_per_range(0, 5, True) == 1
    assert entries_per_range(1000, 0.5, False) == 4000 and entries_per_range(1000, 3, False) == 1333
    assert (key_ranges.KEYS_IN_ONE_PAGE, key_ranges.KEYS_IN_SOME_PAGES, key_ranges.PARALLEL) == (800, 4000, 6)
