"""Each key rule by itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from mountnd.catalog.model import keys
from mountnd.catalog.model.keys import Hidden, Unshowable, classify, directory_may_follow, name_of, segment_of
from mountnd.catalog.model.listing import listing_of
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
