"""A table of URLs and paths, as `datalad addurls` takes it: a CSV with a head. Pure.

Columns are found by their names: url, path (or filename, file, name), and where they are there size, etag, version_id,
md5, sha256, digest. A URL with `?versionId=` names the version.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple
from urllib.parse import parse_qs, unquote

from ...config.parsers import split_bucket
from ...config.pasted import read_pasted
from ...errors import ConfigError
from ...stores.facts import size_of
from .rows import Row

_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "url": ("url", "urls", "link", "s3_url", "download_url"),
    "path": ("path", "filename", "file", "name", "filepath"),
    "size": ("size", "bytes", "filesize"),
    "etag": ("etag",),
    "version": ("version_id", "versionid", "version"),
    "md5": ("md5", "content_md5", "md5sum"),
    "sha256": ("sha256", "sha256sum"),
    "digest": ("digest",),
}


class Address(NamedTuple):
    """What a URL names: a key in a bucket ("" in none)."""

    bucket: str
    key: str


# From a URL without its query; None for one that does not belong to the source. May raise ValueError.
Addresses = Callable[[str], Address | None]


def addresses_in(source: str, endpoint: str) -> Addresses:
    """What finds the object of a source that a URL names.

    Args:
        source: its URL; endpoint: that of its S3 server, "" for AWS's own.
    """
    base, server = source.rstrip("/") + "/", endpoint.rstrip("/") + "/"

    def address(url: str) -> Address | None:
        if endpoint and url.startswith(server):
            url = "s3://" + unquote(url[len(server) :], errors="surrogateescape")
        elif (pasted := read_pasted(url)) is not None:
            url = pasted.word
        if url.startswith("s3://"):
            return Address(*split_bucket(url.removeprefix("s3://")))
        if url.startswith(base):
            return Address("", unquote(url[len(base) :], errors="surrogateescape"))
        return None

    return address


def is_head(row: list[str]) -> bool:
    """Whether a first row is the head of such a table."""
    names = {name.strip().casefold() for name in row}
    return bool(names & set(_COLUMNS["url"]))


def rows(lines: Iterable[str], path: str, address: Addresses) -> Iterator[Row]:
    """The objects that the table lists. Raises ConfigError, which names the line."""
    table = csv.reader(lines)
    try:
        head = [name.strip().casefold() for name in next(table, [])]
        columns = {
            meant: next((head.index(name) for name in names if name in head), -1) for meant, names in _COLUMNS.items()
        }
        for row in table:
            if row:
                yield _row(row, columns, f"{path}, line {table.line_num}", address)
    except csv.Error as error:
        raise ConfigError(f"{path}, line {table.line_num}: not CSV: {error}") from None


def _row(row: list[str], columns: Mapping[str, int], where: str, address: Addresses) -> Row:
    said = {name: row[at].strip() if 0 <= at < len(row) else "" for name, at in columns.items()}
    url, _, query = said["url"].partition("?")
    if not url:
        raise ConfigError(f"{where}: no URL in it")
    try:
        found = address(url)
    except ValueError:
        found = None
    if found is None:
        raise ConfigError(f"{where}: {url[:200]} is no object of the source")
    named = {name.casefold(): values for name, values in parse_qs(query).items()}
    size = size_of(said["size"]) if said["size"] else None
    if said["size"] and size is None:
        raise ConfigError(f"{where}: {said['size'][:80]!r} is no size")
    digest = said["digest"] or next((f"{kind}:{said[kind].lower()}" for kind in ("sha256", "md5") if said[kind]), "")
    return Row(
        where,
        found.key,
        bucket=found.bucket,
        path=said["path"].removeprefix("./"),
        version=said["version"] or next(iter(named.get("versionid", ())), ""),
        size=-1 if size is None else size,
        etag=said["etag"],
        digest=digest,
    )
