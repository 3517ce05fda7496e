"""Key rules: which keys can be files and directories, and what becomes of the others. Pure functions.

A key is cut at its slashes into segments. Every segment but the last is a directory's name; the last
one is the file's name. A directory exists when at least one key begins with its prefix. A name is the
segment's own bytes, nothing is escaped, so a name stands for one key and a key for one name. What a
kernel cannot be given under its own bytes is `Hidden`: reported, never silently lost. `help/names.md`
says the same for users.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from ...stores.base import ObjectStat

# What Linux lets a name have (NAME_MAX of <linux/limits.h>), in bytes.
MAX_NAME = 255

EMPTY = "an empty path component (a double or a leading slash)"
DOTS = "a path component '.' or '..'"
NUL = "a NUL byte in the name"
LONG = f"a path component over {MAX_NAME} bytes"
SPELLING = "characters that no file name's bytes can spell"
SHADOWED = "a directory of the same name is shown instead"
SLASH = "ends in a slash but holds bytes: only the directory is shown"
STORE = "the store could not spell it"


class Hidden(NamedTuple):
    """A key (or, ending in "/", every key below that prefix) that is not shown, and why."""

    key: str
    reason: str


class Unshowable(ValueError):
    """A segment that cannot be a name. `str()` of it is the reason."""


def name_of(segment: str) -> bytes:
    """The name of one key segment (no slash in it). Raises Unshowable with the reason."""
    if segment.isascii():
        raw = segment.encode()
    else:
        try:
            raw = segment.encode("utf-8", "surrogateescape")
        except UnicodeEncodeError:
            raise Unshowable(SPELLING) from None
        # Surrogates that together spell valid UTF-8 would come back as another key.
        if raw.decode("utf-8", "surrogateescape") != segment:
            raise Unshowable(SPELLING)
    if not raw:
        raise Unshowable(EMPTY)
    if raw in (b".", b".."):
        raise Unshowable(DOTS)
    if b"\0" in raw:
        raise Unshowable(NUL)
    if len(raw) > MAX_NAME:
        raise Unshowable(LONG)
    return raw


def segment_of(name: bytes) -> str | None:
    """The key segment that `name` stands for, None when no key can be shown under it. Inverse of `name_of`."""
    if not name or name in (b".", b"..") or b"\0" in name or b"/" in name or len(name) > MAX_NAME:
        return None
    return name.decode("utf-8", "surrogateescape")


def order(key: str) -> bytes:
    """What keys are sorted by: their UTF-8 bytes, as S3 does. Never raises."""
    return key.encode("utf-8", "surrogatepass" if _lone(key) else "surrogateescape")


def _lone(key: str) -> bool:
    if key.isascii():
        return False
    return any("\ud800" <= c < "\udc80" or "\udcff" < c <= "\udfff" for c in key)


class Found(NamedTuple):
    """What keys tell of one directory.

    `rows`: name -> stat, directories with a "/" at the end of the name and None for a stat; a name is
    in it as a file and as a directory when both exist (`shadow` settles that once all keys are known).
    `marker`: stat of the key that is the directory's own prefix. `hidden`: what cannot be shown.
    """

    rows: dict[bytes, ObjectStat | None]
    hidden: list[Hidden]
    marker: ObjectStat | None


def sort_out(
    prefix: str, objects: Iterable[ObjectStat], prefixes: Iterable[str], unshowable: Iterable[str] = ()
) -> Found:
    """What `objects` and common `prefixes` below the key prefix `prefix` tell of that directory."""
    rows: dict[bytes, ObjectStat | None] = {}
    hidden: list[Hidden] = []
    marker: ObjectStat | None = None
    cut = len(prefix)
    for stat in objects:
        rest = stat.id.key[cut:]
        if not rest:
            marker = stat
            if stat.size and prefix:
                hidden.append(Hidden(prefix, SLASH))
            continue
        segment, slash, _ = rest.partition("/")
        try:
            # A server that ignored the delimiter gives keys from deeper down: they still tell of a directory.
            rows[name_of(segment) + slash.encode()] = None if slash else stat
        except Unshowable as why:
            _once(hidden, Hidden(prefix + segment + slash, str(why)))
    for common in prefixes:
        segment = common[cut:].partition("/")[0]
        try:
            rows[name_of(segment) + b"/"] = None
        except Unshowable as why:
            _once(hidden, Hidden(f"{prefix}{segment}/", str(why)))
    hidden.extend(Hidden(key, STORE) for key in unshowable)
    return Found(rows, hidden, marker)


def _once(hidden: list[Hidden], what: Hidden) -> None:
    if not hidden or hidden[-1] != what:
        hidden.append(what)


def shadowed(prefix: str, stat: ObjectStat) -> Hidden:
    """The report on an object whose name a directory has taken."""
    return Hidden(stat.id.key, SHADOWED)


def undecided(file: bytes, last: bytes) -> bool:
    """Whether a directory named as `file` may still come after the entry `last` of a sorted listing.

    The prefix `x/` sorts after `x`, but behind `x!`, `x-1` and all else whose next byte is below the
    slash; so after `last`, with file <= last, it can only come when `last` itself begins with `file`
    and sorts before `file + b"/"`.
    """
    return file + b"/" > last
