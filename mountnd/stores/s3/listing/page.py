"""A page of ListObjectsV2, or of its predecessor, from its XML, exactly and fast. Pure.

botocore parses some 16 thousand keys a second, and a directory may hold millions. So the usual shape
(AWS, MinIO, Ceph, SeaweedFS, moto, ...) goes through one regular expression, which takes the page
only when it accounts for every `Contents` and `CommonPrefixes` in it; any other goes through an
XML parser. Both give the same page.

Format: docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html, requested with
`encoding-type=url`. A server that honours it says so by an `EncodingType` element, and only then are
keys decoded: `+` is a space there, as in a query string (S3 writes `a+b` for the key `a b`).
Times are cut to whole seconds: HEAD gives no more, and the two must agree.

A bad row costs no other: an impossible date is unknown (`facts.py`), an ETag that cannot be one is left out, and a row
without a key or a size that can be is in `unshowable`. So is XML that breaks the rules in a few characters, as
servers write it for keys with control characters, `&`, or bytes that are not UTF-8 (`xml.py`, `repair.py`).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from sys import intern
from typing import NamedTuple

from ....errors import BadAnswer
from ...base import ObjectId, ObjectStat, Page
from ...facts import SECONDS_END, SIZE_MAX, mtime_of, size_of
from ...http.etags import normalised
from ..key_rules import KEY_MAX, is_listed_key
from . import continuation, xml

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_CONTENTS = re.compile(
    r"<Contents>\s*<Key>([^<]+)</Key>\s*<LastModified>([^<]*)</LastModified>\s*<ETag>([^<]{0,1100})</ETag>\s*"
    r"(?:<Checksum(?:Algorithm|Type)>[^<]*</Checksum(?:Algorithm|Type)>\s*)*<Size>([0-9]+)</Size>\s*"
    r"(?:<Owner>(?:\s*<(?:ID|DisplayName)>[^<]*</(?:ID|DisplayName)>)*\s*</Owner>\s*)?"
    r"(?:<StorageClass>([^<]{0,64})</StorageClass>\s*)?</Contents>"
)
_QUOTE = re.compile("&quot;")  # str.replace takes three times as long
_PREFIXES = re.compile(r"<CommonPrefixes>\s*<Prefix>([^<]+)</Prefix>\s*</CommonPrefixes>")
_DIGITS = re.compile(r"\s*[0-9]+\s*", re.ASCII)
_ENTITY = re.compile(r"&(?:#([0-9]{1,7})|#x([0-9a-fA-F]{1,6})|(lt|gt|amp|quot|apos));")
_NAMED = {"lt": "<", "gt": ">", "amp": "&", "quot": '"', "apos": "'"}

# What is kept of a row, in characters; AWS's longest class has 19.
_ETAG_MAX, _CLASS_MAX = 1024, 64
# Of a continuation token or a next marker, as the next request will hold it in its URL: AWS's have some 1,000.
_TOKEN_MAX = 8192

# Before the size of a row that has no key, or a size that `int` might take for a number.
_NO_SIZE = "\0"

_Fields = tuple[str, str, str, str, str]  # key, last modified, ETag, size, storage class


class _Raw(NamedTuple):
    """A page as its XML spells it: entities resolved, percent signs still there.

    `marker`: where the next page of a version 1 listing starts. `version`: 1 or 2, where it shows which it is; else 0.
    """

    contents: list[_Fields]
    prefixes: list[str]
    encoded: bool = False
    truncated: bool = False
    token: str | None = None
    marker: str = ""
    version: int = 0


class ParsedPage(NamedTuple):
    """A page, and whether it is one of version 1 of ListObjects, whatever was asked for."""

    page: Page
    version_1: bool


def parse_page(body: bytes, source: str) -> Page:
    """The page whose XML is `body`; its objects get `source` as identity. Raises BadAnswer."""
    return parse(body, source).page


def parse(body: bytes, source: str) -> ParsedPage:
    """As `parse_page`, and by which version of ListObjects the server speaks."""
    raw = _by_expression(body) or _by_parser(body)
    objects: list[ObjectStat] = []
    unshowable: list[str] = []
    # The loop over millions of keys: bound names and tuple's own constructor make it half as long.
    encoded, decoded, new, add = raw.encoded, xml.decoded, tuple.__new__, objects.append
    last = ""
    etags = "".join([fields[2] for fields in raw.contents])  # looked at together, at half the cost
    plain = etags.isascii() and etags.isprintable() and all(len(fields[2]) <= _ETAG_MAX for fields in raw.contents)
    for key, modified, etag, size, storage in raw.contents:
        if encoded and ("%" in key or "+" in key):
            key = decoded(key)
        if (len(key) > KEY_MAX or not key.isascii()) and not is_listed_key(key):
            unshowable.append(named(key))
            continue
        if etag[:1] != '"':  # some servers leave out in listings the quotes that they give elsewhere
            etag = normalised(etag)
        try:
            past = datetime.fromisoformat(modified) - _EPOCH
            seconds, length = past.days * 86400 + past.seconds, int(size)
            if not 0 <= seconds < SECONDS_END or length > SIZE_MAX or not (plain or is_plain(etag)):
                raise ValueError
            mtime_ns = seconds * 1_000_000_000
        except (ValueError, TypeError):  # TypeError: a time without a zone
            known = size_of(size)
            if known is None:
                last = key
                unshowable.append(f"{named(key)}: its size is {size.removeprefix(_NO_SIZE)[:40]!r}")
                continue
            length, mtime_ns = known, mtime_of(modified)
            etag = etag if is_plain(etag) else ""
        id = new(ObjectId, (source, key, etag, "", length))
        add(new(ObjectStat, (id, length, mtime_ns, intern(storage))))
    prefixes = [xml.decoded(prefix) for prefix in raw.prefixes] if encoded else raw.prefixes
    unshowable += [named(prefix) for prefix in prefixes if not is_listed_key(prefix)]
    prefixes = [prefix for prefix in prefixes if is_listed_key(prefix)]
    if raw.truncated and max(len(raw.token or ""), len(raw.marker)) > _TOKEN_MAX:
        raise BadAnswer(f"{source}: a listing goes on by a token of more than {_TOKEN_MAX} characters", code="Token")
    token = raw.token if raw.truncated else None
    if raw.truncated and not token:
        token = _continuation(raw, source, [last, *(stat.id.key for stat in objects[-1:])], prefixes)
    return ParsedPage(Page(objects, prefixes, token, tuple(unshowable)), raw.version == 1)


def _continuation(raw: _Raw, source: str, keys: list[str], prefixes: list[str]) -> str:
    """The token of a page that is not the last and has none; `keys`: the last ones on it."""
    if raw.marker:
        return continuation.behind_key(xml.decoded(raw.marker) if raw.encoded else raw.marker)
    last = max([*keys, *prefixes[-1:]], key=lambda key: key.encode("utf-8", "surrogateescape"))
    if not last:
        raise BadAnswer(f"{source}: a truncated listing has no continuation token", code="ListObjectsV2")
    return continuation.behind_prefix(last) if last in prefixes[-1:] else continuation.behind_key(last)


def _by_expression(body: bytes) -> _Raw | None:
    if (
        not (body.startswith((b"<?xml", b"<ListBucketResult")) and _utf8(body))
        or b"\r" in body
        or b"<!" in body
        or b"\0" in body
    ):
        return None  # comments, CDATA and entity declarations begin with "<!"; XML turns \r into \n, and has no \0
    try:
        # Quotes stand around every ETag. Without them most pages have no entity at all.
        text = _QUOTE.sub('"', body.decode())
    except UnicodeDecodeError:
        return None
    # One pass: text before the first entry, its five fields, text between, ...
    parts: list[str] = _CONTENTS.split(text)
    between = "".join(parts[::6])
    keys, modified, etags, sizes, storage = (parts[i::6] for i in range(1, 6))
    contents: list[_Fields] = list(zip(keys, modified, etags, sizes, [s or "" for s in storage], strict=True))
    prefixes: list[str] = _PREFIXES.findall(between)
    if "&" in text:
        try:
            contents = [(_text(k), _text(m), _text(e), s, _text(c)) for k, m, e, s, c in contents]
            prefixes = [_text(prefix) for prefix in prefixes]
        except ValueError:
            return None
    # What is left beside the entries is small, so the parser reads it; an entry of another shape (attributes,
    # a namespace prefix, further children) would be left there too.
    try:
        rest = _by_parser(_PREFIXES.sub("", between).encode())
    except BadAnswer:  # of an attribute with quotes, perhaps
        return None
    return None if rest.contents or rest.prefixes else rest._replace(contents=contents, prefixes=prefixes)


def _by_parser(body: bytes) -> _Raw:
    root, restored = xml.tree(body)
    if xml.name(root) != "ListBucketResult":
        raise BadAnswer(f"a listing began with <{xml.name(root)}>", code="ListObjectsV2")
    raw = _Raw([], [])
    for element in root:
        match xml.name(element):
            case "Contents":
                have = {xml.name(child): child.text or "" for child in element}
                key, size = have.get("Key", ""), have.get("Size", "")
                if not (key and _DIGITS.fullmatch(size)):
                    size = _NO_SIZE + size
                etag = have.get("ETag", "")
                etag = etag if len(etag) <= _ETAG_MAX else ""
                storage = have.get("StorageClass", "")[:_CLASS_MAX]
                raw.contents.append((key, have.get("LastModified", ""), etag, size, storage))
            case "CommonPrefixes":
                raw.prefixes.extend(child.text or "" for child in element if xml.name(child) == "Prefix")
            case "EncodingType":
                raw = raw._replace(encoded=(element.text or "").strip() == "url")
            case "IsTruncated":
                raw = raw._replace(truncated=(element.text or "").strip().lower() == "true")
            case "NextContinuationToken":
                raw = raw._replace(token=element.text, version=2)
            case "KeyCount":
                raw = raw._replace(version=2)
            case "Marker":
                raw = raw._replace(version=raw.version or 1)
            case "NextMarker":
                raw = raw._replace(marker=element.text or "", version=raw.version or 1)
    return raw if restored is str else _restored(raw, restored)


def _restored(raw: _Raw, text: Callable[[str], str]) -> _Raw:
    contents = [
        (text(key), text(modified), text(etag), size, storage if storage.isprintable() else "")
        for key, modified, etag, size, storage in raw.contents
    ]
    prefixes = [text(prefix) for prefix in raw.prefixes]
    return raw._replace(contents=contents, prefixes=prefixes, marker=text(raw.marker))


def named(key: str) -> str:
    """A key, for a report: all of it where it is one."""
    return repr(key) if len(key) <= KEY_MAX else f"{key[:100]!r}... ({len(key):,} characters)"


def _utf8(body: bytes) -> bool:
    # An XML declaration may name another encoding.
    head = body[: body.find(b"?>")].lower() if body.startswith(b"<?xml") else b""
    return b"encoding" not in head or b"utf-8" in head


def is_plain(etag: str) -> bool:
    """Whether an ETag can be one: short, and of printable ASCII."""
    return len(etag) <= _ETAG_MAX and etag.isascii() and etag.isprintable()


def _text(raw: str) -> str:
    if "&" not in raw:
        return raw
    if raw.count("&") != len(_ENTITY.findall(raw)):
        raise ValueError("an entity that XML does not know")
    return _ENTITY.sub(_entity, raw)


def _entity(found: re.Match[str]) -> str:
    decimal, hexadecimal, named = found.groups()
    if named:
        return _NAMED[named]
    code = int(decimal) if decimal else int(hexadecimal, 16)
    if code < 0x20 or 0xD800 <= code < 0xE000 or code in (0xFFFE, 0xFFFF) or code > 0x10FFFF:
        raise ValueError("a character that XML does not allow, or treats apart")
    return chr(code)
