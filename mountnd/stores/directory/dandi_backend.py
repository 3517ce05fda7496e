"""One dandiset of the DANDI archive, as its pages show it: names from its API, bytes from its public bucket.

In the bucket itself (preset `dandi`) objects are called by UUIDs. The API gives a directory's names with sizes and
URLs in pages (`assets/paths/`, github.com/dandi/dandi-archive: dandiapi/api/asset_paths.py). A blob's URL is its
identity: what lies there never changes, so the URL is the version token, too, and a read asks for nothing else.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from ...checks.digest import Told, parsed
from ...errors import BadAnswer, Changed, NotFound, StoreError
from ..base import Deadline, ObjectId, ObjectStat
from ..facts import UNKNOWN_MTIME_NS, size_of
from ..http.client import WebClient
from ..http.etag_trust import EtagTrust
from ..http.versions import Answer
from .base import DirectoryName

API = "https://api.dandiarchive.org/api"
# Names on a page: the API's most.
_PAGE = 1000
# Rows of the one page that is asked for an asset by its path: others may begin with it, and come after it.
_SAME_START = 10
# Of one directory; the largest dandisets have some 100,000 assets in all.
_PAGES_MAX = 1000


class DandiBackend:
    """A dandiset at one version.

    Args:
        dandiset: its number, six digits.
        version: "" for the latest published one, "draft" where there is none: what `dandi download` takes.
        top: the directory of the dandiset to begin at, "" or ending in "/".
        api: base URL of the API, without a final slash.
    """

    pins = is_open = True
    trust: EtagTrust | None = None

    def __init__(self, dandiset: str, version: str = "", top: str = "", *, api: str = API) -> None:
        self._web = WebClient(connections=16)
        self._dandiset, self._version, self._top, self._api = dandiset, version, top, api
        self.url = "/".join(part for part in (f"dandi://{dandiset}", version, top.rstrip("/")) if part)
        self.source = f"{api}/dandisets/{dandiset}/{version or 'latest'}"
        self._lock = threading.Lock()

    def list_directory(self, directory: str, most: int | None, deadline: Deadline) -> list[DirectoryName]:
        path, found = self._top + directory, list[DirectoryName]()
        for page in range(1, _PAGES_MAX + 1):
            query = {"path_prefix": path.rstrip("/"), "page": page, "page_size": _PAGE}
            answer = self._ask(f"{self._version_url(deadline)}/assets/paths/?{urlencode(query)}", directory, deadline)
            rows = answer.get("results")
            if not isinstance(rows, list):
                raise BadAnswer(f"{self.url}: {directory!r}: DANDI's answer has no results", code="results")
            found += [name for row in rows if (name := self._name(path, directory, row)) is not None]
            if not answer.get("next") or (most is not None and len(found) >= most):
                break
        if not found and directory:
            raise NotFound(f"{self.url}: no directory {directory!r}")
        return found

    def stat(self, key: str, deadline: Deadline) -> ObjectStat:
        directory, _, name = key.rpartition("/")
        for found in self.list_directory(f"{directory}/" if directory else "", None, deadline):
            if found.name == name and found.stat is not None:
                return found.stat
        raise NotFound(f"{self.url}: no file {key!r}")

    def read(self, id: ObjectId, start: int, views: Sequence[memoryview], deadline: Deadline) -> None:
        name = f"{self.url}: {id.key!r}"

        def accept(answer: Answer) -> None:
            if id.size >= 0 and answer.size is not None and answer.size != id.size:
                raise Changed(f"{name}: it has {answer.size} bytes now, not {id.size}")

        try:
            self._web.read(id.etag, start, views, name, deadline, accept=accept)
        except NotFound:
            if self.stat(id.key, deadline).id == id:
                raise
            raise Changed(f"{name}: DANDI has another file there now") from None

    def digests(self, id: ObjectId, deadline: Deadline) -> Told:
        """What the metadata of an asset say (dandi-schema, `digest`), by one page of `assets/`."""
        path = self._top + id.key
        query = {"path": path, "metadata": "true", "order": "path", "page_size": _SAME_START}
        answer = self._ask(f"{self._version_url(deadline)}/assets/?{urlencode(query)}", id.key, deadline)
        rows = answer.get("results")
        for row in rows if isinstance(rows, list) else ():
            if not isinstance(row, dict) or row.get("path") != path or size_of(row.get("size")) not in (None, id.size):
                continue
            metadata = row.get("metadata")
            digests = metadata.get("digest") if isinstance(metadata, dict) else None
            if not isinstance(metadata, dict) or not isinstance(digests, dict):
                continue
            if not _is_of(metadata.get("contentUrl"), id.etag):
                continue  # the asset was replaced since
            found = (parsed("dandi", f"{name}:{value}", name) for name, value in sorted(digests.items()))
            return Told(tuple(digest for digest in found if digest is not None), requests=1)
        return Told(requests=1)

    def close(self) -> None:
        self._web.close()

    def _version_url(self, deadline: Deadline) -> str:
        with self._lock:
            version = self._version
        if not version:
            answer = self._ask(f"{self._api}/dandisets/{self._dandiset}/", "", deadline)
            published = answer.get("most_recent_published_version")
            version = published.get("version", "") if isinstance(published, dict) else ""
            version = version if isinstance(version, str) and version else "draft"
            with self._lock:
                self._version = version
        return f"{self._api}/dandisets/{self._dandiset}/versions/{quote(version, safe='')}"

    def _ask(self, url: str, directory: str, deadline: Deadline) -> dict[str, Any]:
        name = f"{self.url}: {directory!r}" if directory else self.url
        _, body = self._web.document(url, name, deadline)
        try:
            answer = json.loads(body)
        except (ValueError, RecursionError):
            answer = None
        if not isinstance(answer, dict):
            raise BadAnswer(f"{name}: the answer is not what DANDI's API gives", code="JSON")
        return answer

    def _name(self, path: str, directory: str, row: object) -> DirectoryName | None:
        """A row of an answer; None for one that is not right below the directory."""
        there = row.get("path") if isinstance(row, dict) else None
        if not isinstance(row, dict) or not isinstance(there, str) or not there.startswith(path):
            return None
        name = there[len(path) :]
        if not name or "/" in name:
            return None
        asset = row.get("asset")
        if asset is None:
            return DirectoryName(name, None)
        url, size = (asset.get("url"), size_of(row.get("aggregate_size"))) if isinstance(asset, dict) else (None, None)
        if not isinstance(url, str) or urlsplit(url).scheme not in ("http", "https") or size is None:
            return DirectoryName(name, None, "DANDI does not say where it lies, or how large it is")
        if url.endswith("/"):
            where = urlsplit(url).path.strip("/")
            return DirectoryName(name, None, f"a Zarr; mount it by itself: mountnd s3://dandiarchive/{where} DIR")
        id = ObjectId(self.source, directory + name, url, size=size)
        return DirectoryName(name, ObjectStat(id, size, UNKNOWN_MTIME_NS))


def _is_of(urls: object, url: str) -> bool:
    """Whether metadata with these `contentUrl`s are of the blob at `url`, as far as they name one."""
    said = [one for one in urls if isinstance(one, str)] if isinstance(urls, list) else []
    blobs = {urlsplit(one).path.rpartition("/")[2] for one in said if "/blobs/" in one}
    return not blobs or "/blobs/" not in url or urlsplit(url).path.rpartition("/")[2] in blobs


def open_dandi(url: str, api: str | None) -> DandiBackend:
    """The dandiset that `dandi://NUMBER[/VERSION[/DIRECTORY]]` names. Raises StoreError for another URL."""
    number, _, rest = url.removeprefix("dandi://").strip("/").partition("/")
    version, _, top = rest.partition("/")
    if len(number) != 6 or not number.isascii() or not number.isdigit():
        raise StoreError(f"{url}: write dandi://NUMBER with six digits, as in dandi://000026", code="URL")
    return DandiBackend(number, version, f"{top}/" if top else "", api=(api or API).rstrip("/"))
