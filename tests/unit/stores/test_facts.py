"""Dates and sizes as servers write them."""

from __future__ import annotations

import pytest

from mountnd.stores.facts import SIZE_MAX, UNKNOWN_MTIME_NS, mtime_of, size_of

SECONDS = 1_600_000_000  # 2020-09-13T12:26:40Z


@pytest.mark.parametrize(
    "text",
    [
        "2020-09-13T12:26:40.000Z",
        "2020-09-13T12:26:40.999999Z",
        "2020-09-13T14:26:40+02:00",
        "2020-09-13T12:26:40",
        " 2020-09-13 12:26:40 ",
        "20200913T122640Z",
        "Sun, 13 Sep 2020 12:26:40 GMT",
        "Sun, 13 Sep 2020 12:26:40 -0000",
        "Sunday, 13-Sep-20 12:26:40 GMT",
        "Sun Sep 13 12:26:40 2020",
    ],
)
def test_dates_are_read(text: str) -> None:
    assert mtime_of(text) == SECONDS * 10**9


@pytest.mark.parametrize(
    "text",
    [None, "", " ", "now", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "1969-12-31T23:59:59Z", "2262-04-12T00:00Z",
     "Mon, 01 Jan 0001 00:00:00 GMT", "Monday, 01-Jan-0001 00:00:00 GMT", "Mon Jan  1 00:00:00 0001", "2020-02-30"],
)  # fmt: skip
def test_a_date_that_cannot_be_is_unknown(text: str | None) -> None:
    assert mtime_of(text) == UNKNOWN_MTIME_NS


def test_the_first_and_the_last_date_that_can_be() -> None:
    assert mtime_of("1970-01-01T00:00:00Z") == 0
    assert mtime_of("2262-04-11T23:47:15Z") == 9_223_372_035 * 10**9
    assert mtime_of("2262-04-11T23:47:16Z") == UNKNOWN_MTIME_NS


def test_sizes() -> None:
    for said, size in ((0, 0), (5, 5), ("5", 5), (" 5 ", 5), (5.0, 5), (SIZE_MAX, SIZE_MAX), (str(SIZE_MAX), SIZE_MAX)):
        assert size_of(said) == size
    for none in (None, "", "-1", -1, True, 5.5, float("nan"), float("inf"), "5.0", "1_0", "\u0663", SIZE_MAX + 1,
                 str(SIZE_MAX + 1), "9" * 5000, [5]):  # fmt: skip
        assert size_of(none) is None, none
