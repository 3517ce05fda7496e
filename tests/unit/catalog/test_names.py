"""Each key rule by itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from mountnd.catalog.model import keys as names
from mountnd.catalog.model.keys import Hidden, Unshowable, name_of, segment_of, sort_out, undecided
from mountnd.catalog.model.listing import complete
from mountnd.stores.base import ObjectId, ObjectStat


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
        ("", names.EMPTY),
        (".", names.DOTS),
        ("..", names.DOTS),
        ("\0", names.NUL),
        ("a\0", names.NUL),
        ("x" * 256, names.LONG),
        ("é" * 128, names.LONG),
        ("\ud800", names.SPELLING),
        ("\udcc3\udca9", names.SPELLING),  # would come back as "é"
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
    found = sort_out("d/", [stat("d/", 0), stat("d/x")], [])
    assert found.marker is not None and list(found.rows) == [b"x"] and not found.hidden


def test_slash_with_bytes_is_reported() -> None:
    assert sort_out("d/", [stat("d/", 5)], []).hidden == [Hidden("d/", names.SLASH)]


def test_empty_directory() -> None:
    listing = complete("", sort_out("", [], ["red/"]), 0.0)
    entry = listing.get(b"red", "", "s")
    assert entry is not None and entry.is_dir and entry.key == "red/"


def test_directory_wins_and_the_file_is_reported() -> None:
    listing = complete("", sort_out("", [stat("x"), stat("x-1")], ["x/"]), 0.0)
    entries = [listing.entry(i, "", "s") for i in range(len(listing))]
    assert [(entry.name, entry.is_dir) for entry in entries] == [(b"x-1", False), (b"x", True)]
    assert listing.hidden == (Hidden("x", names.SHADOWED),)


@pytest.mark.parametrize(
    ("common", "reason"), [("a//", names.EMPTY), ("a/./", names.DOTS), ("a/../", names.DOTS), ("a/\0/", names.NUL)]
)
def test_odd_prefixes_are_reported(common: str, reason: str) -> None:
    found = sort_out("a/", [], [common])
    assert found.hidden == [Hidden(common, reason)] and not found.rows


def test_leading_slash() -> None:
    assert sort_out("", [], ["/"]).hidden == [Hidden("/", names.EMPTY)]


def test_what_the_store_cannot_spell_is_reported() -> None:
    assert sort_out("", [], [], ["'\\ud800'"]).hidden == [Hidden("'\\ud800'", names.STORE)]


def test_keys_from_deeper_down_tell_of_a_directory() -> None:
    assert sort_out("", [stat("a/b/c"), stat("a//c")], []).rows == {b"a/": None}


@pytest.mark.parametrize(
    ("file", "last", "expected"),
    [(b"a", b"a", True), (b"a", b"a-1", True), (b"a", b"a/", False), (b"a", b"a0", False), (b"b", b"a", True)],
)
def test_undecided(file: bytes, last: bytes, expected: bool) -> None:
    assert undecided(file, last) is expected


def test_help_names_every_reason_a_user_can_meet() -> None:
    text = Path(names.__file__).parents[2].joinpath("help/names.md").read_text()
    for word in ("empty", "`a/./b`", "255 bytes", "NUL", "the directory `x`", "`d/` with bytes"):
        assert word in text
