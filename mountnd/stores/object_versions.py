"""What a bucket with versions tells of its history: every version and delete marker of every key."""

from __future__ import annotations

from typing import NamedTuple

from .facts import whole_seconds

# Code of the error about a store, or a server, that knows of no versions.
NO_VERSIONS = "NoVersions"


class Version(NamedTuple):
    """One row of a listing of versions.

    Attributes:
        key: the object's whole key.
        version: its version id; "null" for what was stored while the bucket kept no versions.
        size: in bytes; 0 of a delete marker.
        etag: in quotes; "" of a delete marker, and where there is none.
        stored_ns: LastModified as far as the listing tells it, nanoseconds since the epoch.
        latest: it is what a request without a version id gets.
        deleted: it is a delete marker: from then on, until a newer version, the key was not there.
        storage_class: "" where that is not told.
    """

    key: str
    version: str
    size: int
    etag: str
    stored_ns: int
    latest: bool = False
    deleted: bool = False
    storage_class: str = ""

    @property
    def mtime_ns(self) -> int:
        """As files have it: in whole seconds, which is all that a HEAD tells."""
        return whole_seconds(self.stored_ns)


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
