"""A page of ListObjectVersions from its XML. Pure.

Format: docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectVersions.html, requested with `encoding-type=url`.
Versions and delete markers stand in one order, by key, of one key the newest first. A bad row costs no other, as in
`page.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from sys import intern
from xml.etree import ElementTree

from ....errors import BadAnswer
from ...facts import mtime_of, size_of
from ...http.etags import normalised
from ...object_versions import Marker, Version, VersionsPage
from ..key_rules import is_listed_key
from . import xml
from .page import is_plain, named

# Characters of a version id; AWS's have 32 and may have 1,024 bytes.
VERSION_MAX = 1024


def parse_versions(body: bytes, url: str) -> VersionsPage:
    """The page whose XML is `body`. Raises BadAnswer, which `url` begins."""
    root, restored = xml.tree(body)
    if xml.name(root) == "ListBucketResult":
        raise BadAnswer(f"{url}: the server does not know versions: it lists what is there now", code="Versions")
    if xml.name(root) != "ListVersionsResult":
        raise BadAnswer(f"{url}: a listing of versions began with <{xml.name(root)}>", code="Versions")
    said = {xml.name(child): (child.text or "") for child in root if not len(child)}
    encoded = said.get("EncodingType", "").strip() == "url"

    def key_of(raw: str) -> str:
        return xml.decoded(raw) if encoded else restored(raw)

    rows: list[Version] = []
    unshowable: list[str] = []
    last = Marker("")
    for element in root:
        kind = xml.name(element)
        if kind in ("Version", "DeleteMarker"):
            row = _row(element, key_of, deleted=kind == "DeleteMarker")
            if isinstance(row, str):
                unshowable.append(row)
            else:
                rows.append(row)
                last = Marker(row.key, row.version)
    if said.get("IsTruncated", "").strip().lower() != "true":
        return VersionsPage(rows, None, tuple(unshowable))
    following = Marker(key_of(said.get("NextKeyMarker", "")), said.get("NextVersionIdMarker", "").strip())
    if not following.key:
        following = last
    if not following.key:
        raise BadAnswer(f"{url}: a listing of versions does not say where it goes on", code="Versions")
    return VersionsPage(rows, following, tuple(unshowable))


def goes_on(before: Marker | None, after: Marker) -> bool:
    """Whether a listing that was asked to go on at one place has come to a later one: else it would never end."""
    if before is None:
        return True
    then, now = before.key.encode("utf-8", "surrogateescape"), after.key.encode("utf-8", "surrogateescape")
    return now > then or (now == then and after.version != before.version)


def _row(element: ElementTree.Element, key_of: Callable[[str], str], *, deleted: bool) -> Version | str:
    """A row; where it cannot be one, what to say of it."""
    have = {xml.name(child): child.text or "" for child in element}
    key, version = key_of(have.get("Key", "")), have.get("VersionId", "").strip() or "null"
    if not is_listed_key(key):
        return named(key)
    if len(version) > VERSION_MAX or not (version.isascii() and version.isprintable()):
        return f"{named(key)}: its version is {version[:40]!r}"
    size = 0 if deleted else size_of(have.get("Size"))
    if size is None:
        return f"{named(key)}: its size is {have.get('Size', '')[:40]!r}"
    etag = "" if deleted else normalised(have.get("ETag", ""))
    return Version(
        key,
        version,
        size,
        etag if is_plain(etag) else "",
        mtime_of(have.get("LastModified")),
        latest=have.get("IsLatest", "").strip().lower() == "true",
        deleted=deleted,
        storage_class=intern(have.get("StorageClass", "")[:64]),
    )
