"""Files of a web server: one file, or pages of links, with the size of each by HEAD, side by side."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import quote, unquote, urljoin, urlsplit

from ...checks.digest import NOTHING_TOLD, Told
from ...errors import BadAnswer, NotFound, StoreError
from ...redaction import identity, redacted
from ..base import Deadline, ObjectId, ObjectStat, Page
from ..http.client import WebClient
from ..http.etag_trust import EtagTrust
from ..http.faults import WEB_PAGE
from ..http.reading import LOOK_AGAIN_S, VersionedReads
from ..http.versions import Answer
from ..http.web_page import described, is_index, is_page_name
from ..http.web_requests import WebRequests
from .anchors import anchors
from .base import DirectoryName
from .bucket_hint import command_for, is_bucket_listing

# HEADs at a time: what a browser opens to a few hosts; more would look like an attack to a small server.
_SIDE_BY_SIDE = 16

# What a path may hold unquoted (RFC 3986: pchar and "/").
_SAFE = "/!$&'()*+,;=:@~"


class HttpBackend:
    """One file (`url` without a final slash), or a page of links (with one). Every GET is of the pinned version."""

    pins = True

    def __init__(self, url: str) -> None:
        self._web = WebClient(connections=_SIDE_BY_SIDE)
        self._trust = EtagTrust(redacted(url))
        self.trust: EtagTrust | None = self._trust
        self._reads = VersionedReads(self._trust)
        self._is_page = urlsplit(url).path.endswith("/") or not urlsplit(url).path
        self._url = url if not self._is_page or urlsplit(url).path else url + "/"
        self._name = unquote(urlsplit(url).path.rpartition("/")[2])
        self.url, self.source = redacted(url).rstrip("/"), identity(url).rstrip("/")
        self.is_open = self.source == url.rstrip("/")  # no user, no token, no signature

    def list_directory(self, directory: str, most: int | None, deadline: Deadline) -> list[DirectoryName]:
        if not self._is_page:
            return [] if directory else [DirectoryName(self._name, self.stat(self._name, deadline))]
        try:
            place, body = self._web.document(self._url_of(directory), self._called(directory), deadline)
        except StoreError as error:
            raise self._hinted(error, directory) from error
        if not directory:
            self._check_no_bucket(body)
        names = sorted(links(place, body), key=lambda name: name.encode("utf-8", "surrogateescape"))[:most]
        if not names and not is_index(body):
            raise BadAnswer(
                f"{self._called(directory)}: the server answered with {described(body)} that names no files",
                code=WEB_PAGE,
            )
        files = [name for name in names if not name.endswith("/")]
        found = [DirectoryName(name[:-1], None) for name in names if name.endswith("/")]
        if files:
            with ThreadPoolExecutor(min(_SIDE_BY_SIDE, len(files)), "links") as pool:
                found += pool.map(lambda name: self._name_of(directory, name, deadline), files)
        stats = self._trust.settle(Page([name.stat for name in found if name.stat is not None], [])).objects
        soon = Deadline(min(LOOK_AGAIN_S, deadline.left()))
        self._reads.look_again(stats, lambda key: self._requests(key, 0, (), soon))
        return [name._replace(stat=name.stat and self._trust.relied(name.stat)) for name in found]

    def stat(self, key: str, deadline: Deadline) -> ObjectStat:
        if not self._is_page and key != self._name:
            raise NotFound(f"{self.url}: is one file, and there is no {key!r}")
        try:
            found = self._web.head(self._url_of(key), self._called(key), deadline)
        except StoreError as error:
            raise self._hinted(error, "" if not self._is_page else key) from error
        if self._may_be_bucket and not found.etag and (found.size == 0 or "xml" in found.kind.lower()):
            self._check_no_bucket(self._web.document(self._url, self.url, deadline)[1])
        if not self._is_page and found.kind.lower().startswith("text/html") and not is_page_name(self._name):
            raise BadAnswer(
                f"{self.url}: a web page and not a file of data; if it is a directory's, write {self.url}/",
                code=WEB_PAGE,
            )
        return self._trust.relied(self._stat(key, found))

    @property
    def _may_be_bucket(self) -> bool:
        """Whether the URL of one file looks like that of a bucket, or of a prefix: its name has no suffix."""
        return not self._is_page and "." not in self._name

    def _check_no_bucket(self, body: bytes) -> None:
        if is_bucket_listing(body):
            raise BadAnswer(
                f"{self.url}: this is a bucket of an S3 server; mount it so: {command_for(self.url)}", code="Bucket"
            )

    def _hinted(self, error: StoreError, key: str) -> StoreError:
        """A refusal of the source's own address by a server that numbers its requests, as S3 does."""
        if key or not error.request_id or error.transient or not (self._is_page or self._may_be_bucket):
            return error
        return type(error)(f"{error}; if this is an S3 server, mount it so: {command_for(self.url)}", code=error.code)

    def read(self, id: ObjectId, start: int, views: Sequence[memoryview], deadline: Deadline) -> None:
        if not self._is_page and id.key != self._name:
            raise NotFound(f"{self.url}: is one file, and there is no {id.key!r}")
        requests = self._requests(id.key, start, views, deadline)
        self._reads.read(id, requests, requests.name, deadline)

    def digests(self, id: ObjectId, deadline: Deadline) -> Told:
        return NOTHING_TOLD

    def close(self) -> None:
        self._trust.close()
        self._web.close()

    def _requests(self, key: str, start: int, views: Sequence[memoryview], deadline: Deadline) -> WebRequests:
        url, name = self._url_of(key), self._called(key)
        return WebRequests(
            self._web, url, start, views, name, deadline, self._web.head, lambda: self.stat(key, deadline)
        )

    def _called(self, key: str) -> str:
        """How messages name a file or directory."""
        return f"{self.url}: {key!r}" if key and self._is_page else self.url

    def _url_of(self, key: str) -> str:
        return self._url + quote(key, safe=_SAFE, errors="surrogateescape") if self._is_page else self._url

    def _name_of(self, directory: str, name: str, deadline: Deadline) -> DirectoryName:
        try:
            return DirectoryName(name, self.stat(directory + name, deadline))
        except StoreError as error:
            if error.transient:
                raise
            return DirectoryName(name, None, str(error))

    def _stat(self, key: str, info: Answer) -> ObjectStat:
        if info.size is None:
            raise StoreError(f"{self.url}: {key!r}: the server does not say how large it is", code="Content-Length")
        return ObjectStat(ObjectId(self.source, key, info.token, size=info.size), info.size, info.mtime_ns)


def links(place: str, page: bytes) -> set[str]:
    """Names right below the URL `place` that its page links to; those of directories end in "/". Pure.

    Links elsewhere, upwards, with a query (the columns of an index to sort by) or a fragment are not names. Raises
    BadAnswer for a page of more links than `anchors.ANCHORS_MAX`.
    """
    here = urlsplit(urljoin(place, "."))
    found = set()
    for reference in anchors(page.decode("utf-8", "replace")):
        try:
            there = urlsplit(urljoin(place, reference))
        except ValueError:
            continue
        if (there.scheme, there.netloc) != (here.scheme, here.netloc) or there.query or there.fragment:
            continue
        if not there.path.startswith(here.path):
            continue
        name, slash, below = there.path[len(here.path) :].partition("/")
        name = unquote(name, errors="surrogateescape")
        if name in ("", ".", "..") or "/" in name or "\0" in name or below:
            continue
        found.add(name + slash)
    return found
