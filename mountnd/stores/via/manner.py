"""The request that a caching proxy understands for an object: three manners. Pure.

- a server: the origin's own path, and its host in `Host` (RFC 9112, 3.2.1). nginx (`mountnd cache-server`), Varnish,
  Apache Traffic Server, Squid as an accelerator.
- a proxy: the whole URL (RFC 9112, 3.2.2). Squid as it comes, Apache Traffic Server as a forward proxy.
- a path: `/BUCKET/KEY` below the path of the node's own URL. Caches that stand for S3 as a whole (OSDF/Pelican:
  `http://CACHE:8000/aws-opendata/us-east-1`).

A node whose URL has a path is asked in the third manner. Others are asked as servers, and where they refuse that as a
proxy does that wants whole URLs, as proxies from then on.
"""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple


class Manner(Enum):
    """`value`: for a person, behind "asked "."""

    SERVER = "as a server, by the bucket's host name"
    PROXY = "as a proxy, by whole URLs"
    PATH = "by bucket and key, below its own path"


class Origin(NamedTuple):
    """Where a bucket is.

    Attributes:
        scheme: `https` or `http`.
        place: host, with its port where that is not the scheme's own.
        path: what the targets of all its objects begin with: `/BUCKET` where the host name does not say it, else "".
        bucket: its name.
    """

    scheme: str
    place: str
    path: str
    bucket: str

    @property
    def url(self) -> str:
        return f"{self.scheme}://{self.place}{self.path}"


class Asked(NamedTuple):
    """The request for an object: what stands in its first line, and in `Host`; "": the node's own place."""

    target: str
    host: str


def asked(manner: Manner, origin: Origin, key: str, below: str = "") -> Asked:
    """The request for a key.

    Args:
        key: quoted, with the slash that it begins with, and the query for a version, if there is one.
        below: the path of the node's URL, without a slash at its end.
    """
    if manner is Manner.PATH:
        return Asked(f"{below}/{origin.bucket}{key}", "")
    if manner is Manner.PROXY:
        return Asked(f"{origin.url}{key}", origin.place)
    return Asked(f"{origin.path}{key}", origin.place)


def wants_urls(status: int) -> bool:
    """Whether a proxy that takes whole URLs would answer so to a path: Squid says 400, Traffic Server 404."""
    return status in (400, 404)
