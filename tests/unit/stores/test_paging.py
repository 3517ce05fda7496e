from __future__ import annotations

from mountnd.stores.base import Page
from mountnd.stores.paging import goes_back
from mountnd.stores.s3.listing.continuation import after_of, begins_again, behind_key, behind_prefix, without_repeated


def test_going_back() -> None:
    for last, first in ((b"a", b"a"), (b"b", b"a"), (b"a/x", b"a/b"), (b"b/", b"a-b"), (b"a/", b"a")):
        assert goes_back(first, last), (last, first)
    for last, first in ((b"a", b"b"), (b"a", b"a/"), (b"a/x", b"a0"), (b"a/", b"a-b"), (b"a/x", b"a-b/c")):
        assert not goes_back(first, last), (last, first)


def test_a_token_of_ours_is_no_server_s() -> None:
    assert after_of(behind_key("a/b")) == "a/b"
    assert after_of(behind_prefix("a/")) == "a/\ufffd"
    for token in (None, "", "t1", "a/b"):
        assert after_of(token) == ""


def test_a_common_prefix_may_be_told_once_more() -> None:
    page = Page([], ["a/", "b/"])
    after = after_of(behind_prefix("a/"))
    assert not begins_again(page, after)
    assert without_repeated(page, after).prefixes == ["b/"]
    assert begins_again(page, after_of(behind_prefix("b/")))
    assert begins_again(page, "c")
    assert not begins_again(Page([], []), "c")
