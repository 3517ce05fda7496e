from __future__ import annotations

from mountnd.stores.s3.key_rules import is_valid_key


def test_all_that_is_utf8_can_be_sent() -> None:
    assert all(is_valid_key(key) for key in ("a/", "//", ".", "\x00", "é", "a\n", "\x7f", "/", "x" * 1024))


def test_nothing_else_can() -> None:
    assert not is_valid_key("")
    assert not is_valid_key("caf\udce9")
