"""What a service of snapshots answers, looked at row by row before it is believed. Pure.

Schema: github.com/OpenNeuroOrg/openneuro, packages/openneuro-server/src/graphql/schema.ts. Big numbers come as numbers
or as texts.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, NamedTuple

from ..errors import BadAnswer
from ..stores.facts import datetime_of, size_of
from .annex import content_of
from .urls import VersionedUrl, versioned

_OLDEST = datetime.min.replace(tzinfo=UTC)


class Tag(NamedTuple):
    """One snapshot of a data set. `created`: ISO 8601 as the service writes it, "" where it does not tell; `size`: of
    its files, in bytes; None where it is not told."""

    tag: str
    created: str = ""
    size: int | None = None


class SnapshotFile(NamedTuple):
    """One file of a snapshot.

    Attributes:
        path: below the data set.
        size: in bytes.
        digest: of its content, "ALGORITHM:HEX"; "" where none is known.
        urls: where it is said to lie, as far as they name a version of an object.
    """

    path: str
    size: int
    digest: str
    urls: tuple[VersionedUrl, ...] = ()


def tags_of(rows: object, subject: str) -> list[Tag]:
    """The tags in the order in which they were made. Raises BadAnswer, which `subject` begins."""
    if not isinstance(rows, list):
        raise BadAnswer(f"{subject}: a list of snapshots was expected, not {_shown(rows)}", code="Snapshots")
    found = []
    for row in rows:
        tag = row.get("tag") if isinstance(row, dict) else None
        if not isinstance(tag, str) or not tag or not tag.isprintable():
            raise BadAnswer(f"{subject}: {_shown(row)} is no snapshot", code="Snapshots")
        created = row.get("created")
        found.append(Tag(tag, created if isinstance(created, str) else "", size_of(row.get("size"))))
    return sorted(found, key=lambda one: datetime_of(one.created) or _OLDEST)  # stable: else in the service's order


def files_of(rows: object, subject: str) -> list[SnapshotFile]:
    """The files, in the service's order. Raises BadAnswer, which `subject` begins and which names the file."""
    if not isinstance(rows, list):
        raise BadAnswer(f"{subject}: a list of files was expected, not {_shown(rows)}", code="Snapshots")
    paths = {row["filename"] for row in rows if isinstance(row, dict) and isinstance(row.get("filename"), str)}
    directories = {above for path in paths for above in _above(path)}
    found: dict[str, SnapshotFile] = {}
    for row in rows:
        if not isinstance(row, dict):
            raise BadAnswer(f"{subject}: {_shown(row)} is no file", code="Snapshots")
        path = row.get("filename")
        if row.get("directory") is True or (path in directories and not row.get("urls")):
            continue  # some services list those beside what is in them
        file = _file(row, subject)
        if file.path in directories or found.setdefault(file.path, file) is not file:
            raise BadAnswer(f"{subject}: {file.path!r} is there twice", code="Snapshots")
    return list(found.values())


def _file(row: dict[str, Any], subject: str) -> SnapshotFile:
    path, urls = row.get("filename"), row.get("urls") or []
    if not isinstance(path, str) or "\0" in path or any(part in ("", ".", "..") for part in path.split("/")):
        raise BadAnswer(f"{subject}: {_shown(path)} is no path of a file", code="Snapshots")
    content = content_of(row["id"]) if isinstance(row.get("id"), str) else content_of("")
    said = size_of(row.get("size"))
    size = said if content.size is None else content.size  # that of the key is of the very bytes that were hashed
    if size is None:
        raise BadAnswer(f"{subject}: {path!r}: its size is {_shown(row.get('size'))}", code="Snapshots")
    if not isinstance(urls, list):
        raise BadAnswer(f"{subject}: {path!r}: its addresses are {_shown(urls)}", code="Snapshots")
    return SnapshotFile(path, size, content.digest, tuple(_versioned(urls)))


def _versioned(urls: list[Any]) -> Iterator[VersionedUrl]:
    for url in urls:
        if isinstance(url, str) and (found := versioned(url)) is not None:
            yield found


def _above(path: str) -> Iterator[str]:
    """The directories that a path lies in."""
    at = path.find("/")
    while at > 0:
        yield path[:at]
        at = path.find("/", at + 1)


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 100 else f"{text[:100]}..."
