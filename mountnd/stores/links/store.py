"""A file of signed links shown as one flat directory: data sets that are given out by e-mail (fastMRI)."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

from ...errors import ConfigError, Forbidden, LinkExpired, NotFound, StoreError
from ..base import Deadline, Notes, ObjectId, ObjectStat, Page, StoreBase
from ..http.client import WebClient
from ..http.reading import VersionedReads
from ..http.trust import EtagTrust
from ..http.web_requests import WebRequests
from ..s3.translate import BY_CODE
from .parse import SignedLink, parse_links

# Sizes are fetched this many at a time: an e-mail has a dozen links.
_SIDE_BY_SIDE = 16


class SignedLinkStore(StoreBase):
    """The files that a file of links names.

    Args:
        path: text file, see `parse.py`. Raises ConfigError when it cannot be read, or is invalid.
        clock: seconds since the epoch; tests inject their own.
    """

    flat = True
    pins = True

    def __init__(self, path: Path, *, clock: Callable[[], float] = time.time) -> None:
        try:
            text = path.read_text(encoding="utf-8", errors="replace")
        except OSError as error:
            raise ConfigError(f"{path}: {error.strerror}") from None
        self._links = {link.name: link for link in sorted(parse_links(text, str(path)), key=_order)}
        # Next month's e-mail signs the same files anew: cached bytes outlive the signatures.
        files = "\n".join(f"{link.name} {_unsigned(link.url)}" for link in self._links.values())
        self.source = f"signed:{hashlib.sha256(files.encode()).hexdigest()[:16]}"
        self.root = ""
        self.url = str(path)
        self._clock = clock
        self._web = WebClient(codes=BY_CODE)
        self._trust = EtagTrust(self.url)
        self._reads = VersionedReads(self._trust)

    @property
    def remarks(self) -> tuple[str, ...]:
        return self._trust.remarks

    def remember(self, notes: Notes) -> None:
        self._trust.remember(notes)

    def relied(self, stat: ObjectStat) -> ObjectStat:
        return self._trust.relied(stat)

    def list_page(
        self,
        prefix: str,
        *,
        delimiter: str = "/",
        token: str | None = None,
        start_after: str = "",
        limit: int = 1000,
        deadline: Deadline,
    ) -> Page:
        """Sizes are fetched side by side. A link that the server refuses is in `unshowable`, unless all are."""
        after = (token if token is not None else start_after).encode()
        names = [name for name in self._links if name.startswith(prefix) and name.encode() > after]
        page, more = names[: min(limit, 1000)], len(names) > min(limit, 1000)
        objects: list[ObjectStat] = []
        refused: list[StoreError] = []
        if page:
            with ThreadPoolExecutor(min(_SIDE_BY_SIDE, len(page)), "links") as pool:
                for answer in pool.map(lambda name: self._try(name, deadline), page):
                    if isinstance(answer, ObjectStat):
                        objects.append(answer)
                    else:
                        refused.append(answer)
        if refused and not objects:
            raise refused[0]
        return self._trust.settle(Page(objects, [], page[-1] if more else None, tuple(str(error) for error in refused)))

    def head(self, key: str, *, deadline: Deadline) -> ObjectStat:
        link = self._link(key)
        try:
            found = self._web.first_byte(link.url, f"{self.url}: {key}", deadline)
        except Forbidden:
            self._check_expiry(link)
            raise
        if found.size is None:
            raise StoreError(f"{self.url}: {key}: the server does not say how large it is", code="Content-Range")
        id = ObjectId(self.source, key, found.token, size=found.size)
        return self.relied(ObjectStat(id, found.size, found.mtime_ns))

    def read(self, id: ObjectId, start: int, views: Sequence[memoryview], *, deadline: Deadline) -> None:
        if not views:
            return
        link = self._link(id.key)
        name, describe = f"{self.url}: {id.key}", self._web.first_byte
        requests = WebRequests(
            self._web, link.url, start, views, name, deadline, describe, lambda: self.head(id.key, deadline=deadline)
        )
        try:
            self._reads.read(id, requests, name)
        except Forbidden:
            self._check_expiry(link)
            raise

    def close(self) -> None:
        self._web.close()

    def _try(self, name: str, deadline: Deadline) -> ObjectStat | StoreError:
        try:
            return self.head(name, deadline=deadline)
        except StoreError as error:
            if error.transient:
                raise
            return error

    def _link(self, key: str) -> SignedLink:
        link = self._links.get(key)
        if link is None:
            raise NotFound(f"{self.url}: no link named {key!r}", code="NoSuchKey")
        self._check_expiry(link)
        return link

    def _check_expiry(self, link: SignedLink) -> None:
        if link.expires is not None and self._clock() >= link.expires:
            when = datetime.fromtimestamp(link.expires, UTC).strftime("%Y-%m-%d %H:%M UTC")
            raise LinkExpired(
                f"{self.url}: the link of {link.name} ended on {when}; ask for a new e-mail and put its lines there",
                code="Expires",
            )


def _order(link: SignedLink) -> bytes:
    return link.name.encode()


def _unsigned(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}{parts.path}"
