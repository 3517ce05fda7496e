"""URLs of versions: `https://s3.amazonaws.com/BUCKET/KEY?versionId=ID`, and with the bucket in the host. Pure."""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import unquote, urlsplit


class VersionedUrl(NamedTuple):
    """`place`: host and path, decoded; `version`: the S3 version id."""

    place: str
    version: str

    def names(self, key: str) -> bool:
        """Whether it is of the object at `key`, in whatever bucket."""
        return self.place.endswith(f"/{key}")


def versioned(url: str) -> VersionedUrl | None:
    """What an URL names; None for one without a version, or that is none."""
    try:
        parts = urlsplit(url)
        pairs = [pair.partition("=") for pair in parts.query.split("&")]
    except ValueError:
        return None
    version = next((unquote(text) for name, _, text in pairs if name.lower() == "versionid"), "")  # a "+" is a plus
    if parts.scheme not in ("http", "https") or not version or not (version.isascii() and version.isprintable()):
        return None
    return VersionedUrl(f"{parts.netloc}{unquote(parts.path, errors='surrogateescape')}", version)
