"""URLs as people write them -> as stores take them, and what a source is called by its URL."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Collection
from pathlib import Path

from ..errors import UsageError
from .parsers import did_you_mean, is_bucket, split_bucket

# What fsspec knows by itself (its registry), less what cannot be read without more than a URL. Others may be
# added by packages, and by stores of ours; see `_is_scheme`.
SCHEMES = """
    abfs abfss adl az box dav davs dropbox file ftp gcs gdrive gs hdfs hf http https lakefs local memory oci ocilake
    oss s3 s3a sftp smb ssh webdav webhdfs
"""

# Names of URL schemes; a function, because finding them out may import much.
SchemeNames = Callable[[], Collection[str]]


def check_url(url: str, base: Path, store_schemes: SchemeNames = tuple) -> str:
    """The URL as stores take it. Raises UsageError for one that no store can open."""
    scheme, found, rest = url.partition("://")
    scheme = scheme.lower()
    if not found:
        raise UsageError(
            f"{url}: not a URL; for a bucket write s3://{url.strip('/')}, for a local directory file:///PATH"
        )
    if not _is_scheme(scheme, store_schemes):
        hint = did_you_mean(scheme, SCHEMES.split()) or "; buckets are s3://BUCKET or gs://BUCKET, files file:///PATH"
        raise UsageError(f"{url}: mountnd cannot read {scheme}:// URLs{hint}")
    if scheme in ("s3", "s3a"):
        try:
            bucket, _ = split_bucket(rest)
        except ValueError as error:
            raise UsageError(f"{url}: {error}") from None
        if not bucket.startswith("arn:") and ("@" in bucket or ":" in bucket):
            raise UsageError(
                "an s3:// URL names no keys, and no host: write s3://BUCKET/PREFIX, put keys into ~/.aws/credentials "
                "(--profile NAME), and name a server with --endpoint-url"
            )
        if not bucket.startswith("arn:") and not is_bucket(bucket):
            raise UsageError(f"{url}: {bucket!r} is not a bucket name; write s3://BUCKET/PREFIX")
        return f"s3://{rest}"
    if scheme in ("file", "local"):
        return f"file://{os.path.abspath(base / rest)}"
    if not rest.strip("/"):
        raise UsageError(f"{url}: nothing follows {scheme}://")
    return f"{scheme}://{rest}"


def _is_scheme(scheme: str, store_schemes: SchemeNames) -> bool:
    if scheme in SCHEMES.split():
        return True
    from importlib.metadata import entry_points

    return any(point.name == scheme for point in entry_points(group="fsspec.specs")) or scheme in store_schemes()


def last_component(url: str) -> str:
    """What a source is called when nobody named it. The name becomes a directory, and a heading: a query or a user is
    no part of it."""
    scheme, there, rest = url.partition("://")
    if not there:
        return url.rstrip("/").rpartition("/")[2] or "source"
    if scheme.lower() in ("http", "https"):
        rest = re.split(r"[?#]", rest, maxsplit=1)[0]
    host, slash, path = rest.partition("/")
    return f"{host.rpartition('@')[2]}{slash}{path}".rstrip("/").rpartition("/")[2] or "source"
