from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mountnd.stores.s3.bodies import fill, limit_for
from mountnd.stores.s3.key_rules import botocore_may_carry, obstore_may_carry


@pytest.mark.parametrize("key", ["a", "a/b", "...", "a/.../b", "..a", "a..", " ", "a b", "é", "%2F", "a?b", "x" * 1024])
def test_obstore_may_carry(key: str) -> None:
    assert obstore_may_carry(key)


@pytest.mark.parametrize(
    "key",
    [
        "",
        "/",
        "a/",
        "/a",
        "a//b",
        ".",
        "..",
        "a/.",
        "./a",
        "a/./b",
        "a/../b",
        "a/..",
        "\x00",
        "a\n",
        "a\x7fb",
        "\udcff",
    ],
)
def test_obstore_may_not_carry(key: str) -> None:
    assert not obstore_may_carry(key)


def test_botocore_carries_all_that_is_utf8() -> None:
    assert all(botocore_may_carry(key) for key in ("a/", "//", ".", "\x00", "é"))
    assert not botocore_may_carry("")
    assert not botocore_may_carry("caf\udce9")


@given(st.floats(0, 10_000))
def test_a_limit_keeps_the_deadline_within_five_percent(left: float) -> None:
    limit = limit_for(left)
    if limit is None:
        assert left < 0.25
    else:
        assert limit <= left * 1.05
        assert limit >= min(left / 2.6, 300)


def test_a_whole_attempt_gets_its_whole_limit() -> None:
    """An attempt's deadline is a moment old when it is looked at."""
    assert limit_for(29.999) == 30.0
    assert limit_for(59.9) == 60.0
    assert limit_for(float("inf")) == 3600.0


@given(
    body=st.binary(max_size=200),
    cuts=st.lists(st.integers(1, 40), max_size=10),
    lengths=st.lists(st.integers(1, 40), max_size=10),
)
def test_pieces_fill_views_whatever_their_sizes(body: bytes, cuts: list[int], lengths: list[int]) -> None:
    pieces, rest = [], body
    for cut in cuts:
        pieces.append(rest[:cut])
        rest = rest[cut:]
    pieces.append(rest)
    buffers = [bytearray(length) for length in lengths]
    filled = fill([memoryview(buffer) for buffer in buffers], pieces)
    got = b"".join(buffers)
    assert got[: len(body)] == body[: len(got)]
    # what is left over shows: too few, or more than there was room for
    assert (filled == len(got)) == (len(body) == len(got)) or filled >= len(got)
    if len(body) <= len(got):
        assert filled == len(body)
