from __future__ import annotations

from mountnd.lockfile.record import Locked
from mountnd.locking.comparing import compared, same_bytes

A, B = '"0cc175b9c0f1b6a831c399e269772661"', '"92eb5ffee6ae2fec3ad71c777531578f"'


def one(path: str = "a", etag: str = A, size: int = 1, version: str = "", digest: str = "") -> Locked:
    return Locked(path, f"ds/{path}", version, size, etag, 0, digest)


def kinds(old: list[Locked], new: list[Locked]) -> list[tuple[str, str]]:
    return [(difference.kind, difference.path) for difference in compared(old, new)]


def test_what_was_added_removed_and_changed_comes_in_order() -> None:
    old = [one("a"), one("b"), one("c"), one("d"), one("é"), one("\udcff")]
    new = [one("0"), one("a"), one("c", B), one("d", size=2), one("z"), one("\udcff")]
    assert kinds(old, new) == [
        ("added", "0"), ("same", "a"), ("removed", "b"), ("changed", "c"), ("changed", "d"), ("added", "z"),
        ("removed", "é"), ("same", "\udcff"),
    ]  # fmt: skip
    assert kinds([], new[:1]) == [("added", "0")]
    assert kinds(old[:1], []) == [("removed", "a")]
    assert kinds([], []) == []


def test_the_same_bytes_under_another_version_time_or_key_are_the_same() -> None:
    assert same_bytes(one(version="v1"), one(version="v2")._replace(mtime_ns=5, key="elsewhere"))


def test_a_digest_says_more_than_an_etag() -> None:
    parts = '"0cc175b9c0f1b6a831c399e269772661-2"'
    assert same_bytes(one(etag=parts, digest="md5:0cc175b9c0f1b6a831c399e269772661"), one())
    assert not same_bytes(one(etag=parts, digest="md5:92eb5ffee6ae2fec3ad71c777531578f"), one())
    assert not same_bytes(one(digest="sha256:aa"), one(digest="sha256:bb"))


def test_where_nothing_tells_they_differ() -> None:
    assert not same_bytes(one(etag=""), one(etag=""))
    assert not same_bytes(one(etag=""), one())
    assert same_bytes(one(etag="", version="v1"), one(etag="", version="v1"))
