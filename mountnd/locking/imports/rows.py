"""A row of a list of objects, whatever wrote it, and the records that rows become. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from ...errors import ConfigError
from ...lockfile.record import UNKNOWN_MTIME_NS, Locked
from ...stores.facts import mtime_of
from ...stores.http.etags import normalised


class Row(NamedTuple):
    """What a list says of one object.

    Attributes:
        where: the row, for messages: a file and a line.
        bucket: "" where the list does not say.
        path: where it is to be in the tree; "" for its key.
        size: in bytes; -1 where the list does not say.
        digest: as in `Locked`.
    """

    where: str
    key: str
    bucket: str = ""
    path: str = ""
    version: str = ""
    size: int = -1
    etag: str = ""
    mtime_ns: int = UNKNOWN_MTIME_NS
    digest: str = ""


class Taken:
    """The records of those rows that lie below a prefix. An iterator.

    Args:
        bucket: of the source, "" where it is in none.
        root: the key prefix of the source, "" or ending in "/".

    Attributes:
        outside: how many rows lay elsewhere in the bucket.

    Raises ConfigError for a row of another bucket.
    """

    def __init__(self, rows: Iterable[Row], bucket: str, root: str) -> None:
        self.outside = 0
        self._records = self._take(rows, bucket, root)

    def __iter__(self) -> Iterator[Locked]:
        return self._records

    def _take(self, rows: Iterable[Row], bucket: str, root: str) -> Iterator[Locked]:
        for row in rows:
            if row.bucket and row.bucket != bucket:
                raise ConfigError(
                    f"{row.where}: an object of the bucket {row.bucket!r}, and the source is in {bucket or 'none'!r}; "
                    "name the source that the list is of"
                )
            if not row.key.startswith(root):
                self.outside += 1
                continue
            path = row.path or row.key[len(root) :]
            etag = normalised(row.etag) if row.etag else ""
            yield Locked(path, row.key, row.version, row.size, etag, row.mtime_ns, row.digest)


def date(text: object) -> int:
    """Nanoseconds since the epoch of a date in a list; `UNKNOWN_MTIME_NS` where there is none."""
    return mtime_of(text) if isinstance(text, str) else UNKNOWN_MTIME_NS
