"""An S3 Inventory: CSV files without a head, whose columns a manifest names. Pure.

    "bucket","sub-01/anat/T1w.nii.gz","n4k...","true","false","1048576","2024-05-01T12:34:56.000Z","0cc1...","STANDARD"

Keys are URL-encoded. Bucket and Key come first, VersionId, IsLatest and IsDeleteMarker next where all versions are
listed, and then what was chosen, as the manifest's `fileSchema` has it: docs.aws.amazon.com/AmazonS3/latest/userguide,
"storage-inventory" and "storage-inventory-location". Without a manifest the columns are told by what stands in them.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple
from urllib.parse import unquote_plus

from ...errors import ConfigError
from ...stores.facts import size_of
from .rows import Row, date

_FIRST = ("Bucket", "Key")
_OF_VERSIONS = ("VersionId", "IsLatest", "IsDeleteMarker")
_SIZE = re.compile(r"[0-9]*")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+Z?")
_ETAG = re.compile(r'"?[0-9a-fA-F]{32}(?:-[0-9]+)?"?')
_BOOL = re.compile(r"true|false", re.IGNORECASE)


class Manifest(NamedTuple):
    """What a manifest.json says: the columns, and the names of the files, in the order that it has them."""

    columns: tuple[str, ...]
    files: tuple[str, ...]


def manifest(text: str, path: str) -> Manifest | None:
    """A manifest.json; None where the JSON is something else. Raises ConfigError for a manifest of ORC or Parquet."""
    try:
        said = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(said, dict) or not isinstance(said.get("fileSchema"), str) or "files" not in said:
        return None
    if said.get("fileFormat", "CSV") != "CSV":
        raise ConfigError(f"{path}: an inventory in {said['fileFormat']}; have it written as CSV")
    files = said["files"] if isinstance(said["files"], list) else []
    names = tuple(one["key"] for one in files if isinstance(one, dict) and isinstance(one.get("key"), str))
    if not names:
        raise ConfigError(f"{path}: the manifest names no files")
    return Manifest(columns_of(said["fileSchema"]), names)


def columns_of(schema: str) -> tuple[str, ...]:
    """`Bucket, Key, Size` -> its names."""
    return tuple(name.strip() for name in schema.split(",") if name.strip())


def rows(lines: Iterable[str], path: str, columns: Sequence[str] = ()) -> Iterator[Row]:
    """The latest versions that an inventory lists.

    Args:
        columns: their names; none: told by what the first row has.

    Raises ConfigError, which names the line.
    """
    table = csv.reader(lines)
    names = list(columns)
    while True:
        try:
            row = next(table, None)
        except csv.Error as error:
            raise ConfigError(f"{path}, line {table.line_num}: not CSV: {error}") from None
        if row is None:
            return
        where = f"{path}, line {table.line_num}"
        if not row:
            continue
        names = names or _told(row, where)
        if len(row) != len(names):
            raise ConfigError(f"{where}: {len(row)} columns, where {len(names)} are expected ({', '.join(names)})")
        said = dict(zip(names, row, strict=True))
        if said.get("IsDeleteMarker", "").lower() == "true" or said.get("IsLatest", "").lower() == "false":
            continue
        size = size_of(said["Size"]) if said.get("Size") else None
        if said.get("Size") and size is None:
            raise ConfigError(f"{where}: {said['Size'][:80]!r} is no size; are the columns {', '.join(names)}?")
        yield Row(
            where,
            unquote_plus(said["Key"], errors="surrogateescape"),
            bucket=said.get("Bucket", ""),
            version=said.get("VersionId", ""),
            size=-1 if size is None else size,
            etag=said.get("ETag", ""),
            mtime_ns=date(said.get("LastModifiedDate")),
        )


def _told(row: Sequence[str], where: str) -> list[str]:
    """The columns of a row, by what stands in it. Raises ConfigError where that does not tell."""
    if "Key" in row:
        raise ConfigError(f"{where}: a head, which inventories do not have; leave it out, or import a table of URLs")
    names, rest = list(_FIRST), list(row[2:])
    if len(row) < 3:
        raise ConfigError(f"{where}: not an S3 Inventory: it has {len(row)} columns, and no manifest.json beside it")
    if len(rest) >= 3 and _BOOL.fullmatch(rest[1]) and _BOOL.fullmatch(rest[2]):
        names += _OF_VERSIONS
        rest = rest[3:]
    kinds = {"Size": _SIZE, "LastModifiedDate": _DATE, "ETag": _ETAG}
    for value in rest:
        name = next((name for name, kind in kinds.items() if value and kind.fullmatch(value)), "")
        # An ETag of digits alone would be a size of 32; none has so many.
        if name == "Size" and len(value) >= 20:
            name = "ETag"
        names.append(name if name and name not in names else f"column {len(names) + 1}")
    if "Size" not in names or not {"ETag", "VersionId"} & set(names):
        raise ConfigError(
            f"{where}: not told what the columns are: import the manifest.json of the inventory, beside its files"
        )
    return names
