"""What the headers of an answer tell of whether it came from a cache. Pure.

Those of RFC 9211 (`Cache-Status`) and RFC 9111 (`Age`), and what caches had before: `X-Cache` (Squid, CDNs),
`X-Cache-Status` (nginx as it is usually set up, and by `mountnd cache-server`), `X-Varnish` (two numbers: the second is
of the request that brought it).
"""

from __future__ import annotations

import re

from ..http.versions import Headers

_RFC_HIT = re.compile(r";\s*hit\b", re.IGNORECASE)
_HIT = re.compile(r"\b(?:hit|revalidated|updating|stale)\b", re.IGNORECASE)
_VARNISH = re.compile(r"\d+\s+\d+")


def is_hit(headers: Headers) -> bool | None:
    """Whether the answer says that it was in a cache; None where it says nothing of that."""
    if said := headers.get("Cache-Status"):
        return _RFC_HIT.search(said) is not None
    for name in ("X-Cache-Status", "X-Cache"):
        if said := headers.get(name):
            return _HIT.search(said) is not None
    if said := headers.get("X-Varnish"):
        return _VARNISH.fullmatch(said.strip()) is not None
    if (said := headers.get("Age")) and said.strip().isdigit():
        return int(said) > 0
    return None
