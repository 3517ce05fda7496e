"""Whether what is sent to a server can be read on the way."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit


def is_exposed(url: str) -> bool:
    """Whether requests to `url` cross a network without encryption: plain http, and not to this machine. Pure."""
    try:
        parts = urlsplit(url)
        host = (parts.hostname or "").rstrip(".")
    except ValueError:
        return False
    if parts.scheme != "http" or not host:
        return False
    if host == "localhost" or host.endswith(".localhost"):
        return False
    try:
        return not ipaddress.ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return True  # a name
