"""Where an answer leads elsewhere: which redirects are followed. Pure.

Only by clients that send no credentials of their own (`client.py`: a signed link's signature is in its URL, and is not
passed on). S3's client follows none.
"""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import IPv6Address, ip_address
from urllib.parse import quote, urljoin, urlsplit

from ...errors import BadAnswer

# Redirects in a row; browsers follow 20, and real chains have one or two.
REDIRECTS_MAX = 5
_STATUSES = frozenset((301, 302, 303, 307, 308))
# Behind others of these a POST becomes a GET (RFC 9110, 15.4).
KEEP_METHOD = frozenset((307, 308))
# What URLs may hold as it is (RFC 3986: reserved and unreserved characters, and "%"); the rest is quoted.
_URL_CHARACTERS = "!#$%&'()*+,/:;=?@[]~"


def followed(url: str, status: int, location: str | None, name: str) -> str | None:
    """The URL that an answer to a request for `url` leads to; None where it is the answer itself.

    Raises BadAnswer, which names the host, where it is not to be followed: from https to http, or to something else.
    """
    if status not in _STATUSES or not location:
        return None
    try:
        there = urljoin(url, quote(location.strip(), safe=_URL_CHARACTERS))
        parts = urlsplit(there)
        host = parts.hostname or ""
        _ = parts.port
    except ValueError:
        raise BadAnswer(f"{name}: the server leads to what is no URL", code="Location") from None
    if parts.scheme not in ("http", "https") or not host:
        raise BadAnswer(f"{name}: the server leads to what is no web address; not followed", code="Location")
    if parts.scheme == "http" and url.lower().startswith("https:"):
        raise BadAnswer(
            f"{name}: the server leads from https to http, at {host[:253]!r}; not followed", code="Location"
        )
    return there


def reachable_from(peer: str) -> Callable[[str], bool]:
    """Which IP addresses a server at `peer` may lead to: none in a network more private than its own.

    So nobody on the internet has this machine ask its own services, those of its network, or a cloud's metadata server.

    Args:
        peer: an IP address; "" where it is not known, as behind a proxy: then it counts as one on the internet.
    """
    least = _reach(peer)
    return lambda address: _reach(address) >= least


def target_of(url: str) -> str:
    """What a request for `url` asks for: path and query, quoted where they must be."""
    parts = urlsplit(url)
    query = f"?{parts.query}" if parts.query else ""
    return quote(f"{parts.path or '/'}{query}", safe=_URL_CHARACTERS)


def _reach(address: str) -> int:
    """From how far away an address is reached: this machine 0, this link 1, this network 2, the internet 3."""
    try:
        ip = ip_address(address.partition("%")[0])
    except ValueError:
        return 3
    if isinstance(ip, IPv6Address) and ip.ipv4_mapped is not None:
        ip = ip.ipv4_mapped
    if ip.is_loopback or ip.is_unspecified:
        return 0
    return 1 if ip.is_link_local else 3 if ip.is_global else 2
