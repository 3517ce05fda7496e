"""What was read of each file: a daemon's rows, several perhaps of one file, as objects of the document. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from ..usage.files import FileRow
from ..usage.ranges import MOST, coarser, covered, joined, pairs
from .addresses import web_url
from .moments import iso

# The ranges of a row, by their names in the document.
RANGES = ("read", "fetched", "ahead", "disk")


class Merged(NamedTuple):
    """The files of a mount.

    Attributes:
        opened: objects of the document, of those that programs opened, the most bytes read first.
        unopened: how many others there are, and the bytes that came for them: fetched ahead in vain, or not yet.
    """

    opened: list[dict[str, Any]]
    unopened: tuple[int, int]


def merged(rows: Iterable[FileRow], sources: Mapping[str, Mapping[str, Any]]) -> Merged:
    """Rows of the same version as one.

    Args:
        sources: facts of each by its name, which `FileRow.source` is here.
    """
    by_version: dict[tuple[str, ...], FileRow] = {}
    for row in rows:
        version = (row.source, row.key, row.etag, row.version, str(row.size))
        before = by_version.get(version)
        by_version[version] = row if before is None else _sum(before, row)
    files = by_version.values()
    opened = [_as_object(row, sources.get(row.source)) for row in files if row.opens]
    opened.sort(key=lambda file: (-file["bytes_read"], file["path"]))
    unopened = [row for row in files if not row.opens]
    return Merged(opened, (len(unopened), sum(row.fetched + row.ahead for row in unopened)))


def _sum(a: FileRow, b: FileRow) -> FileRow:
    ranges, exact = [], a.exact and b.exact
    for one, other in zip(a.ranges, b.ranges, strict=True):
        both = joined(one, pairs(other))
        exact = exact and len(both) <= 2 * MOST
        ranges.append(tuple(coarser(both, MOST)))
    most = a if a.how_bytes >= b.how_bytes else b
    return a._replace(
        path=a.path or b.path,
        mtime_ns=a.mtime_ns or b.mtime_ns,
        opens=a.opens + b.opens,
        opened=min(filter(None, (a.opened, b.opened)), default=0.0),
        asked=a.asked + b.asked,
        waited=a.waited + b.waited,
        fetched=a.fetched + b.fetched,
        ahead=a.ahead + b.ahead,
        disk=a.disk + b.disk,
        how=most.how,
        how_bytes=most.how_bytes,
        exact=exact,
        ranges=tuple(ranges),
    )


def _as_object(row: FileRow, source: Mapping[str, Any] | None) -> dict[str, Any]:
    return {
        "path": row.path,
        "source": row.source,
        "key": row.key,
        "url": web_url(source, row.key, row.version) if source is not None else None,
        "etag": row.etag or None,
        "version_id": row.version or None,
        "size": row.size,
        "stored_size": row.stored_size if row.stored_size >= 0 else None,
        "mtime_ns": row.mtime_ns or None,
        "opens": row.opens,
        "first_opened": iso(row.opened),
        "how": row.how,
        "bytes_asked": row.asked,
        "bytes_waited": row.waited,
        "bytes_read": covered(row.ranges[0]),
        "bytes_fetched": row.fetched + row.ahead,
        "bytes_fetched_ahead": row.ahead,
        "bytes_from_disk": row.disk,
        "exact": row.exact,
        "ranges": {name: _as_pairs(bounds) for name, bounds in zip(RANGES, row.ranges, strict=True)},
    }


def _as_pairs(bounds: Sequence[int]) -> list[list[int]]:
    return [list(pair) for pair in pairs(bounds)]
