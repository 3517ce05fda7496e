"""Web addresses that turn out to be buckets: MinIO and its like by host and port, where no name tells. Pure."""

from __future__ import annotations

import re
import shlex
from urllib.parse import unquote, urlsplit

_LISTING = re.compile(rb"\s*(?:<\?xml[^>]*>\s*)?<List(?:AllMy)?Bucket", re.IGNORECASE)


def is_bucket_listing(body: bytes) -> bool:
    """Whether this is what S3 answers to a GET of a bucket, or of the server itself."""
    return _LISTING.match(body[:4096]) is not None


def command_for(url: str) -> str:
    """The command that mounts what lies at `url` on an S3 server, path-style."""
    parts = urlsplit(url)
    bucket, _, prefix = unquote(parts.path).strip("/").partition("/")
    source = shlex.quote(f"s3://{bucket or 'BUCKET'}" + (f"/{prefix}" if prefix else ""))
    port = f":{parts.port}" if parts.port else ""
    return f"mountnd {source} DIR --endpoint-url {parts.scheme}://{parts.hostname}{port}"
