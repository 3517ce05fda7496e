"""How a listing goes on behind a key, where the server gives no token. Pure.

Version 2 of ListObjects gives a token, and takes `start-after` beside it. Version 1 gives `NextMarker`, and that only
with a delimiter; else the last key is the marker. A continuation behind a key is a token that we make ourselves: it
begins with a NUL, which no XML can hold, so it is never taken for a server's.
"""

from __future__ import annotations

from ...base import Page
from ...paging import goes_back

_BEHIND = "\0behind "

# Sorts behind nearly everything below a common prefix: what was rolled up into it is not told once more.
_LAST = "\ufffd"


def behind_key(key: str) -> str:
    """The token that goes on behind a key, or behind what the server calls the next marker."""
    return _BEHIND + key


def behind_prefix(prefix: str) -> str:
    """The token that goes on behind all keys below a common prefix."""
    return _BEHIND + prefix + _LAST


def after_of(token: str | None) -> str:
    """What a token of ours has listed after; "" for a server's token, and for none."""
    return token.removeprefix(_BEHIND) if token is not None and token.startswith(_BEHIND) else ""


def without_repeated(page: Page, after: str) -> Page:
    """The page less the common prefix behind which it was to start, which some servers tell once more."""
    told = after.removesuffix(_LAST)
    return page._replace(prefixes=[prefix for prefix in page.prefixes if prefix != told])


def begins_again(page: Page, after: str) -> bool:
    """Whether a page that was to start after a key lies at or before it: the server does not know the parameter.

    It may tell the common prefix around that key once more, for a key that sorts behind it.
    """
    firsts = [_raw(stat.id.key) for stat in page.objects[:1]] + [
        _raw(prefix) for prefix in page.prefixes[:2] if not after.startswith(prefix)
    ][:1]
    return bool(firsts) and goes_back(min(firsts), _raw(after))


def _raw(key: str) -> bytes:
    return key.encode("utf-8", "surrogateescape")
