"""ETags as servers write them, which of them tell versions apart, and what does so where they do not. Pure.

Servers leave quotes out, in listings or everywhere, write hexadecimal digits in upper case, mark an ETag as weak, or
give all objects the same. A version's token is its ETag in one spelling; where that cannot be relied on, size and
LastModified (a "dated" token). The tokens of servers that behave are the ETags as they write them.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from email.utils import formatdate
from functools import lru_cache

from ..base import ObjectStat
from ..facts import UNKNOWN_MTIME_NS, mtime_of

# The MD5 of no bytes at all, which is right for empty objects only; and what stands for "no checksum".
NOTHING = '"d41d8cd98f00b204e9800998ecf8427e"'
_NOTHING, _ZEROS = re.compile(rf'{NOTHING[:-1]}(?:-[0-9]+)?"'), re.compile(r'"[0-]+(?:-[0-9]+)?"')
_MD5 = re.compile(r"[0-9A-Fa-f]{32}(?:-[0-9]+)?")
DATES = 4096  # that are remembered as they are spelled here: each answer has one, and an object's are alike
_LONGEST = 1024  # characters of an ETag that is kept, and sent in If-Match
_MD5_LENGTH = 34  # in quotes
# ETags that are made of the content: two objects may share one, if they are copies of each other.
_DIGEST = re.compile(r'"[0-9a-f]{32,}(?:-[0-9]+)?"')

# How If-Match has to be spelled for a server: what is tried, in this order, after one refused though nothing had
# changed. Without one the ETag of the answer is compared.
QUOTED, UPPER, BARE, BARE_UPPER, NEVER = SPELLINGS = ("quoted", "upper", "bare", "bare upper", "never")


def normalised(etag: str) -> str:
    """`"abc"`, or `W/"abc"` for a weak one, however it was written; "" where there is none.

    An MD5 (and that of an upload in parts) is written in lower case.
    """
    etag = etag.strip()
    weak = etag[:2] in ("W/", "w/")
    opaque = (etag[2:] if weak else etag).strip().strip('"')
    if not opaque:
        return ""
    if _MD5.fullmatch(opaque):
        opaque = opaque.lower()
    return f'W/"{opaque}"' if weak else f'"{opaque}"'


def told(etag: str | None) -> str:
    """A header's ETag as it stands; "" for what cannot be one: longer than any, or of other than printable ASCII."""
    return etag if etag and len(etag) <= _LONGEST and etag.isascii() and etag.isprintable() else ""


def is_strong(token: str) -> bool:
    """Whether a version token is an ETag that If-Match can be sent with (RFC 9110, 13.1.1: never with a weak one)."""
    return token.startswith('"')


def is_etag(token: str) -> bool:
    """Whether a version token is an ETag, or the lack of one, and not something that stands for it."""
    return not token or token.startswith(('"', 'W/"'))


def is_reliable(etag: str, size: int) -> bool:
    """Whether a normalised ETag alone may say which version of an object of `size` bytes this is.

    Not when it is missing, weak, of zeros, or the MD5 of nothing for an object that holds something.
    """
    return is_strong(etag) and not _ZEROS.fullmatch(etag) and not (size > 0 and _NOTHING.fullmatch(etag))


def is_md5(etag: str) -> bool:
    """Whether a normalised ETag has the form of a content's MD5."""
    return len(etag) == _MD5_LENGTH and is_digest(etag)


def is_digest(etag: str) -> bool:
    """Whether a normalised ETag has the form of a checksum, also of an upload in parts."""
    return _DIGEST.fullmatch(etag) is not None


def are_usual(etags: Collection[str]) -> bool:
    """Whether all of them are certainly normalised, reliable checksums. May say no for some. Fast: for each page."""
    text = "\n".join(etags)
    return (
        min(map(len, etags)) >= _MD5_LENGTH
        and text[0] == text[-1] == '"'
        and text.count('"\n"') == len(etags) - 1
        and text == text.lower()
        and '"0000' not in text  # zeros only begin so, and few others
        and NOTHING[:-1] not in text
    )


def are_shared(stats: Iterable[ObjectStat]) -> bool:
    """Whether one reliable ETag stands for objects of different size or, where it is no checksum, of different date.

    Of the same date and size it may be made of these two, as nginx's are.
    """
    first: dict[str, tuple[str, int, int]] = {}
    for (_, key, etag, *_), size, mtime_ns, *_ in stats:
        if is_reliable(etag, size):
            other, length, when = first.setdefault(etag, (key, size, mtime_ns))
            if size != length or (key != other and mtime_ns != when and not is_digest(etag)):
                return True
    return False


def spelled(token: str, spelling: str) -> str:
    """What If-Match is sent with for a version token; "" where none is."""
    if spelling == NEVER or not is_strong(token):
        return ""
    text = token.strip('"') if spelling in (BARE, BARE_UPPER) else token
    return text.upper() if spelling in (UPPER, BARE_UPPER) else text


def next_spelling(refused: str, etag: str) -> str:
    """What to try after the spelling `refused`, by the ETag as the server itself wrote it."""
    own = next((s for s in SPELLINGS if spelled(normalised(etag), s) == etag.strip()), BARE)
    tried = list(dict.fromkeys((QUOTED, own, BARE, NEVER)))
    return tried[min(tried.index(refused) + 1, len(tried) - 1)] if refused in tried else NEVER


# -- dated tokens


def dated_token(size: int | None, date: str) -> str:
    """The token of a version by its size and LastModified (`http_date`). Two writes within a second look alike."""
    return f"{size}-{date}"


def date_of(token: str) -> str:
    """The date in a dated token."""
    return token.partition("-")[2]


def http_date(mtime_ns: int) -> str:
    """Nanoseconds since the epoch as a Last-Modified header says it (RFC 9110, 5.6.7); "" for one that is not known."""
    return "" if mtime_ns == UNKNOWN_MTIME_NS else _spelled_date(mtime_ns // 10**9)


@lru_cache(DATES)
def canonical_date(modified: str) -> str:
    """A Last-Modified header as `http_date` spells it; as it stands (100 characters) where nobody can read it."""
    seconds = seconds_of(modified)
    return modified[:100] if seconds is None else _spelled_date(seconds)


def _spelled_date(seconds: int) -> str:
    return formatdate(seconds, usegmt=True) if seconds else ""


def seconds_of(modified: str) -> int | None:
    """A date of HTTP in seconds since the epoch; None where nobody can read it, or no object can have it."""
    mtime_ns = mtime_of(modified)
    return None if mtime_ns == UNKNOWN_MTIME_NS else mtime_ns // 10**9
