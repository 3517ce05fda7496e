"""How a subtree is split into key ranges that are listed side by side: each key in exactly one. Pure functions."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

# Ranges listed side by side: measured to be best by the prototype on two cores; more only queue for the parser.
PARALLEL = 6
# Keys meant for one range of a subtree that is listed at once: what one page holds, less what an
# estimate may be wrong by.
KEYS_IN_ONE_PAGE = 800
# Keys meant for one range of a larger one: at its end half a page is listed in vain, an eighth of this.
KEYS_IN_SOME_PAGES = 4000


class KeyRange(NamedTuple):
    """The keys from `low` on and below `high`, in byte order; both begin as the subtree's prefix does."""

    low: str
    high: str


def end_of(prefix: str) -> str:
    """What sorts right behind every key that begins with a directory's prefix ("0" comes after "/")."""
    return prefix[:-1] + "0"


def key_before(low: str) -> str:
    """A key to list after, so that the directory prefix `low` comes first. It is made up, just below `low`.

    "." comes before "/". Keys that begin with `low` less its slash, a dot and a character beyond the
    Basic Multilingual Plane come between; whoever lists must skip what sorts below `low`.
    """
    return low[:-1] + ".\ufffd"


def split(
    base: str, count: int, name: Callable[[int], bytes], wanted: Callable[[bytes], bool], per_range: int
) -> list[KeyRange]:
    """Ranges over the directories in `base`, of `per_range` entries each.

    Args:
        count: entries in `base`; `name(i)` gives the i-th in byte order, with a "/" behind a directory's.
        wanted: whether a name is a directory whose subtree is to be listed.

    A range begins with the first one wanted and ends with the last; what else lies before, behind or
    alone in one is left out. Each wanted directory lies in exactly one range.
    """
    ranges = []
    for start in range(0, count, per_range):
        stop = min(start + per_range, count)
        first = next((i for i in range(start, stop) if wanted(name(i))), None)
        if first is None:
            continue
        last = next(i for i in range(stop - 1, start - 1, -1) if wanted(name(i)))
        low, high = (base + name(i).decode("utf-8", "surrogateescape") for i in (first, last))
        ranges.append(KeyRange(low, end_of(high)))
    return ranges


def entries_per_range(entries: int, keys_per_entry: float, at_once: bool) -> int:
    """How many entries of a directory make a range."""
    if not at_once:
        return max(1, int(KEYS_IN_SOME_PAGES / max(keys_per_entry, 1.0)))
    ranges = max(1, -int(-entries * keys_per_entry // KEYS_IN_ONE_PAGE))
    return max(1, -(-entries // ranges))
