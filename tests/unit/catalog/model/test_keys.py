"""Each key rule by itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from mountnd.catalog.model import keys
from mountnd.catalog.model.keys import (
    Hidden,
    Unshowable,
    classify,
    directory_may_follow,
    last_of,
    name_of,
    read_page,
    resolve,
    segment_of,
    sort_key,
    split_key,
)
from mountnd.catalog.model.listing import listing_of
from mountnd.stores.base import ObjectId, ObjectStat, Page


def stat(key: str, size: int = 1) -> ObjectStat:
    return ObjectStat(ObjectId("s", key, '"e"'), size, 0)


SHOWN = [
    "a",
    "...",
    ".git",
    " ",
    "a b",
    "+,#:?*%2F'\"\\",
    "\n",
    "\t\x7f\x01",
    "é",
    "e\u0301",
    "\U0001f9e0",
    "\ufffe",
    "x" * 255,
    "é" * 127,
    "\udcff\udc80",
]


@pytest.mark.parametrize("segment", SHOWN)
def test_shown_as_it_is(segment: str) -> None:
    name = name_of(segment)
    assert name == segment.encode("utf-8", "surrogateescape")
    assert segment_of(name) == segment


@pytest.mark.parametrize(
    ("segment", "reason"),
    [
        ("", keys.EMPTY),
        (".", keys.DOTS),
        ("..", keys.DOTS),
        ("\0", keys.NUL),
        ("a\0", keys.NUL),
        ("x" * 256, keys.LONG),
        ("é" * 128, keys.LONG),
        ("\ud800", keys.SPELLING),
        ("\udcc3\udca9", keys.SPELLING),  # would come back as "é"
    ],
)
def test_hidden_with_its_reason(segment: str, reason: str) -> None:
    with pytest.raises(Unshowable) as e:
        name_of(segment)
    assert str(e.value) == reason


@pytest.mark.parametrize("name", [b"", b".", b"..", b"a/b", b"\0", b"x" * 256])
def test_no_key_is_looked_for_under_impossible_names(name: bytes) -> None:
    assert segment_of(name) is None


def test_marker_is_no_file() -> None:
    found = classify("d/", [stat("d/", 0), stat("d/x")], [])
    assert found.marker is not None and list(found.rows) == [b"x"] and not found.hidden


def test_slash_with_bytes_is_reported() -> None:
    assert classify("d/", [stat("d/", 5)], []).hidden == [Hidden("d/", keys.SLASH)]


def test_empty_directory() -> None:
    listing = listing_of(classify("", [], ["red/"]), 0.0)
    entry = listing.get(b"red", "", "s")
    assert entry is not None and entry.is_dir and entry.key == "red/"


def test_directory_wins_and_the_file_is_reported() -> None:
    listing = listing_of(classify("", [stat("x"), stat("x-1")], ["x/"]), 0.0)
    entries = [listing.entry(i, "", "s") for i in range(len(listing))]
    assert [(entry.name, entry.is_dir) for entry in entries] == [(b"x-1", False), (b"x", True)]
    assert listing.hidden == (Hidden("x", keys.SHADOWED),)


@pytest.mark.parametrize(
    ("common", "reason"), [("a//", keys.EMPTY), ("a/./", keys.DOTS), ("a/../", keys.DOTS), ("a/\0/", keys.NUL)]
)
def test_odd_prefixes_are_reported(common: str, reason: str) -> None:
    found = classify("a/", [], [common])
    assert found.hidden == [Hidden(common, reason)] and not found.rows


def test_leading_slash() -> None:
    assert classify("", [], ["/"]).hidden == [Hidden("/", keys.EMPTY)]


def test_what_the_store_cannot_spell_is_reported() -> None:
    assert classify("", [], [], ["'\\ud800'"]).hidden == [Hidden("'\\ud800'", keys.STORE)]


def test_keys_from_deeper_down_tell_of_a_directory() -> None:
    assert classify("", [stat("a/b/c"), stat("a//c")], []).rows == {b"a/": None}


@pytest.mark.parametrize(
    ("file", "last", "expected"),
    [(b"a", b"a", True), (b"a", b"a-1", True), (b"a", b"a/", False), (b"a", b"a0", False), (b"b", b"a", True)],
)
def test_undecided(file: bytes, last: bytes, expected: bool) -> None:
    assert directory_may_follow(file, last) is expected


def test_help_names_every_reason_a_user_can_meet() -> None:
    text = Path(keys.__file__).parents[2].joinpath("help/names.md").read_text()
    for word in ("empty", "`a/./b`", "255 bytes", "NUL", "the directory `x`", "`d/` with bytes"):
        assert word in text


def test_reports_name_the_key_and_come_once_for_each_run() -> None:
    contents = classify("d/", [stat("d//x"), stat("d//y"), stat("d/./x")], ["d/../", "d/\0/"], ["?"])
    assert contents.hidden == [
        Hidden("d//", keys.EMPTY),
        Hidden("d/./", keys.DOTS),
        Hidden("d/../", keys.DOTS),
        Hidden("d/\0/", keys.NUL),
        Hidden("?", keys.STORE),
    ]
    assert classify("d/", [stat("d/\0")], []).hidden == [Hidden("d/\0", keys.NUL)]


def test_a_marker_at_the_root_is_no_report() -> None:
    assert classify("", [stat("", 5)], []).hidden == []
    assert classify("d/", [stat("d/", 0)], []).hidden == []


def test_a_page_ends_with_the_greater_of_its_last_key_and_prefix() -> None:
    page = Page([stat("d/a"), stat("d/m")], ["d/b/", "d/z/"], None)
    contents, last, in_order, ends = read_page("d/", page, check_order=True)
    assert (last, in_order, list(contents.rows)) == (b"z/", True, [b"a", b"m", b"b/", b"z/"])
    assert ends == (b"d/a", b"d/z/")
    assert read_page("d/", Page([stat("d/é")], []), check_order=True).last == "é".encode()
    assert read_page("d/", Page([], []), check_order=True)[1:] == (b"", True, (b"", b""))
    assert last_of(Page([stat("z")], ["a/"])) == b"z"


@pytest.mark.parametrize(
    "page", [Page([stat("b"), stat("a")], []), Page([], ["b/", "a/"]), Page([stat("b"), stat("a")], ["c/", "a/"])]
)
def test_a_page_out_of_order_is_noticed_when_looked_for(page: Page) -> None:
    assert not read_page("", page, check_order=True).in_order
    assert read_page("", page, check_order=False).in_order


def test_files_are_held_back_while_a_directory_may_follow() -> None:
    contents = classify("", [stat("a"), stat("a-1"), stat("b")], [])
    rows, hidden, held_back = resolve(contents, last=b"b")
    assert ([name for name, _ in rows], hidden, [name for name, _ in held_back]) == ([b"a", b"a-1"], [], [b"b"])
    assert [name for name, _ in resolve(contents).rows] == [b"a", b"a-1", b"b"]
    # On the next page the directory comes, or does not; a file told again counts as it is told there.
    came = resolve(classify("", [], ["b/"]), held_back)
    assert came.rows == [(b"b/", None)] and came.hidden == [Hidden("b", keys.SHADOWED)]
    assert [name for name, _ in resolve(classify("", [stat("c")], []), held_back).rows] == [b"b", b"c"]
    assert resolve(classify("", [stat("b", 7)], []), held_back).rows == [(b"b", stat("b", 7))]


def test_keys_sort_by_their_bytes() -> None:
    assert sort_key("é") == "é".encode() and sort_key("\udcff") == b"\xff"
    for lone in ("\ud800", "\udc7f", "\udd00", "\udfff"):
        assert sort_key(f"a{lone}\U0001f9e0") == f"a{lone}\U0001f9e0".encode("utf-8", "surrogatepass")
    assert sort_key("\udc80") == b"\x80"


def test_keys_are_split_at_their_last_slash() -> None:
    assert split_key("a/b/c") == ("a/b/", "c") and split_key("a") == ("", "a")


def test_limits() -> None:
    assert (keys.MAX_NAME, keys.PAGE_KEYS) == (255, 1000)
    assert segment_of(b"x" * 255) == "x" * 255 and name_of("x" * 255) == b"x" * 255
