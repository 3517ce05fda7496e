"""Any fsspec URL: files, gs://, sftp://, memory://, ...; and http(s)://, one file or a page of links.

Weaker than S3 where a server cannot pin: the version token of a file (ETag, generation, checksum, else
size + time) is compared after each fetch with the one that its handle pinned. So bytes of two versions
never mix, at the price of one more look at the file a fetch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from ...errors import NotFound, StoreError
from ..base import Deadline, ObjectId, ObjectStat, Page

# A page of S3's. These providers give a directory at once, so nothing is gained by cutting it smaller
# (each page would list it again), and a directory comes as one page however long.
PAGE = 1000


class Entry(NamedTuple):
    """One name of a directory: `stat` None for a directory; `hidden` says why a name cannot be shown."""

    name: str
    stat: ObjectStat | None
    hidden: str = ""


class Reach(Protocol):
    """How one kind of URL is asked. Keys are paths below the URL, without a leading slash.

    Attributes: source, url, pins as in `Store`.
    """

    source: str
    url: str
    pins: bool

    def entries(self, directory: str, most: int | None, deadline: Deadline) -> list[Entry]:
        """The names right below `directory` ("" or ending in "/"): all, or at least the first `most` by UTF-8.

        Raises NotFound where there is no such directory.
        """
        ...

    def stat(self, key: str, deadline: Deadline) -> ObjectStat: ...

    def read(self, id: ObjectId, start: int, views: Sequence[memoryview], deadline: Deadline) -> None: ...

    def close(self) -> None: ...


class FsspecStore:
    """The files below a URL (or the one that it names).

    Args:
        url: any fsspec URL. A http(s) URL that ends in "/" is a page of links, any other one file.
        options: given to fsspec's file system (not for http).

    Raises ConfigError when no file system takes the URL.
    """

    flat = False

    def __init__(self, url: str, *, options: Mapping[str, Any] | None = None) -> None:
        self._reach: Reach
        if url.startswith(("http://", "https://")):
            from .http_backend import WebReach

            self._reach = WebReach(url)
        else:
            from .fsspec_backend import FilesystemReach

            self._reach = FilesystemReach(url, options or {})
        self.source, self.url, self.pins = self._reach.source, self._reach.url, self._reach.pins
        self.root = ""

    def probe(self, deadline: Deadline) -> None:
        """Ask for one name below the URL: whether it can be read, or else the precise error."""
        self.list_page("", limit=1, deadline=deadline)

    def list_page(
        self,
        prefix: str,
        *,
        delimiter: str = "/",
        token: str | None = None,
        start_after: str = "",
        limit: int = PAGE,
        deadline: Deadline,
    ) -> Page:
        """As `Store.list_page`, by directories only; a `limit` of 1,000 or more gives a directory as one page."""
        if delimiter != "/":
            raise StoreError(f"{self.url}: can only be listed directory by directory", code="Delimiter")
        directory = prefix[: prefix.rfind("/") + 1]
        if not _plain(directory):
            return Page([], [])
        after = (token if token is not None else start_after).encode("utf-8", "surrogateescape")
        whole = limit >= PAGE
        most = limit + 1 if not whole and prefix == directory and not after else None
        try:
            entries = self._reach.entries(directory, most, deadline)
        except NotFound:
            if directory:
                return Page([], [])
            raise
        found = sorted(
            (key.encode("utf-8", "surrogateescape"), key, entry)
            for entry in entries
            if (key := directory + entry.name + ("/" if entry.stat is None and not entry.hidden else "")).startswith(
                prefix
            )
        )
        wanted = [(key, entry) for raw, key, entry in found if raw > after]
        page = wanted if whole else wanted[:limit]
        return Page(
            [entry.stat for _, entry in page if entry.stat is not None],
            [key for key, entry in page if entry.stat is None and not entry.hidden],
            page[-1][0] if len(page) < len(wanted) else None,
            tuple(f"{key!r}: {entry.hidden}" for key, entry in page if entry.hidden),
        )

    def head(self, key: str, *, deadline: Deadline) -> ObjectStat:
        if not _plain(key) or not key:
            raise NotFound(f"{self.url}: no file {key!r}")
        return self._reach.stat(key, deadline)

    def read(self, id: ObjectId, start: int, views: Sequence[memoryview], *, deadline: Deadline) -> None:
        if not _plain(id.key) or not id.key:
            raise NotFound(f"{self.url}: no file {id.key!r}")
        if views:
            self._reach.read(id, start, views, deadline)

    def close(self) -> None:
        self._reach.close()


def _plain(key: str) -> bool:
    """Whether a path means what it says: no empty segment (but after a final slash), no `.` or `..`. Pure."""
    segments = key.removesuffix("/").split("/") if key else []
    return not any(segment in ("", ".", "..") for segment in segments)
