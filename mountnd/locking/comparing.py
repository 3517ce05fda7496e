"""Two lockfiles compared: what was added, removed, changed. Pure.

What counts is what a reader gets: which paths there are, and their bytes. The same bytes under another version id, at
another time, or in another bucket, are the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal, NamedTuple

from ..lockfile.record import Locked

Kind = Literal["added", "removed", "changed", "same"]


class Difference(NamedTuple):
    """What became of one path. `old`: None where it was added; `new`: None where it was removed."""

    kind: Kind
    old: Locked | None
    new: Locked | None

    @property
    def path(self) -> str:
        one = self.new or self.old
        assert one is not None
        return one.path


def compared(old: Iterable[Locked], new: Iterable[Locked]) -> Iterator[Difference]:
    """What became of each path, in order. Both come in the order of their paths' bytes."""
    olds, news = iter(old), iter(new)
    a, b = next(olds, None), next(news, None)
    while a is not None or b is not None:
        if b is None or (a is not None and order(a) < order(b)):
            yield Difference("removed", a, None)
            a = next(olds, None)
        elif a is None or order(b) < order(a):
            yield Difference("added", None, b)
            b = next(news, None)
        else:
            yield Difference("same" if same_bytes(a, b) else "changed", a, b)
            a, b = next(olds, None), next(news, None)


def order(record: Locked) -> bytes:
    """What records are sorted by."""
    return record.path.encode("utf-8", "surrogateescape")


def same_bytes(a: Locked, b: Locked) -> bool:
    """Whether two records are of the same bytes, by the best that both of them say; False where nothing tells."""
    if a.size != b.size:
        return False
    one, other = _digests(a), _digests(b)
    if common := one.keys() & other.keys():
        return all(one[algorithm] == other[algorithm] for algorithm in common)
    if a.etag and b.etag:
        return a.etag == b.etag
    return bool(a.version) and a.version == b.version


def _digests(record: Locked) -> dict[str, str]:
    """By algorithm; that which is the ETag of an upload in one part (32 hexadecimal digits) is an MD5."""
    found = dict([record.digest.split(":", 1)]) if record.digest else {}
    etag = record.etag[1:-1]
    if len(etag) == 32 and record.etag.startswith('"'):
        found.setdefault("md5", etag)
    return found
