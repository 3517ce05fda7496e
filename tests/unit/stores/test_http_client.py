from __future__ import annotations

from mountnd.stores.http.client import file_info, is_strong


def test_tokens_of_web_files() -> None:
    when = "Mon, 12 Oct 2009 17:50:30 GMT"
    assert file_info({"ETag": '"e"', "Last-Modified": when}, 5) == (5, '"e"', 1255369830 * 10**9)
    assert file_info({"Last-Modified": when}, 5).token == f"5-{when}"
    assert file_info({}, 5) == (5, "5-", 0)
    assert file_info({"Last-Modified": "soon"}, 5).mtime_ns == 0
    assert is_strong('"e"')
    assert not is_strong('W/"e"')
    assert not is_strong(f"5-{when}")
