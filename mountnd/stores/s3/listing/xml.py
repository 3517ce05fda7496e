"""The XML of a listing as a tree, whatever one row says: not larger than a page can be, and put right where a few
characters break the rules. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import unquote_to_bytes
from xml.etree import ElementTree

from ....errors import BadAnswer
from . import repair

# What a tree of XML takes a hundred times its own size of, and a page has few of: 1,000 rows of two dozen tags, tenfold
# for servers that give more rows than they are asked for; and attributes, which hardly any tag has.
_TAGS_MAX, _ATTRIBUTES_MAX = 300_000, 10_000
_ATTRIBUTE = re.compile(rb"""=\s*["']""")
# Encodings in which what is counted, and "<!DOCTYPE", are spelled as in ASCII.
_ENCODINGS = re.compile(
    rb"<\?xml[^>]*encoding\s*=\s*[\"'](utf-?8|us-ascii|iso-8859-\d+|windows-125\d|latin-?1)[\"']", re.I
)


def tree(body: bytes) -> tuple[ElementTree.Element, Callable[[str], str]]:
    """The root, and what gives a text of it the characters that it had: those were replaced where XML forbids them.

    Raises BadAnswer for what is no XML, or takes far more memory as a tree than as text.
    """
    _check_form(body)
    try:
        return ElementTree.fromstring(body), str
    except (ElementTree.ParseError, ValueError, LookupError) as error:  # LookupError: an unknown encoding
        repaired = repair.repaired(body)
        if repaired is None:
            raise BadAnswer(f"a listing is not XML: {error}", code="ListObjectsV2") from error
    try:
        return ElementTree.fromstring(repaired), repair.restored
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise BadAnswer(f"a listing is not XML: {error}", code="ListObjectsV2") from error


def name(element: ElementTree.Element) -> str:
    """Of an element, without its namespace."""
    return element.tag.rpartition("}")[2]


def decoded(raw: str) -> str:
    """A key as `encoding-type=url` spells it: "+" is a space there, as in a query string."""
    return unquote_to_bytes(raw.replace("+", " ").encode("utf-8", "surrogateescape")).decode("utf-8", "surrogateescape")


def _check_form(body: bytes) -> None:
    """Raises BadAnswer for what takes far more memory as a tree than as text, or might."""
    declared = body.startswith(b"<?xml") and b"encoding" in body[: body.find(b"?>")]
    if b"\0" in body[:4] or body.startswith((b"\xfe\xff", b"\xff\xfe")) or (declared and not _ENCODINGS.match(body)):
        raise BadAnswer("a listing is not in UTF-8", code="ListObjectsV2")
    if b"<!DOCTYPE" in body:
        raise BadAnswer("a listing with a document type of its own", code="ListObjectsV2")
    if body.count(b"<") > _TAGS_MAX or len(_ATTRIBUTE.findall(body)) > _ATTRIBUTES_MAX:
        raise BadAnswer("a listing with more elements than a page has", code="ListObjectsV2")
