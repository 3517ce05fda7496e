"""Which keys a view shows under which names, in which order. Pure.

`X.nii.gz` is shown as `X.nii`, in whatever case it is written, and only where a key ends so: a prefix `X.nii.gz/` is a
directory and stays one. Where `X.nii` is stored, too, that one is shown.

A shown key is the beginning of its stored key. So a listing of all keys with some prefix finds the stored keys of all
shown ones that have it. But a shown key sorts before what lies between the two: `a.nii` comes before `a.nii-b`, and
its stored `a.nii.gz` after it. Pages are put right by three rules, for a page of the stored keys after `after` up to
`last`:

- `a.nii` is left out where it is not after `after`: the page before had it;
- it is added where it is in the page and its stored key is behind `last` (`due`; that key is asked for);
- the page is sorted.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from ..stores.base import ObjectStat, Page
from .identity import listed

# What is taken from the end of a name, as it may be written; the usual ways first.
_SUFFIXES = (".gz", ".GZ", ".Gz", ".gZ")
_TOKEN = re.compile(r"(\d+):(.*)", re.DOTALL)

BESIDE = "what it inflates to is stored beside it under the name that it would have, and that is shown"


class Position(NamedTuple):
    """Where a listing goes on: the store's token, and the last stored key or common prefix before it."""

    token: str
    after: str

    def text(self) -> str:
        return f"{len(self.after)}:{self.after}{self.token}"


def position_of(token: str) -> Position:
    """The inverse of `Position.text`. Raises ValueError."""
    found = _TOKEN.fullmatch(token)
    if found is None or len(found[2]) < int(found[1]):
        raise ValueError(f"not a token of a view: {token[:50]!r}")
    cut = int(found[1])
    return Position(found[2][cut:], found[2][:cut])


def sort_key(key: str) -> bytes:
    """What S3 sorts keys by. Never raises."""
    try:
        return key.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return key.encode("utf-8", "surrogatepass")


class Names:
    """The names of one view.

    Args:
        ends: how the names end that lose their `.gz`, in lower case: `.nii.gz`.
        source: the view's identity.
    """

    def __init__(self, ends: Sequence[str], source: str) -> None:
        self._ends, self.source = tuple(ends), source
        self._shown_ends = tuple(end.removesuffix(".gz") for end in ends)

    def suffix(self, key: str) -> str:
        """What a stored key loses at its end to be shown; "" for nothing."""
        return key[-3:] if key[-3:] in _SUFFIXES and key.lower().endswith(self._ends) else ""

    def shown(self, key: str) -> str:
        """The key that a stored one is shown under."""
        suffix = self.suffix(key)
        return key.removesuffix(suffix) if suffix else key

    def candidates(self, key: str) -> list[str]:
        """The stored keys that may be shown as `key`, those before others that are to be preferred."""
        if self.suffix(key):
            return []
        if not key.lower().endswith(self._shown_ends):
            return [key]
        upper = key[-1:].isupper()
        return [key, *(key + suffix for suffix in sorted(_SUFFIXES, key=lambda s: s[1:].isupper() != upper))]

    def due(self, after: str, last: str, prefix: str) -> list[str]:
        """The stored keys behind `last` that belong in the page which ends there: they are to be asked for."""
        low, high, lowered = sort_key(after), sort_key(last), last.lower()
        found = []
        for end in self._shown_ends:
            at = lowered.find(end, len(prefix) - len(end) if len(prefix) > len(end) else 0)
            while at >= 0:
                shown = last[: at + len(end)]
                if sort_key(shown) > low and shown.startswith(prefix):
                    found += [key for key in self.candidates(shown)[1:] if sort_key(key) > high]
                at = lowered.find(end, at + 1)
        return found

    def page(self, page: Page, added: Iterable[ObjectStat], prefix: str, after: str, token: str | None) -> Page:
        """A page of stored keys as the view shows it.

        Args:
            added: objects of `due`.
            prefix: of the shown keys.
            after: the last stored key or prefix before the page.
            token: what continues it.
        """
        source, suffix_of = self.source, self.suffix
        plain: list[ObjectStat] = []
        renamed: dict[str, list[tuple[ObjectStat, str]]] = {}
        for stat in [*page.objects, *added]:
            key = stat.id.key
            if suffix := suffix_of(key):
                renamed.setdefault(key[: -len(suffix)], []).append((stat, suffix))
            else:
                plain.append(listed(stat, source, key, ""))
        hidden: list[tuple[str, str]] = []
        if renamed:
            low = sort_key(after)
            there = {stat.id.key for stat in plain}
            for shown, stats in renamed.items():
                if not shown.startswith(prefix) or (after and sort_key(shown) <= low):
                    continue
                order = self.candidates(shown)
                stats.sort(key=lambda one: order.index(one[0].id.key))
                if shown not in there:
                    stat, suffix = stats.pop(0)
                    plain.append(listed(stat, source, shown, suffix))
                hidden += [(stat.id.key, BESIDE) for stat, _ in stats]
            plain.sort(key=lambda stat: sort_key(stat.id.key))
        return Page(plain, page.prefixes, token, page.unshowable, (*page.hidden, *hidden))


def last_of(page: Page) -> str:
    """The last stored key or common prefix of a page; "" of an empty one."""
    ends = [stat.id.key for stat in page.objects[-1:]] + page.prefixes[-1:]
    return max(ends, key=sort_key, default="")
