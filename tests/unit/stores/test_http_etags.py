from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mountnd.stores.base import ObjectId, ObjectStat
from mountnd.stores.http import etags
from mountnd.stores.http.etags import (
    NOTHING,
    are_shared,
    are_usual,
    canonical_date,
    dated_token,
    http_date,
    is_reliable,
    next_spelling,
    normalised,
    spelled,
)

MD5 = "0123456789abcdef0123456789abcdef"


@pytest.mark.parametrize(
    ("written", "means"),
    [
        (f'"{MD5}"', f'"{MD5}"'),
        (MD5, f'"{MD5}"'),
        (f'"{MD5}', f'"{MD5}"'),
        (f'{MD5}"', f'"{MD5}"'),
        (f' "{MD5}" ', f'"{MD5}"'),
        (MD5.upper(), f'"{MD5}"'),
        (f'"{MD5.upper()}-12"', f'"{MD5}-12"'),
        (f'W/"{MD5}"', f'W/"{MD5}"'),
        (f"w/{MD5.upper()}", f'W/"{MD5}"'),
        ('"Ab-C"', '"Ab-C"'),  # not hexadecimal: upper and lower case may differ
        ('"0x8D4BCC2E4835CD0"', '"0x8D4BCC2E4835CD0"'),
        ("", ""),
        ('""', ""),
        ('"', ""),
        ('W/""', ""),
    ],
)
def test_one_spelling(written: str, means: str) -> None:
    assert normalised(written) == means
    assert normalised(means) == means


@pytest.mark.parametrize(
    ("etag", "size", "reliable"),
    [
        (f'"{MD5}"', 5, True),
        ('"v1"', 5, True),
        (f'W/"{MD5}"', 5, False),
        ("", 5, False),
        (f'"{"0" * 32}"', 5, False),
        (f'"{"0" * 32}-2"', 5, False),
        ('"0"', 5, False),
        ('"-"', 5, False),
        (f'"0{MD5[1:]}"', 5, True),
        (NOTHING, 5, False),
        (NOTHING[:-1] + '-3"', 5, False),
        (NOTHING, 0, True),
        (NOTHING, -1, True),
    ],
)
def test_which_say_what_version_it_is(etag: str, size: int, reliable: bool) -> None:
    assert is_reliable(etag, size) is reliable


@given(st.lists(st.sampled_from([f'"{MD5}"', '"v1"', f'"{MD5}-3"', '"', '""', "", f'W/"{MD5}"', MD5, f'"{MD5}',
                                 f'"{MD5.upper()}"', NOTHING, f'"{"0" * 32}-2"', '"0"', '"a""b"', 'a"\n"b']),
                min_size=1))  # fmt: skip
def test_a_page_is_usual_only_where_each_of_its_etags_is(page: list[str]) -> None:
    if are_usual(page):
        assert all(len(etag) >= 34 and normalised(etag) == etag and is_reliable(etag, 1) for etag in page)


def test_ordinary_pages_are_usual() -> None:
    assert are_usual([f'"{MD5}"', f'"{MD5[::-1]}-17"'])
    assert are_usual([f'"{MD5}"'])


def stat(key: str, etag: str, size: int, mtime_ns: int = 0) -> ObjectStat:
    return ObjectStat(ObjectId("s", key, etag, "", size), size, mtime_ns)


def test_what_speaks_against_all_etags_of_a_source() -> None:
    assert are_shared([stat("a", '"x"', 1), stat("b", '"x"', 1, 10**9)])
    assert not are_shared([stat("a", '"x"', 1), stat("b", '"x"', 1)])  # nginx makes its own of date and size
    assert are_shared([stat("a", f'"{MD5}"', 1), stat("b", f'"{MD5}"', 2)])
    assert are_shared([stat("a", f'"{MD5}"', 1), stat("a", f'"{MD5}"', 2)])
    assert not are_shared([stat("a", f'"{MD5}"', 1), stat("b", f'"{MD5}"', 1)])  # copies
    assert not are_shared([stat("a", f'"{MD5 * 2}"', 1), stat("b", f'"{MD5 * 2}"', 1)])  # SHA-256
    assert not are_shared([stat("a", '"x"', 1), stat("b", '"y"', 1), stat("a", '"x"', 1)])
    assert not are_shared([stat("a", NOTHING, 0), stat("b", NOTHING, 5), stat("c", "", 1), stat("d", "", 2)])


def test_spellings_of_if_match() -> None:
    token = '"ab"'
    assert [spelled(token, s) for s in etags.SPELLINGS] == ['"ab"', '"AB"', "ab", "AB", ""]
    assert spelled("5-Mon", etags.QUOTED) == spelled('W/"a"', etags.QUOTED) == ""


@pytest.mark.parametrize(
    ("own", "tried"),
    [
        (f'"{MD5}"', ["bare", "never", "never"]),
        (MD5, ["bare", "never", "never"]),
        (f'"{MD5.upper()}"', ["upper", "bare", "never"]),
        (MD5.upper(), ["bare upper", "bare", "never"]),
        (f'"{MD5}', ["bare", "never", "never"]),
    ],
)
def test_spellings_are_tried_in_order(own: str, tried: list[str]) -> None:
    spelling = etags.QUOTED
    for following in tried:
        spelling = next_spelling(spelling, own)
        assert spelling == following


def test_dates() -> None:
    when = "Mon, 12 Oct 2009 17:50:30 GMT"
    assert http_date(1255369830 * 10**9 + 5) == when == canonical_date(when)
    assert canonical_date("Mon, 12 Oct 2009 19:50:30 +0200") == when
    assert canonical_date("soon") == "soon"
    assert canonical_date("Thu, 01 Jan 1970 00:00:00 GMT") == http_date(0) == ""
    assert dated_token(5, when) == f"5-{when}"
    assert etags.date_of(f"5-{when}") == when
