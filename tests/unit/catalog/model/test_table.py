"""Tables: the short ways give what the long ones do."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mountnd.catalog.model.grouping import Grouper
from mountnd.catalog.model.keys import Unshowable, is_plain_name, name_of, sort_key
from mountnd.catalog.model.table import tabulate
from mountnd.stores.base import ObjectId, ObjectStat
from tests.model.keys import SEGMENTS, key_sets

names = st.binary(min_size=1, max_size=40).map(lambda name: name.replace(b"/", b"_"))
listings = st.dictionaries(names, st.booleans(), max_size=30).map(
    lambda rows: sorted((name + b"/", None) if is_dir else (name, stat("k")) for name, is_dir in rows.items())
)


def stat(key: str) -> ObjectStat:
    return ObjectStat(ObjectId("s", key, '"0123456789abcdef0123456789abcdef"', "", 7), 7, 10**9, "STANDARD")


@given(listings)
def test_names_are_those_of_the_rows_from_each_on(rows: list[tuple[bytes, ObjectStat | None]]) -> None:
    table = tabulate(rows)
    for start in range(len(rows) + 1):
        assert list(table.names(start)) == [name for name, _ in rows[start:]]
        assert list(table.names(start)) == [row[0] for row in table.brief_rows(start)]


@given(st.sampled_from(SEGMENTS) | st.text(max_size=4) | st.text("a./\n \0é", max_size=4))
def test_a_plain_name_is_its_segment_in_ascii(segment: str) -> None:
    try:
        name = name_of(segment) if "/" not in segment else None
    except Unshowable:
        name = None
    assert not is_plain_name(segment) or name == segment.encode("ascii")


@given(key_sets)
def test_keys_come_into_the_directories_that_they_say(keys: dict[str, int]) -> None:
    """Each key that can be shown, in the directory that its slashes give, whichever way it is grouped."""
    grouper = Grouper("", "")
    grouper.feed(stat(key) for key in sorted(keys, key=sort_key))
    grouper.finish(None)
    found = {directory.prefix: directory.contents for directory in grouper.completed}
    shown = {
        prefix + name.decode("utf-8", "surrogateescape"): of
        for prefix, contents in found.items()
        for name, of in contents.rows.items()
    }
    markers = {prefix: contents.marker for prefix, contents in found.items() if contents.marker}
    assert {key for key, of in shown.items() if of} | set(markers) == {key for key in keys if _can_be_shown(key)}
    assert all(of is None or of.id.key == key for key, of in shown.items())
    assert {key for key, of in shown.items() if of is None} == set(found) - {""}


def _can_be_shown(key: str) -> bool:
    try:
        return all(name_of(segment) for segment in key.removesuffix("/").split("/"))
    except Unshowable:
        return False
