from __future__ import annotations

from mountnd.stores.facts import UNKNOWN_MTIME_NS
from mountnd.stores.http.client import file_info, is_strong


def test_tokens_of_web_files() -> None:
    when = "Mon, 12 Oct 2009 17:50:30 GMT"
    assert file_info({"ETag": '"e"', "Last-Modified": when}, 5) == (5, '"e"', 1255369830 * 10**9)
    assert file_info({"Last-Modified": when}, 5).token == f"5-{when}"
    assert file_info({}, 5) == (5, "5-", UNKNOWN_MTIME_NS)
    assert file_info({"Last-Modified": "soon"}, 5).mtime_ns == UNKNOWN_MTIME_NS
    assert file_info({"Last-Modified": when.replace("2009", "0001")}, 2**63) == (
        None,
        f"{2**63}-{when.replace('2009', '0001')}",
        UNKNOWN_MTIME_NS,
    )
    assert is_strong('"e"')
    assert not is_strong('W/"e"')
    assert not is_strong(f"5-{when}")
