"""Which client may carry which key, and which needs a proxy.

obstore normalises what it takes for paths: it silently GETs `a` when asked for `a/`, `/a` or `/a/`,
and refuses `a//b`, segments `.` and `..`, and control characters. Every other key it puts on the
wire exactly (percent-encoded: every printable ASCII character, `%41`, `+`, `?`, `#`, spaces at
either end, and all else that UTF-8 can spell); tests/contract/test_s3_keys.py asks it for each.

botocore sends every key exactly, as long as it is UTF-8 and not empty.
"""

from __future__ import annotations

import re
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

_NOT_FOR_OBSTORE = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]|//|(?:^|/)\.{1,2}(?:/|\Z)|^/|/\Z|\A\Z")


def obstore_may_carry(key: str) -> bool:
    """Whether obstore asks for exactly this key and no other."""
    return _NOT_FOR_OBSTORE.search(key) is None


def needs_proxy(url: str) -> bool:
    """Whether the environment (HTTPS_PROXY, NO_PROXY, ...) sends requests to `url` through a proxy."""
    parts = urlsplit(url)
    proxies = getproxies()
    return (parts.scheme in proxies or "all" in proxies) and not proxy_bypass(parts.hostname or "")


def botocore_may_carry(key: str) -> bool:
    """Whether the key can be sent at all: not empty, and UTF-8 (no lone surrogates)."""
    if not key:
        return False
    try:
        key.encode()
    except UnicodeEncodeError:
        return False
    return True
