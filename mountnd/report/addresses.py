"""Where an object can be got without a mount: by the facts of its source, as `account` tells them. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, unquote, urlsplit

# What a path may hold unquoted (RFC 3986, unreserved characters and the slash).
_SAFE = "/-._~"

Source = Mapping[str, Any]


def bucket_of(source: Source) -> str:
    """The bucket of a source in S3 or Google's store; "" for others."""
    scheme, _, rest = str(source["url"]).partition("://")
    if scheme not in ("s3", "gs", "gcs"):
        return ""
    # The ARN of an access point has a slash of its own.
    return (
        str(rest[: len(rest) - len(source["root"])].rstrip("/")) if rest.startswith("arn:") else rest.partition("/")[0]
    )


def store_url(source: Source, key: str) -> str | None:
    """As tools of its kind of store take it: `s3://bucket/key`, a path or a URL. None where there is no such thing."""
    kind = source["kind"]
    if kind in ("s3", "gs", "gcs"):
        return f"{kind.replace('gcs', 'gs')}://{bucket_of(source)}/{key}"
    return web_url(source, key)


def web_url(source: Source, key: str, version: str = "") -> str | None:
    """As a browser takes it, where keys permit; None where there is none, or only one with a secret in it.

    Args:
        version: of S3's; "" for the current one.
    """
    kind, bucket, quoted = source["kind"], bucket_of(source), quote(key.encode("utf-8", "surrogateescape"), safe=_SAFE)
    if kind == "s3" and bucket and not bucket.startswith("arn:"):
        query = f"?versionId={quote(version, safe='')}" if version else ""
        return f"{_s3_origin(source, bucket)}/{quoted}{query}"
    if kind in ("gs", "gcs"):
        return f"https://storage.googleapis.com/{bucket}/{quoted}"
    if kind in ("http", "https"):
        url = str(source["url"])
        if "***" in url:
            return None
        parts = urlsplit(url)
        if parts.path.endswith("/") or not parts.path:
            return f"{url.rstrip('/')}/{quoted}"
        return url if unquote(parts.path.rpartition("/")[2]) == key else None
    return None


def _s3_origin(source: Source, bucket: str) -> str:
    """Scheme, host and, where the bucket stands in the path, the bucket."""
    if source["endpoint_url"]:
        return f"{str(source['endpoint_url']).rstrip('/')}/{bucket}"
    region = source["region"] or ""
    domain = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
    host = f"s3.{region}.{domain}" if region else f"s3.{domain}"
    # A certificate for *.s3.amazonaws.com does not cover names with a dot.
    in_path = source["path_style"] or "." in bucket or bucket != bucket.lower()
    return f"https://{host}/{bucket}" if in_path else f"https://{bucket}.{host}"
