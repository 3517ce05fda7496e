"""What `aws s3api list-objects-v2`, `list-objects` and `list-object-versions` print as JSON. Pure.

Documents may follow each other, and a list alone may stand there (`--query Contents`). Of versions the latest count.
docs.aws.amazon.com/cli/latest/reference/s3api/list-objects-v2.html
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from ...errors import ConfigError
from ...stores.facts import size_of
from .rows import Row, date

_LISTS = ("Contents", "Versions")


def rows(text: str, path: str) -> Iterator[Row]:
    """The objects that the JSON of the file `path` lists. Raises ConfigError, which names the line or the entry."""
    decoder, at, found = json.JSONDecoder(), 0, False
    while at < len(text):
        if text[at].isspace():
            at += 1
            continue
        try:
            document, at = decoder.raw_decode(text, at)
        except (json.JSONDecodeError, RecursionError) as error:
            where = f", line {error.lineno}" if isinstance(error, json.JSONDecodeError) else ""
            raise ConfigError(f"{path}{where}: not JSON; write it with --output json") from None
        found = True
        yield from _of_document(document, path)
    if not found:
        raise ConfigError(f"{path}: it is empty")


def _of_document(document: Any, path: str) -> Iterator[Row]:
    lists: Mapping[str, Any] = {"Contents": document} if isinstance(document, list) else document
    if not isinstance(lists, dict) or not any(name in lists for name in _LISTS):
        raise ConfigError(f"{path}: no list of objects in it: `aws s3api list-objects-v2 --output json` writes one")
    for name in _LISTS:
        entries = lists.get(name) or []
        if not isinstance(entries, list):
            raise ConfigError(f"{path}: {name} is no list")
        for number, entry in enumerate(entries):
            where = f"{path}: {name}[{number}]"
            if not isinstance(entry, dict) or not isinstance(entry.get("Key"), str):
                raise ConfigError(f"{where}: an object without a Key")
            if entry.get("IsLatest") is False:
                continue
            if (size := size_of(entry.get("Size"))) is None:
                raise ConfigError(f"{where}: {entry['Key']!r} has no Size that a file can have")
            version, etag = entry.get("VersionId"), entry.get("ETag")
            yield Row(
                where,
                entry["Key"],
                version=version if isinstance(version, str) else "",
                size=size,
                etag=etag if isinstance(etag, str) else "",
                mtime_ns=date(entry.get("LastModified")),
            )
