"""A file of signed links shown as one flat directory: data sets that are given out by e-mail (fastMRI).

A link that has ended, or that the server refuses, is shown as a small text that says so when it is read.

Links end. When one is refused, the file is read anew: somebody may have put the next e-mail's lines there.

Lock order: `SignedLinkStore._lock` is a leaf, held while the file is read.
"""

from __future__ import annotations

import hashlib
import logging
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

from ...errors import Changed, ConfigError, Forbidden, LinkExpired, NotFound, StoreError
from ...regular_file import open_regular, read_all
from ..base import Deadline, Notes, ObjectId, ObjectStat, Page, Renewals
from ..common import StoreBase
from ..http.client import WebClient
from ..http.etag_trust import EtagTrust
from ..http.exposure import is_exposed
from ..http.reading import LOOK_AGAIN_S, VersionedReads
from ..http.web_requests import WebRequests
from ..s3.translate import BY_CODE
from .notes import Note, note_about
from .parse import SignedLink, parse_links

log = logging.getLogger(__name__)

T = TypeVar("T")

# The file is read anew at most once in so many seconds.
RENEW_S = 3.0

# Bytes of a file of links: some 10,000 signed ones.
_FILE_MAX = 16 << 20

# Sizes are fetched this many at a time: an e-mail has a dozen links.
_SIDE_BY_SIDE = 16


class SignedLinkStore(StoreBase):
    """The files that a file of links names.

    Args:
        path: text file, see `parse.py`. Raises ConfigError when it cannot be read, or is invalid.
        clock, monotonic: seconds since the epoch, and of a clock that is never set; tests inject their own.
    """

    flat = True
    pins = True

    def __init__(
        self,
        path: Path,
        *,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._path = path
        self._links = _read_links(path)
        self.source = _identity(self._links)
        self.root = ""
        self.url = str(path)
        self.renewals = Renewals()
        self._clock, self._monotonic = clock, monotonic
        self._lock = threading.Lock()
        self._read_at = float("-inf")
        self._notes: dict[str, Note] = {}  # by the names of their files
        self._web = WebClient(codes=BY_CODE)
        self._trust = EtagTrust(self.url)
        self._reads = VersionedReads(self._trust)

    @property
    def exposure(self) -> str:
        link = next((link for link in self._links.values() if is_exposed(link.url)), None)
        if link is None:
            return ""
        host = urlsplit(link.url).hostname
        return f"{self.url}: signed links are sent to {host} unencrypted; others on the network can read and use them"

    @property
    def remarks(self) -> tuple[str, ...]:
        return (*self._trust.remarks, *(note.why.removeprefix(f"{self.url}: ") for note in self._notes.values()))

    def remember(self, notes: Notes) -> None:
        self._trust.remember(notes)

    def relied(self, stat: ObjectStat) -> ObjectStat:
        return stat if stat.id.key in self._notes else self._trust.relied(stat)

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
        """Sizes are fetched side by side. A link that the server refuses has a note in its place, unless all are."""
        after = (token if token is not None else start_after).encode()
        names = [name for name in self._links if name.startswith(prefix) and name.encode() > after]
        page, more = names[: min(limit, 1000)], len(names) > min(limit, 1000)
        objects: list[ObjectStat] = []
        refused: dict[str, StoreError] = {}
        if page:
            with ThreadPoolExecutor(min(_SIDE_BY_SIDE, len(page)), "links") as pool:
                answers = pool.map(lambda name: self._try(name, deadline), page)
                for name, answer in zip(page, answers, strict=True):
                    if isinstance(answer, ObjectStat):
                        objects.append(answer)
                    else:
                        refused[name] = answer
        if refused and not objects:
            raise next(iter(refused.values()))
        found = self._trust.settle(Page(objects, [], page[-1] if more else None))
        soon = Deadline(min(LOOK_AGAIN_S, deadline.left()))
        if self._reads.look_again(found.objects, lambda key: self._requests(key, self._links[key], 0, (), soon)):
            found = self._trust.settle(found)
        noted = [self._note(name, error) for name, error in refused.items()]
        return found._replace(objects=sorted([*found.objects, *noted], key=lambda stat: stat.id.key.encode()))

    def head(self, key: str, *, deadline: Deadline) -> ObjectStat:
        if (note := self._notes.get(key)) is not None:
            return note.stat(self.source)
        found = self._ask(key, lambda link: self._web.first_byte(link.url, f"{self.url}: {key}", deadline))
        if found.size is None:
            raise StoreError(f"{self.url}: {key}: the server does not say how large it is", code="Content-Range")
        id = ObjectId(self.source, key, found.token, size=found.size)
        return self.relied(ObjectStat(id, found.size, found.mtime_ns))

    def read(self, id: ObjectId, start: int, views: Sequence[memoryview], *, deadline: Deadline) -> None:
        if not views:
            return
        if (note := self._notes.get(id.key)) is not None:
            if self._read_anew(self.renewals.count):
                raise Changed(f"{self.url}: {id.key}: there are new links now", code="Renewed")
            note.read(id, start, views)
            return

        def read(link: SignedLink) -> None:
            requests = self._requests(id.key, link, start, views, deadline)
            self._reads.read(id, requests, requests.name, deadline)

        self._ask(id.key, read)

    def renew(self, *, deadline: Deadline) -> bool:
        return self._read_anew(self.renewals.count)

    def close(self) -> None:
        self._trust.close()
        self._web.close()

    def _requests(
        self, key: str, link: SignedLink, start: int, views: Sequence[memoryview], deadline: Deadline
    ) -> WebRequests:
        name = f"{self.url}: {key}"
        return WebRequests(
            self._web,
            link.url,
            start,
            views,
            name,
            deadline,
            self._web.first_byte,
            lambda: self.head(key, deadline=deadline),
        )

    def _note(self, name: str, error: StoreError) -> ObjectStat:
        """The file that stands for a link that cannot be used."""
        made = note_about(name, error, self._path)
        if self._notes.get(made.name) != made:
            log.warning("%s", made.why)
            self._notes[made.name] = made
        return made.stat(self.source)

    def _try(self, name: str, deadline: Deadline) -> ObjectStat | StoreError:
        try:
            return self.head(name, deadline=deadline)
        except StoreError as error:
            if error.transient:
                raise
            return error

    def _ask(self, key: str, request: Callable[[SignedLink], T]) -> T:
        """Make a request with a link; again when it is refused and the file has another one by now."""
        seen = self.renewals.count
        try:
            return self._ask_once(key, request)
        except Forbidden:
            if not self._read_anew(seen):
                raise
        return self._ask_once(key, request)

    def _ask_once(self, key: str, request: Callable[[SignedLink], T]) -> T:
        link = self._link(key)
        try:
            return request(link)
        except Forbidden:
            self._check_expiry(link)
            raise

    def _read_anew(self, seen: int) -> bool:
        """Whether there are other links to the same files now than when `renewals` had counted to `seen`."""
        with self._lock:
            if self.renewals.count != seen:
                return True
            if self._monotonic() - self._read_at < RENEW_S:
                return False
            self._read_at = self._monotonic()
            try:
                links = _read_links(self._path)
            except ConfigError as error:  # perhaps it is being written
                log.warning("the old links are used on: %s", error)
                return False
            if links == self._links:
                return False
            if _identity(links) != self.source:
                log.warning("%s: it names other files now; mount it anew to see them", self.url)
                return False
            self._links = links
            self._notes.clear()
            self.renewals.count += 1
            return True

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


def _read_links(path: Path) -> dict[str, SignedLink]:
    """The links of a file by name. Raises ConfigError."""
    try:
        text = read_all(open_regular(path), _FILE_MAX).decode("utf-8", "replace")
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read as a file of links: {error.strerror}") from None
    return {link.name: link for link in sorted(parse_links(text, str(path)), key=_order)}


def _identity(links: dict[str, SignedLink]) -> str:
    """By the files alone: next month's e-mail signs the same ones anew, and cached bytes outlive the signatures."""
    files = "\n".join(f"{link.name} {_unsigned(link.url)}" for link in links.values())
    return f"signed:{hashlib.sha256(files.encode()).hexdigest()[:16]}"


def _order(link: SignedLink) -> bytes:
    return link.name.encode()


def _unsigned(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}{parts.path}"
