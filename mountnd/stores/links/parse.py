"""A file of signed links, as it was pasted from an e-mail -> names and URLs. Pure.

Lines such as these (fastMRI's), plain URLs, empty lines and `#` comments. The whole e-mail may be there: in its
prose only signed links count, and beside these no address that is not signed.

    curl -C - "https://host/v2.0/knee.tar.xz?AWSAccessKeyId=…&Signature=…&Expires=1700000000" --output knee.tar.xz

When a link ends: `Expires` (seconds since the epoch; signature version 2 and CloudFront), or
`X-Amz-Date` + `X-Amz-Expires` (version 4; docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html).
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import NamedTuple
from urllib.parse import parse_qsl, unquote, urlsplit

from ...errors import ConfigError
from ..facts import SECONDS_END
from ..http.web_page import unescaped
from .mail import text_of

# What mail programs make of quotes.
_QUOTES = str.maketrans({"“": '"', "”": '"', "„": '"', "‘": "'", "’": "'", "\u00a0": " "})
_MARKS = re.compile(r"^[>\s$]+")  # of a forwarded mail, a shell's prompt
_URL = re.compile(r"https?://", re.IGNORECASE)
_OUTPUT = re.compile(r"(?:--output=|-o(?=[^-\s]))(.+)", re.DOTALL)

# What begins a line that is a command; what is an address in prose, and which of those are signed.
_COMMAND = re.compile(r"(?:curl|wget|aria2c)\s", re.IGNORECASE)
_IN_PROSE = re.compile(r"https?://[^\s\"'<>]+", re.IGNORECASE)
_SIGNED = re.compile(r"[?&](?:x-amz-)?(?:signature|expires)=", re.IGNORECASE)
_NEVER = float("inf")

# Characters of a line, all that belongs to it joined: signed URLs have some 2,000.
_LINE_MAX = 64 << 10

# A quote that is still open after this many lines was forgotten, not wrapped.
_WRAPPED_MAX = 20


class SignedLink(NamedTuple):
    """One file: its name, its URL as given, and when the link ends (seconds since the epoch, None: never)."""

    name: str
    url: str
    expires: float | None


def parse_links(text: str, path: str) -> list[SignedLink]:
    """The links of `text`, in order. Raises ConfigError, naming `path` and the line."""
    found = [one for number, line in _joined(text_of(text), path) for one in _read(line, f"{path}, line {number}")]
    if any(one.signed for one in found):
        found = [one for one in found if one.signed or one.is_command]
    links: dict[str, SignedLink] = {}
    for one in found:
        link, where = _link(one.url, one.name, one.where), one.where
        old = links.setdefault(link.name, link)
        if old.url.partition("?")[0] != link.url.partition("?")[0]:
            raise ConfigError(f"{where}: a second link for the name {link.name!r}")
        if (link.expires or _NEVER) > (old.expires or _NEVER):
            links[link.name] = link  # of a later e-mail
    if not links:
        raise ConfigError(f"{path}: no links in it; paste the e-mail there, or its curl lines")
    return list(links.values())


def expiry(url: str) -> float | None:
    """When a signed URL ends, in seconds since the epoch; None when it does not say.

    Raises ValueError, OverflowError.
    """
    query = {name.lower(): value for name, value in parse_qsl(urlsplit(url).query)}
    if "x-amz-date" in query and "x-amz-expires" in query:
        begun = datetime.strptime(query["x-amz-date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        ends = int(begun.timestamp()) + int(query["x-amz-expires"])
    elif "expires" in query:
        ends = int(query["expires"])
    else:
        return None
    if ends < 0:
        raise ValueError("it ends at a time that cannot be")
    return float(min(ends, SECONDS_END))  # "never" is written as a date far off


class _Found(NamedTuple):
    """An address in the text; `is_command`: of curl's, where every one is meant."""

    url: str
    name: str
    where: str
    is_command: bool
    signed: bool


def _joined(text: str, path: str) -> Iterator[tuple[int, str]]:
    """(number of its first line, line) with what belongs to a command joined, and remarks and quote marks gone."""
    lines = [_MARKS.sub("", line.translate(_QUOTES)).rstrip() for line in text.splitlines()]
    at = 0
    while at < len(lines):
        first, line = at, lines[at]
        at += 1
        if not line or line.startswith("#"):
            continue
        if not _COMMAND.match(line):
            if len(line) <= _LINE_MAX:
                yield first + 1, line
            continue
        while at < len(lines) and len(line) <= _LINE_MAX:
            if line.endswith(("\\", "^")):
                line = line[:-1] + " " + lines[at]
            elif _open_quote(line) and at - first < _WRAPPED_MAX:
                line += lines[at]  # a mail program broke the link itself
            else:
                break
            at += 1
        if len(line) > _LINE_MAX:
            raise ConfigError(f"{path}, line {first + 1}: longer than any link, {len(line):,} characters")
        if _open_quote(line):
            raise ConfigError(f"{path}, line {first + 1}: a quote that is never closed")
        yield first + 1, line.rstrip("\\^")


def _open_quote(line: str) -> bool:
    try:
        shlex.split(line)
    except ValueError:
        return not line.endswith("\\")
    return False


def _read(line: str, where: str) -> list[_Found]:
    """The addresses in a line."""
    if not _COMMAND.match(line):
        alone = _URL.match(line.strip("<>")) is not None and len(line.split()) == 1
        urls = [found if alone else found.rstrip(".,;:!?)]*_") for found in _IN_PROSE.findall(unescaped(line))]
        return [_Found(url, "", where, False, _is_signed(url)) for url in urls if alone or _is_signed(url)]
    try:
        words = shlex.split(line)
    except ValueError:  # it ended in a backslash, which has gone since it was looked at
        raise ConfigError(f"{where}: a quote that is never closed") from None
    urls = [word.strip("<>").replace("&amp;", "&") for word in words if _URL.match(word.strip("<>"))]
    names = [words[i + 1] for i, word in enumerate(words[:-1]) if word in ("-o", "--output")]
    names += [found[1] for word in words if (found := _OUTPUT.fullmatch(word))]
    if not urls and names:
        raise ConfigError(f"{where}: no link in it; put # in front of it if it is a remark")
    if urls and names and len(names) != len(urls):
        raise ConfigError(f"{where}: {len(urls)} links but {len(names)} names after --output")
    pairs = zip(urls, names or [""] * len(urls), strict=False)
    return [_Found(url, name, where, True, _is_signed(url)) for url, name in pairs]


def _is_signed(url: str) -> bool:
    return _SIGNED.search(url) is not None


def _link(url: str, name: str, where: str) -> SignedLink:
    try:
        parts = urlsplit(url)
        ends = expiry(url)
    except (ValueError, OverflowError):  # whose text quotes the link, signature included
        raise ConfigError(f"{where}: not a link that can be read") from None
    name = (name or unquote(parts.path)).rstrip("/").rpartition("/")[2]
    if not parts.hostname or not name or name in (".", "..") or "\0" in name:
        raise ConfigError(f"{where}: a link to no file: {url.partition('?')[0]}")
    return SignedLink(name, url, ends)
