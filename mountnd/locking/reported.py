"""The document of a report -> a lockfile of what was read. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from ..errors import UsageError
from ..lockfile.header import Header
from ..lockfile.record import UNKNOWN_MTIME_NS, Locked


class Reported(NamedTuple):
    """What was read of one source.

    Attributes:
        source: its facts, as the document has them.
        header: without what it takes to know when and by what it was made.
        records: of the files that programs have opened.
        twice: paths of which more than one version was read; the one that was opened last is taken.
    """

    source: Mapping[str, Any]
    header: Header
    records: list[Locked]
    twice: list[str]


def reported(document: Mapping[str, Any], name: str = "") -> Reported:
    """What the document tells of the source called `name`, or of the only one that was read.

    Raises UsageError where there is no such source, where several were read, or nothing.
    """
    read = sorted({file["source"] for file in document["files"]})
    if name and name not in {source["name"] for source in document["sources"]}:
        known = ", ".join(source["name"] for source in document["sources"])
        raise UsageError(f"--source: the mount has no source {name}, but {known}")
    if not name and len(read) > 1:
        raise UsageError(
            f"a lockfile is of one source, and several were read: choose one with --source {'|'.join(read)}"
        )
    chosen = name or (read[0] if read else "")
    files = [file for file in document["files"] if file["source"] == chosen]
    if not files:
        raise UsageError(f"{document['mountpoint']}: nothing was read yet{f' of {name}' if name else ''}")
    source = next(source for source in document["sources"] if source["name"] == chosen)
    if source["kind"] == "links":
        raise UsageError(f"{chosen} is read by signed links, which end: they are nothing to be written down")
    records, twice = dict[str, Locked](), list[str]()
    top = f"{chosen}/" if len(document["sources"]) > 1 else ""
    for file in sorted(files, key=lambda one: str(one["first_opened"])):
        record = _record(file, top)
        if record.path in records:
            twice.append(record.path)
        records[record.path] = record
    return Reported(source, _header(source), list(records.values()), sorted(set(twice)))


def _record(file: Mapping[str, Any], top: str) -> Locked:
    """`top`: the beginning of the mount's paths that is the source's name."""
    path, mtime_ns = file["path"].removeprefix(top), file.get("mtime_ns") or UNKNOWN_MTIME_NS
    key, size, stored = file["key"], file["size"], file.get("stored_size")
    if stored is not None:  # shown inflated, without the end of its name: a lockfile is of what is stored
        path, size = path + key[-len(".gz") :], stored
    return Locked(path, key, file["version_id"] or "", size, file["etag"] or "", mtime_ns)


def _header(source: Mapping[str, Any]) -> Header:
    return Header(
        source=source["url"],
        root=source["root"],
        name=source["name"],
        preset=source["preset"] or "",
        endpoint_url=source["endpoint_url"] or "",
        region=source["region"] or "",
        anonymous=True if source.get("anonymous") else None,
        path_style=source["path_style"],
        origin="report",
    )
