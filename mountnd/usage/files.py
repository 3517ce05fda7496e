"""One file of the log: what is counted of it, and the row that becomes of that."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol

from . import pattern
from .ranges import Ranges


class ObjectId(Protocol):
    """What names a version of an object: `stores.base.ObjectId`. Hashable."""

    @property
    def source(self) -> str: ...
    @property
    def key(self) -> str: ...
    @property
    def etag(self) -> str: ...
    @property
    def version(self) -> str: ...


class FileRow(NamedTuple):
    """One version of one object, or a part of what happened to it: rows of the same (source, key, etag, version, size)
    belong together. All of it is what JSON can hold.

    Attributes:
        source: `Store.source`; key, etag, version, size: as in `ObjectId`, and the object's size in bytes.
        path: from the mount's root, "" where no program has opened it.
        opens: how often it was opened; opened: first, in seconds since the epoch (0.0: never).
        asked: bytes that programs asked for; waited: of these, those that were not in memory when they did.
        fetched, ahead, disk: bytes that came from the source because a program waited for them, from the source ahead
            of programs, and from the disk cache.
        how: as `pattern` calls it; how_bytes: read by the handle that this is said of.
        exact: the ranges are; else some that lie close together were taken for one.
        ranges: bounds (see `ranges`) of what was asked for, fetched, fetched ahead, and taken from the disk cache.
        mtime_ns: LastModified of that version, nanoseconds since the epoch; 0 where no program has opened it.
        stored_size: bytes of what is stored under `key`, where a view shows it inflated; -1 elsewhere.
    """

    source: str
    key: str
    etag: str
    version: str
    size: int
    path: str
    opens: int
    opened: float
    asked: int
    waited: int
    fetched: int
    ahead: int
    disk: int
    how: str
    how_bytes: int
    exact: bool
    ranges: tuple[tuple[int, ...], ...]
    mtime_ns: int = 0
    stored_size: int = -1


class FileUsage:
    """One version of one object, since it was archived last. Guarded by `UsageLog._lock`.

    Attributes: as in `FileRow`; place: what `UsageLog.path_of` makes a path of, None where nobody has opened it.
    """

    __slots__ = ("ahead", "ahead_ranges", "asked", "disk", "disk_ranges", "fetched", "fetched_ranges",
                 "how", "how_bytes", "id", "mtime_ns", "opened", "opens", "place", "read_ranges", "size",
                 "waited")  # fmt: skip

    def __init__(self, id: ObjectId, size: int) -> None:
        self.id, self.size = id, size
        self.place: object = None
        self.mtime_ns = 0
        self.begin_anew()

    def begin_anew(self) -> None:
        """All that was counted stands elsewhere."""
        self.opens = self.asked = self.waited = self.fetched = self.ahead = self.disk = self.how_bytes = 0
        self.opened, self.how = 0.0, pattern.UNREAD
        self.read_ranges: Ranges | None = None
        self.fetched_ranges: Ranges | None = None
        self.ahead_ranges: Ranges | None = None
        self.disk_ranges: Ranges | None = None

    def row(self, path_of: Callable[[object], str]) -> FileRow:
        """What is known of it."""
        all_ranges = (self.read_ranges, self.fetched_ranges, self.ahead_ranges, self.disk_ranges)
        bounds = tuple(() if one is None else tuple(one.bounds) for one in all_ranges)
        exact = all(one is None or one.exact for one in all_ranges)  # after `bounds`, which joins what is pending
        path = "" if self.place is None else path_of(self.place)
        return FileRow(
            self.id.source, self.id.key, self.id.etag, self.id.version, self.size, path, self.opens, self.opened,
            self.asked, self.waited, self.fetched, self.ahead, self.disk, self.how, self.how_bytes, exact, bounds,
            self.mtime_ns,
        )  # fmt: skip


class OpenFile(NamedTuple):
    """An open file as it is now, by this handle. `position`: how far the place that is read has come; the rest is as in
    `FileRow`."""

    path: str
    size: int
    asked: int
    position: int
    how: str
