"""One object of a lockfile, and the line that holds it. Pure.

Columns are separated by tabs:

    path     below the root; percent-escaped where it must be
    size     in bytes
    mtime    LastModified, in UTC; `-` where it is not known
    etag     as HTTP has it, with its quotes; `-` where there is none
    version  the S3 version id; `-` where it is not known
    digest   of the content, `ALGORITHM:VALUE`; `=` where it is the MD5 that the ETag is; left out where it is not known
    key      the whole key, where it is not root + path; left out otherwise

Bytes that are no printable UTF-8 (tabs, newlines, direction marks, any that are not UTF-8 at all) stand as `%XX`, and
`%` as `%25`.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

from ..errors import MountndError

COLUMNS = ("path", "size", "mtime", "etag", "version", "digest", "key")

# The version id of what was stored while the bucket kept no versions. What is stored then overwrites it.
UNVERSIONED = "null"

# What stands for a time that is not known: the stores' own, see `stores/facts.py`.
UNKNOWN_MTIME_NS = 946_684_800 * 10**9

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SINGLE_PART = re.compile(r'"[0-9a-f]{32}"')
_DIGEST = re.compile(r"[a-z0-9][a-z0-9-]*:[A-Za-z0-9+/=_-]+")

# What file systems and 64 bits of nanoseconds hold; the last second is in the year 2262.
_SIZE_MAX, _SECONDS_END = 2**63 - 1, 2**63 // 10**9


def _up_to(most: int) -> bytes:
    """What matches the decimal numbers from 0 to `most`, as they are written without leading zeros."""
    digits = str(most)
    same_length = [f"{digits[:at]}[{int(at == 0)}-{int(digit) - 1}][0-9]{{{len(digits) - at - 1}}}"
                   for at, digit in enumerate(digits) if int(digit) > int(at == 0)]  # fmt: skip
    return f"(?:0|[1-9][0-9]{{0,{len(digits) - 2}}}|{'|'.join(same_length)}|{digits})".encode()


_CHARS = rb"[^\x00-\x1f\x7f%]"
_TEXT = _CHARS + rb"*+(?:%[0-9A-Fa-f]{2}" + _CHARS + rb"*+)*+"
_DAY = rb"[0-9]{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])"
_TIME = rb"(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]{1,9})?"
# How each column is written, and what to say of one that is not.
_WRITTEN = (
    (rb"(?!#)" + _TEXT, "a path with tabs, newlines and other unprintable bytes as %XX, and % as %25"),
    (_up_to(_SIZE_MAX), "a number of bytes"),
    (rb"(?:-|" + _DAY + rb"T" + _TIME + rb"Z)", "a time such as 2024-05-01T12:34:56Z, or -"),
    (rb"(?=[^\t])" + _TEXT, 'an ETag with its quotes such as "0cc175b9c0f1b6a831c399e269772661", or -'),
    (rb"(?=[^\t])" + _TEXT, "a version id, or -"),
    (rb"(?:-|=|[a-z0-9][a-z0-9-]*:[A-Za-z0-9+/=_-]+)", "a digest such as md5:0cc175b9c0f1b6a831c399e269772661, = or -"),
    (rb"(?=[^\t])" + _TEXT, "a key, escaped like a path"),
)
_REQUIRED = 5
LINE = b"\t".join(written for written, _ in _WRITTEN[:_REQUIRED])
LINE += b"(?:\t" + _WRITTEN[5][0] + b"(?:\t" + _WRITTEN[6][0] + b")?)?"


class Locked(NamedTuple):
    """One object at one version.

    Args:
        path: below the tree's root; bytes that are not UTF-8 as surrogates (`surrogateescape`), as in all keys.
        key: the whole key in the store.
        version: the S3 version id; "" where it is not known.
        size: in bytes.
        etag: with its quotes, or the token that the store has in its place; "" where there is none.
        mtime_ns: LastModified, nanoseconds since the epoch; `UNKNOWN_MTIME_NS` where it is not known.
        digest: "md5:HEX", "sha256:HEX", "git-sha1:HEX" (of a git blob), ...; "" where none is known.
    """

    path: str
    key: str
    version: str
    size: int
    etag: str
    mtime_ns: int = UNKNOWN_MTIME_NS
    digest: str = ""


def is_pinned(version: str, etag: str) -> bool:
    """Whether they tell the bytes of an object from all others that are, or will be, stored under its key."""
    return bool(etag) or version not in ("", UNVERSIONED)


def line_of(record: Locked, root: str) -> bytes:
    """The record's line, without its newline. Raises MountndError for what no line can hold."""
    path, key, version, size, etag, mtime_ns, digest = record
    if not 0 <= size <= _SIZE_MAX:
        raise MountndError(f"{path!r}: {size} is not the size of a file")
    columns = [
        escaped(path) if not path.startswith("#") else "%23" + escaped(path[1:]),
        str(size),
        _time(mtime_ns),
        _word(etag),
        _word(version),
    ]
    if digest:
        if not _DIGEST.fullmatch(digest):
            raise MountndError(f"{path!r}: {digest!r} is not a digest; write it as md5:HEX, sha256:HEX, ...")
        same = digest[4:] == etag[1:-1] and digest.startswith("md5:")
        digest = "=" if same and _SINGLE_PART.fullmatch(etag) else digest
    if key != root + path:
        columns += [digest or "-", _word(key)]
    elif digest:
        columns.append(digest)
    return "\t".join(columns).encode()


def record_of(line: bytes, root: str) -> Locked:
    """What a line holds that matches `LINE`."""
    columns = line.decode().split("\t")
    path, size, time, etag, version = columns[:_REQUIRED]
    digest = columns[5] if len(columns) > 5 else "-"
    path, etag = unescaped(path), _unword(etag)
    return Locked(
        path,
        _unword(columns[6]) if len(columns) > 6 else root + path,
        _unword(version),
        int(size),
        etag,
        _mtime_ns(time),
        f"md5:{etag[1:-1]}" if digest == "=" else _unword(digest),
    )


def path_of(line: bytes) -> bytes:
    """The bytes of a line's path, by which lines are ordered."""
    return unescaped_bytes(line[: line.index(b"\t")])


def fault_of(line: bytes) -> str:
    """What is wrong with a line that does not match `LINE`: one that is not of this kind of file, or a column."""
    columns = line.split(b"\t")
    if len(columns) < _REQUIRED or len(columns) > len(COLUMNS):
        return f"{len(columns)} columns, where an object has {_REQUIRED} to {len(COLUMNS)} separated by tabs"
    for name, column, (written, meant) in zip(COLUMNS, columns, _WRITTEN, strict=False):
        if not re.fullmatch(written, column):
            shown = column[:80].decode("utf-8", "replace")
            return f"{name} {shown!r} is not {meant}"
    return "it cannot be read"  # never: a line whose columns match, matches


def escaped(text: str) -> str:
    """`text` with what is not printable UTF-8, and `%`, as `%XX`."""
    if text.isprintable() and "%" not in text:
        return text
    return "".join(
        char if char.isprintable() and char != "%" else "".join(f"%{byte:02X}" for byte in _encode(char))
        for char in text
    )


def unescaped(text: str) -> str:
    return unescaped_bytes(text.encode()).decode("utf-8", "surrogateescape") if "%" in text else text


def unescaped_bytes(text: bytes) -> bytes:
    return unquote_to_bytes(text) if b"%" in text else text


def _encode(char: str) -> bytes:
    return char.encode("utf-8", "surrogateescape")


def _word(text: str) -> str:
    return "%2D" if text == "-" else escaped(text) or "-"


def _unword(text: str) -> str:
    return "" if text == "-" else unescaped(text)


def _time(mtime_ns: int) -> str:
    if mtime_ns == UNKNOWN_MTIME_NS:
        return "-"
    seconds, ns = divmod(mtime_ns, 10**9)
    when = (_EPOCH + timedelta(seconds=seconds)).isoformat()[:19]
    return f"{when}Z" if not ns else f"{when}.{ns:09}".rstrip("0") + "Z"


def _mtime_ns(time: str) -> int:
    if time == "-":
        return UNKNOWN_MTIME_NS
    try:
        past = datetime.fromisoformat(time[:19] + "+00:00") - _EPOCH
    except ValueError:  # the 30th of February
        return UNKNOWN_MTIME_NS
    seconds = past.days * 86400 + past.seconds
    if not -_SECONDS_END < seconds < _SECONDS_END:
        return UNKNOWN_MTIME_NS
    return seconds * 10**9 + int(time[20:-1].ljust(9, "0"))
