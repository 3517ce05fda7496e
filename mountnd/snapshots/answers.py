"""What a service of snapshots answers, looked at row by row before it is believed. Pure.

Schema: github.com/OpenNeuroOrg/openneuro, packages/openneuro-server/src/graphql/schema.ts. Big numbers come as numbers
or as texts.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, NamedTuple

from ..errors import BadAnswer, Intercepted
from ..stores.facts import datetime_of, size_of
from ..stores.http.faults import WEB_PAGE
from ..stores.http.status import error_type
from ..stores.http.web_page import described, is_page
from .annex import content_of
from .urls import VersionedUrl, versioned

# Statuses of a service that is overloaded, or of what stands before it.
_OVERLOADED = (408, 429, 502, 503, 504)
# Its messages may be anything; so much of one is shown.
_SHOWN = 200

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


def data_of(status: int, body: bytes, subject: str) -> tuple[dict[str, Any], list[str]]:
    """What an answer to GraphQL holds: `data`, {} where it is null; and the messages of what went wrong with the rest.

    Args:
        status: of HTTP; what is known of a failure stands in the body, whatever the status.

    Raises StoreError, which `subject` begins: ServerFault and Throttled where asking again may help.
    """
    if is_page(body):
        raise Intercepted(f"{subject} answered {status} with {described(body)}", code=WEB_PAGE)
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        said = None
    known = isinstance(said, dict) and ("data" in said or "errors" in said)
    if status in _OVERLOADED or (not known and status != 200):
        raise error_type(status)(f"{subject} answered {status}{because(_messages(said))}", code=str(status))
    data = said.get("data") if isinstance(said, dict) else None
    if not known or not isinstance(data, dict | None):
        raise BadAnswer(f"{subject} answered with something that is no answer to GraphQL", code="GraphQL")
    return data or {}, _messages(said)


def because(said: list[str]) -> str:
    """What a service says of its failure, behind what we say."""
    text = " ".join("; ".join(said).split())
    return f" ({text[:_SHOWN]})" if text else ""


def _messages(said: object) -> list[str]:
    errors = said.get("errors") if isinstance(said, dict) else None
    found = [one.get("message") for one in errors if isinstance(one, dict)] if isinstance(errors, list) else []
    return [one for one in found if isinstance(one, str)]


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
        if row.get("directory") is True or (isinstance(path, str) and path in directories and not row.get("urls")):
            continue  # some services list those beside what is in them
        file = _file(row, subject)
        if file.path in directories or found.setdefault(file.path, file) is not file:
            raise BadAnswer(f"{subject}: {file.path!r} is there twice", code="Snapshots")
    return list(found.values())


def _file(row: dict[str, Any], subject: str) -> SnapshotFile:
    path, urls = row.get("filename"), row.get("urls") or []
    if not isinstance(path, str) or not _is_path(path):
        raise BadAnswer(f"{subject}: {_shown(path)} is no path of a file", code="Snapshots")
    content = content_of(row["id"]) if isinstance(row.get("id"), str) else content_of("")
    said = size_of(row.get("size"))
    size = said if content.size is None else content.size  # that of the key is of the very bytes that were hashed
    if size is None:
        raise BadAnswer(f"{subject}: {path!r}: its size is {_shown(row.get('size'))}", code="Snapshots")
    if not isinstance(urls, list):
        raise BadAnswer(f"{subject}: {path!r}: its addresses are {_shown(urls)}", code="Snapshots")
    return SnapshotFile(path, size, content.digest, tuple(_versioned(urls)))


def _is_path(text: str) -> bool:
    """Whether it can be the path of a file below a directory, and part of a key."""
    try:
        text.encode()
    except UnicodeEncodeError:  # half of a pair
        return False
    return "\0" not in text and not any(part in ("", ".", "..") for part in text.split("/"))


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
