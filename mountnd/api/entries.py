"""What the file system tells of a name: the dict that fsspec calls its info."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import Any

from ..catalog.model.entry import Entry
from ..stores.base import ObjectStat
from ..stores.facts import UNKNOWN_MTIME_NS

Info = dict[str, Any]


def info_of(path: str, entry: Entry) -> Info:
    """The info of what lies at `path`: see `MountndFileSystem.info`."""
    return directory_info(path) if entry.is_dir or entry.stat is None else file_info(path, entry.stat)


def directory_info(path: str) -> Info:
    """The info of a directory."""
    return {"name": path, "size": 0, "type": "directory"}


def file_info(path: str, stat: ObjectStat) -> Info:
    """The info of a file."""
    info: Info = {"name": path, "size": stat.size, "type": "file", "ETag": stat.id.etag}
    if (when := time_of(stat)) is not None:
        info["LastModified"] = when
        info["mtime"] = info["created"] = stat.mtime_ns / 1e9
    if stat.id.version:
        info["VersionId"] = stat.id.version
    if stat.storage_class:
        info["StorageClass"] = stat.storage_class
    return info


def time_of(stat: ObjectStat) -> datetime | None:
    """When the object was written; None where that is not known."""
    if stat.mtime_ns == UNKNOWN_MTIME_NS:
        return None
    return datetime.fromtimestamp(stat.mtime_ns // 10**9, UTC)


def version_key(stat: ObjectStat) -> str:
    """Names these bytes and no others: of the source, the key and the version."""
    return hashlib.sha256(repr(tuple(stat.id)).encode("utf-8", "surrogateescape")).hexdigest()
