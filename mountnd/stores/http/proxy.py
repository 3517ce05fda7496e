"""The proxy through which a URL is fetched, as the environment says. For all clients, so that they agree.

HTTP_PROXY or HTTPS_PROXY, by the scheme of the URL; else ALL_PROXY. NO_PROXY lists what is fetched directly: host
names, domains (with all below them), addresses, networks (`10.0.0.0/8`), each with `:port` where only that is meant, or
`*`. Names in lower case go before those in upper case. botocore reads less (`botocore.utils.get_environ_proxies` knows
neither ALL_PROXY nor networks), so `s3/connect.py` tells it the outcome.
"""

from __future__ import annotations

import re
from base64 import b64encode
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from urllib.parse import quote, unquote, urlsplit
from urllib.request import getproxies

from ...errors import StoreError

_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy. `str()` of it is for messages and holds no credentials.

    Attributes:
        scheme: how the proxy itself is spoken to: "http" or "https".
        user, password: decoded; both "" where the URL had none.
    """

    scheme: str
    host: str
    port: int
    user: str = field(default="", repr=False)
    password: str = field(default="", repr=False)

    def __str__(self) -> str:
        return f"{self.scheme}://{self._authority}"

    @property
    def url(self) -> str:
        """With the credentials, for libraries that take a URL. Never for a message."""
        if not self.user and not self.password:
            return str(self)
        return f"{self.scheme}://{quote(self.user, safe='')}:{quote(self.password, safe='')}@{self._authority}"

    @property
    def headers(self) -> dict[str, str]:
        """What the proxy itself is told: `Proxy-Authorization` (RFC 7617), where there are credentials."""
        if not self.user and not self.password:
            return {}
        pair = f"{self.user}:{self.password}"
        try:
            raw = pair.encode("latin-1")  # as aiohttp does it for botocore
        except UnicodeEncodeError:
            raw = pair.encode()
        return {"Proxy-Authorization": f"Basic {b64encode(raw).decode()}"}

    @property
    def _authority(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def proxy_for(url: str) -> Proxy | None:
    """The proxy of `url`; None where it is fetched directly. Raises StoreError where the proxy cannot be used."""
    parts = urlsplit(url)
    proxies = getproxies()
    text = proxies.get(parts.scheme) or proxies.get("all")
    if not text or is_direct(proxies.get("no", ""), parts.hostname or "", parts.port or _PORTS.get(parts.scheme, 0)):
        return None
    return parse_proxy(text)


def is_direct(listed: str, host: str, port: int) -> bool:
    """Whether NO_PROXY, which says `listed`, has this host. Pure.

    Networks are compared with hosts that are addresses; names are not looked up for it.
    """
    host = host.lower().rstrip(".")
    address = _address(host)
    for entry in re.split(r"[,\s]+", listed.lower()):
        name, only = _split_port(entry)
        name = name.removeprefix("*.").strip(".")
        if entry == "*":
            return True
        if not name or (only and only != port):
            continue
        if name == host or host.endswith("." + name):
            return True
        if address is not None:
            try:
                if address in ip_network(name, strict=False):
                    return True
            except ValueError:
                pass  # a name
    return False


def _split_port(entry: str) -> tuple[str, int]:
    """`host:port`, `[::1]:port`, or either without a port (0)."""
    found = re.fullmatch(r"\[([^\]]*)\](/\d+)?(?::(\d+))?|([^:]*):(\d+)", entry)
    if found is None:
        return entry, 0
    return (found[1] or "") + (found[2] or "") + (found[4] or ""), int(found[3] or found[5] or 0)


def _address(host: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None


def parse_proxy(text: str) -> Proxy:
    """A proxy from its URL, or from `host:port`. Raises StoreError; the message holds no credentials. Pure."""
    if text.startswith("//"):
        text = "http:" + text
    elif "://" not in text:
        text = "http://" + text
    try:
        parts = urlsplit(text)
        port = parts.port or _PORTS.get(parts.scheme, 0)
    except ValueError:
        raise StoreError("the environment names a proxy that is not a valid URL", code="Proxy") from None
    if parts.scheme not in _PORTS or not parts.hostname:
        place = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
        raise StoreError(f"the environment names the proxy {place}: only HTTP proxies can be used", code="Proxy")
    return Proxy(parts.scheme, parts.hostname, port, unquote(parts.username or ""), unquote(parts.password or ""))
