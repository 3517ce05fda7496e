"""What a bucket with versions tells of its history: every version and delete marker of every key."""

from __future__ import annotations

from typing import NamedTuple


class Version(NamedTuple):
    """One row of a listing of versions.

    Attributes:
        key: the object's whole key.
        version: its version id; "null" for what was stored while the bucket kept no versions.
        size: in bytes; 0 of a delete marker.
        etag: in quotes; "" of a delete marker, and where there is none.
        mtime_ns: LastModified, nanoseconds since the epoch, in whole seconds.
        latest: it is what a request without a version id gets.
        deleted: it is a delete marker: from then on, until a newer version, the key was not there.
        storage_class: "" where that is not told.
    """

    key: str
    version: str
    size: int
    etag: str
    mtime_ns: int
    latest: bool = False
    deleted: bool = False
    storage_class: str = ""


class Marker(NamedTuple):
    """Where a listing of versions goes on: behind this version of this key ("": behind all of its versions)."""

    key: str
    version: str = ""


class VersionsPage(NamedTuple):
    """One answer of a listing of versions: rows by key, of one key the newest first.

    `next` continues it; None on the last page. `unshowable`: keys that cannot be, as `repr`.
    """

    versions: list[Version]
    next: Marker | None = None
    unshowable: tuple[str, ...] = ()
