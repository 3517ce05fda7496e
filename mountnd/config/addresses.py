"""From what a person wrote to where something is asked or listens: URLs of servers and of caching proxies, ports.

As `parsers`: each raises ValueError with the words that follow "is not ..." in the message.
"""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import urlsplit


def endpoint(raw: object) -> str:
    """An http or https URL of a server, without a trailing slash."""
    if isinstance(raw, str) and re.fullmatch(r"https?://[^\s/?#]+(/[^\s?#]*)?", raw):
        return raw.rstrip("/")
    raise ValueError("a URL such as https://s3.example.org or http://127.0.0.1:9000")


# A thousand nodes are a ring that somebody may have; a value of ten thousand is a mistake.
_MOST_PROXIES = 4096
_EXPECTED_VIA = "a list of URLs such as http://node1:8090,http://node2:8090, or none"


def via(raw: object) -> tuple[str, ...]:
    """URLs of caching proxies, from a text with commas or a list; () for `none`.

    Each is spelled in one way, since all who share a ring must call its nodes the same.
    """
    words = raw if isinstance(raw, list | tuple) else str(raw).split(",") if isinstance(raw, str) else [""]
    if words == ["none"]:
        return ()
    urls = [_proxy_url(word) for word in words]
    if not urls or len(urls) > _MOST_PROXIES:
        raise ValueError(_EXPECTED_VIA)
    return tuple(dict.fromkeys(urls))


def _proxy_url(word: object) -> str:
    found = (
        re.fullmatch(r"(https?)://([^\s/?#@,]+)(/[^\s?#,]*)?", word.strip(), re.IGNORECASE)
        if isinstance(word, str)
        else None
    )
    if not found:
        raise ValueError(_EXPECTED_VIA)
    try:
        parts = urlsplit(f"{found[1]}://{found[2]}")
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise ValueError(_EXPECTED_VIA) from None
    if not host or not host.isprintable():
        raise ValueError(_EXPECTED_VIA)
    scheme, usual = found[1].lower(), 443 if found[1].lower() == "https" else 80
    place = f"[{host}]" if ":" in host else host
    port_text = "" if port in (None, usual) else f":{port}"
    return f"{scheme}://{place}{port_text}{(found[3] or '').rstrip('/')}"


class Address(NamedTuple):
    """Where to listen: a host's name or address, and a port; 0 for one that is free."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def address(raw: object) -> Address:
    """`HOST:PORT`, `[IPV6]:PORT`, or a port of the loopback interface alone."""
    text = str(raw).strip() if isinstance(raw, (str, int)) and not isinstance(raw, bool) else ""
    found = re.fullmatch(r"(?:(\[[0-9A-Fa-f:.%a-z]+\]|[A-Za-z0-9._-]{1,255}):)?([0-9]{1,5})", text)
    if found and int(found[2]) < 1 << 16:
        return Address((found[1] or "127.0.0.1").strip("[]"), int(found[2]))
    raise ValueError("an address such as 127.0.0.1:9100, or a port; 0 for one that is free")
