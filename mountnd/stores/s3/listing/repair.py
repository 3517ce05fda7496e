"""XML that breaks the rules in a few characters, put right and read exactly. Pure.

XML 1.0 has no way to write most control characters, nor bytes that are not UTF-8; servers that do not encode keys
write them all the same, raw or as `&#1;`, and some forget to escape `&`. One such key would cost its whole page. Here
each such character takes the place of one that keys have no use for while the page is parsed.
"""

from __future__ import annotations

import re

# Places in plane 16, for private use: for bytes that are not UTF-8, and for characters that XML does not allow.
_BYTES, _CHARACTERS = 0x10FE00, 0x10FF00
_FORBIDDEN = {**{code: code for code in range(0x20) if code not in (9, 10, 13)}, 0xFFFE: 0x20, 0xFFFF: 0x21}
_STAND_IN = {code: chr(_CHARACTERS + place) for code, place in _FORBIDDEN.items()} | {
    0xDC00 + byte: chr(_BYTES + byte) for byte in range(0x80, 0x100)
}
_RESTORE = {ord(place): chr(code) for code, place in _STAND_IN.items()}

_AMPERSAND = re.compile(r"&(?!(?:lt|gt|amp|quot|apos);)(?:#([0-9]{1,7});|#[xX]([0-9a-fA-F]{1,6});)?")


# What is looked at one by one, a few microseconds each: a page of 1,000 keys, 100 in each.
_REFERENCES_MAX = 100_000


def repaired(body: bytes) -> bytes | None:
    """XML in UTF-8 without what the rules forbid; None when there is nothing of the kind, or it defines entities, or
    has more of them than a page can."""
    if b"<!DOCTYPE" in body or b"<!ENTITY" in body or body.count(b"&") > _REFERENCES_MAX:
        return None
    text = body.decode("utf-8", "surrogateescape").translate(_STAND_IN)
    fixed = _AMPERSAND.sub(_reference, text).encode()
    return fixed if fixed != body else None


def restored(text: str) -> str:
    """A text of the repaired page with the characters it had; bytes that are not UTF-8 as surrogates."""
    return text.translate(_RESTORE)


def _reference(found: re.Match[str]) -> str:
    decimal, hexadecimal = found.groups()
    if not (decimal or hexadecimal):
        return "&amp;"  # of no entity that XML knows, so it stands for itself
    code = int(decimal) if decimal else int(hexadecimal, 16)
    if code in _FORBIDDEN:
        return _STAND_IN[code]
    if 0xD800 <= code < 0xE000 or code > 0x10FFFF:
        return "&amp;" + found[0][1:]
    return found[0]
