from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mountnd.errors import BadAnswer
from mountnd.stores.http.ranges import check_range, parse_content_range


@pytest.mark.parametrize(
    ("text", "means"),
    [
        ("bytes 0-0/5", (0, 1, 5)),
        ("bytes 5-9/100", (5, 10, 100)),
        ("bytes 5-9/*", (5, 10, None)),
        ("bytes */100", None),
        ("bytes 5-9", None),
        ("5-9/100", None),
        ("bytes 5-9/100, 11-12/100", None),
        ("", None),
        (None, None),
    ],
)
def test_a_content_range_means(text: str | None, means: object) -> None:
    assert parse_content_range(text) == means


@pytest.mark.parametrize(
    ("status", "content_range", "length"),
    [
        (206, "bytes 5-9/100", 5),
        (206, "bytes 5-9/*", 5),
        (206, "bytes 5-9/100", None),
        (200, "bytes 5-9/100", 5),  # rclone
    ],
)
def test_the_range_that_was_asked_for_is_taken(status: int, content_range: str, length: int | None) -> None:
    check_range(status, content_range, length, 5, 10, "x")


@pytest.mark.parametrize(
    ("status", "content_range", "length"),
    [
        (206, "bytes 4-8/100", 5),
        (206, "bytes 5-8/100", 4),
        (206, "bytes 5-10/100", 6),
        (206, "bytes 5-9/100", 4),  # the length contradicts the range
        (206, "bytes */100", 5),
        (206, "nonsense", 5),
        (206, "", 5),
        (206, None, 5),
        (200, None, 5),
        (200, None, 10),
        (200, None, None),
    ],
)
def test_any_other_is_refused(status: int, content_range: str | None, length: int | None) -> None:
    with pytest.raises(BadAnswer, match=r"^s3://b: 'k': asked for bytes 5-9, got "):
        check_range(status, content_range, length, 5, 10, "s3://b: 'k'")


@given(start=st.integers(0, 50), size=st.integers(1, 50), length=st.none() | st.integers(0, 100))
def test_a_whole_body_is_right_only_where_all_was_asked_for(start: int, size: int, length: int | None) -> None:
    if start == 0 and length == size:
        check_range(200, None, length, start, start + size, "x")
    else:
        with pytest.raises(BadAnswer, match="the whole object"):
            check_range(200, None, length, start, start + size, "x")
    with pytest.raises(BadAnswer):
        check_range(206, None, length, start, start + size, "x")
