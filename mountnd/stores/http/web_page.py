"""Pages for people that come where data was asked for: a captive portal's, a proxy's, a server's console. Pure."""

from __future__ import annotations

import re
from html import unescape

_HTML = re.compile(rb"\s*(?:<!--.*?-->\s*)*<(?:!doctype\s+html|html|head|body)\b", re.IGNORECASE | re.DOTALL)
_TITLE = re.compile(rb"<title[^>]*>([^<]{1,400})", re.IGNORECASE)
# Where a page begins to be one, and its title's characters that a message shows.
_HEAD, _SHOWN = 16 << 10, 60
# What servers write on the index of a directory, an empty one too.
_INDEX = re.compile(
    rb"index of|directory|parent dir|listing|folder|href\s*=\s*[\"']?(?:\.\./|\.\.[\"'\s>]|\?[CNMSDO]=)", re.IGNORECASE
)
# What asks a person for something.
_FORM = re.compile(rb"<form\b|type\s*=\s*[\"']?password|http-equiv\s*=\s*[\"']?refresh", re.IGNORECASE)


def is_page(body: bytes) -> bool:
    """Whether this is HTML, and no XML of a server for programs."""
    return _HTML.match(body[:_HEAD]) is not None


def is_index(body: bytes) -> bool:
    """Whether a page without names of files may be the index of an empty directory."""
    return not _FORM.search(body) and (_INDEX.search(body) is not None or not is_page(body))


def unescaped(text: str) -> str:
    """`text` with character references resolved; as it is where one is a number of more digits than Python reads."""
    try:
        return unescape(text)
    except ValueError:
        return text


def described(body: bytes) -> str:
    """`a web page ("its title")`."""
    found = _TITLE.search(body[:_HEAD])
    title = " ".join(unescaped(found[1].decode("utf-8", "replace")).split())[:_SHOWN] if found else ""
    return f'a web page ("{title}")' if title else "a web page"


def is_page_name(name: str) -> bool:
    """Whether a file of this name may be a page itself."""
    return name.lower().endswith((".html", ".htm", ".xhtml"))
