"""The proxy through which a URL is fetched, as the environment says. For all clients, so that they agree.

HTTP_PROXY or HTTPS_PROXY, by the scheme of the URL; else ALL_PROXY. NO_PROXY lists what is fetched directly: host
names, domains (with all below them), `host:port`, or `*`. Names in lower case go before those in upper case. All of it
is urllib's reading, which is also botocore's (`botocore.utils.get_environ_proxies`), but for ALL_PROXY: botocore does
not know that one, so `s3/connect.py` tells it the outcome.
"""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass, field
from urllib.parse import quote, unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

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
    if not text or proxy_bypass(parts.netloc.rpartition("@")[2]):
        return None
    return parse_proxy(text)


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
