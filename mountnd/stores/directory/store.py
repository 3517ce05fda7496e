"""A tree of files, listed directory by directory: a file system of fsspec's, or a web server.

Weaker than S3 where a server cannot pin a version: the version token of a file (ETag, generation, checksum, else
size + time) is compared after each fetch with the one that its handle pinned. So bytes of two versions never mix, at
the price of one more request a fetch.
"""

from __future__ import annotations

from collections.abc import Sequence

from ...checks.digest import Told
from ...errors import NotFound, StoreError
from ..base import Deadline, Notes, ObjectId, ObjectStat, Page
from ..common import StoreBase
from .base import DirectoryBackend

# From this limit on (S3's page) a directory comes as one page, however long: a backend gives it as a whole, and each
# smaller page would list it again.
WHOLE_FROM = 1000


class DirectoryStore(StoreBase):
    """The files that `backend` gives."""

    flat = False

    def __init__(self, backend: DirectoryBackend) -> None:
        self._backend = backend
        self.source, self.url, self.pins = backend.source, backend.url, backend.pins
        self.root, self.is_open = "", backend.is_open

    def list_page(
        self,
        prefix: str,
        *,
        delimiter: str = "/",
        token: str | None = None,
        start_after: str = "",
        limit: int = WHOLE_FROM,
        deadline: Deadline,
    ) -> Page:
        """As `Store.list_page`, by directories only; a `limit` of 1,000 or more gives a directory as one page."""
        if delimiter != "/":
            raise StoreError(f"{self.url}: can only be listed directory by directory", code="Delimiter")
        directory = prefix[: prefix.rfind("/") + 1]
        if not _is_plain(directory):
            return Page([], [])
        after = (token if token is not None else start_after).encode("utf-8", "surrogateescape")
        whole = limit >= WHOLE_FROM
        most = limit + 1 if not whole and prefix == directory and not after else None
        try:
            names = self._backend.list_directory(directory, most, deadline)
        except NotFound:
            if directory:
                return Page([], [])
            raise
        found = sorted(
            (key.encode("utf-8", "surrogateescape"), key, name)
            for name in names
            if (key := directory + name.name + ("/" if name.stat is None and not name.problem else "")).startswith(
                prefix
            )
        )
        rest = [(key, name) for raw, key, name in found if raw > after]
        page = rest if whole else rest[:limit]
        return Page(
            [name.stat for _, name in page if name.stat is not None],
            [key for key, name in page if name.stat is None and not name.problem],
            page[-1][0] if len(page) < len(rest) else None,
            tuple(f"{key!r}: {name.problem}" for key, name in page if name.problem),
        )

    def head(self, key: str, *, deadline: Deadline) -> ObjectStat:
        if not _is_plain(key) or not key:
            raise NotFound(f"{self.url}: no file {key!r}")
        return self._backend.stat(key, deadline)

    def read(self, id: ObjectId, start: int, views: Sequence[memoryview], *, deadline: Deadline) -> None:
        if not _is_plain(id.key) or not id.key:
            raise NotFound(f"{self.url}: no file {id.key!r}")
        if views:
            self._backend.read(id, start, views, deadline)

    def digests(self, id: ObjectId, *, deadline: Deadline) -> Told:
        return self._backend.digests(id, deadline)

    @property
    def remarks(self) -> tuple[str, ...]:
        return self._backend.trust.remarks if self._backend.trust is not None else ()

    def remember(self, notes: Notes) -> None:
        if self._backend.trust is not None:
            self._backend.trust.remember(notes)

    def relied(self, stat: ObjectStat) -> ObjectStat:
        return self._backend.trust.relied(stat) if self._backend.trust is not None else stat

    def close(self) -> None:
        self._backend.close()


def _is_plain(key: str) -> bool:
    """Whether a path is its own normal form: no empty segment (but after a final slash), no `.` or `..`. Pure."""
    segments = key.removesuffix("/").split("/") if key else []
    return not any(segment in ("", ".", "..") for segment in segments)
