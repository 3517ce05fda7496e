"""Key rules: which keys are files and directories, what becomes of the others, and what a page of keys tells.

Pure functions. A key is cut at its slashes into segments. Every segment but the last is a directory's name; the last
one is the file's name. A directory exists when at least one key begins with its prefix. A name is the
segment's own bytes, nothing is escaped, so a name stands for one key and a key for one name. What a
kernel cannot be given under its own bytes is `Hidden`: reported, never silently lost. `help/names.md`
says the same for users.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from ...stores.base import ObjectStat, Page

# Keys and prefixes that one page of a listing holds at most: S3's limit, and everybody's who speaks its protocol.
PAGE_KEYS = 1000

# What Linux lets a name have (NAME_MAX of <linux/limits.h>), in bytes.
MAX_NAME = 255

EMPTY = "an empty path component (a double or a leading slash)"
DOTS = "a path component '.' or '..'"
NUL = "a NUL byte in the name"
LONG = f"a path component over {MAX_NAME} bytes"
SPELLING = "characters that cannot be encoded in a file name"
SHADOWED = "a directory of the same name is shown instead"
SLASH = "ends in a slash but has content: only the directory is shown"
STORE = "the server gives no name and size for it that a file can have"


class Hidden(NamedTuple):
    """A key (or, ending in "/", every key below that prefix) that is not shown, and why."""

    key: str
    reason: str


class Unshowable(ValueError):
    """A segment that cannot be a name. `str()` of it is the reason."""


# A name of usual characters: ASCII that can be seen, and no slash. As long as it may be, and not "." or "..".
is_plain_name = re.compile(rf"(?!\.\.?\Z)[ -.0-~]{{1,{MAX_NAME}}}").fullmatch


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


def sort_key(key: str) -> bytes:
    """What keys are sorted by: their UTF-8 bytes, as S3 does. Never raises."""
    return key.encode("utf-8", "surrogatepass" if _has_lone_surrogate(key) else "surrogateescape")


def _has_lone_surrogate(key: str) -> bool:
    if key.isascii():
        return False
    return any("\ud800" <= c < "\udc80" or "\udcff" < c <= "\udfff" for c in key)


class Contents(NamedTuple):
    """What keys tell of one directory.

    Args:
        rows: name -> stat; directories with a "/" at the end of the name and None for a stat. A name is in it as a
            file and as a directory when both exist: `resolve` decides once enough keys are known.
        hidden: what cannot be shown.
        marker: stat of the key that is the directory's own prefix.
    """

    rows: dict[bytes, ObjectStat | None]
    hidden: list[Hidden]
    marker: ObjectStat | None


class PageContents(NamedTuple):
    """One page of a directory's listing.

    Args:
        contents: what it tells.
        last: where it ends: the last key or common prefix, less the directory's prefix, as `sort_key` gives it.
        in_order: whether keys and common prefixes came in byte order, as S3 promises.
        ends: its first and last key or common prefix, whole; b"" and b"" of an empty one.
    """

    contents: Contents
    last: bytes
    in_order: bool
    ends: tuple[bytes, bytes] = (b"", b"")


class Resolved(NamedTuple):
    """Rows of a directory, sorted, the directory winning each clash of names.

    `held_back`: files for which a directory of the same name may still come.
    """

    rows: list[tuple[bytes, ObjectStat | None]]
    hidden: list[Hidden]
    held_back: tuple[tuple[bytes, ObjectStat], ...] = ()


def classify(
    prefix: str,
    objects: Iterable[ObjectStat],
    prefixes: Iterable[str],
    unshowable: Iterable[str] = (),
    not_shown: Iterable[tuple[str, str]] = (),
) -> Contents:
    """What `objects` and common `prefixes` below the key prefix `prefix` tell of that directory.

    Args:
        unshowable, not_shown: as in `Page`, `hidden` there.
    """
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
            _append_once(hidden, Hidden(prefix + segment + slash, str(why)))
    for common in prefixes:
        segment = common[cut:].partition("/")[0]
        try:
            rows[name_of(segment) + b"/"] = None
        except Unshowable as why:
            _append_once(hidden, Hidden(f"{prefix}{segment}/", str(why)))
    hidden.extend(Hidden(key, STORE) for key in unshowable)
    hidden.extend(Hidden(*one) for one in not_shown)
    return Contents(rows, hidden, marker)


def read_page(prefix: str, page: Page, *, check_order: bool) -> PageContents:
    """What a page of the listing of `prefix`, asked for with delimiter, tells.

    Args:
        check_order: look whether it is in order; it is taken to be so otherwise.
    """
    objects, prefixes = page.objects, page.prefixes
    in_order = True
    if check_order:
        keys, commons = [sort_key(stat.id.key) for stat in objects], [sort_key(common) for common in prefixes]
        in_order = keys == sorted(keys) and commons == sorted(commons)
    ends = ends_of(page)
    last = ends[1][len(sort_key(prefix)) :]
    return PageContents(classify(prefix, objects, prefixes, page.unshowable, page.hidden), last, in_order, ends)


def ends_of(page: Page) -> tuple[bytes, bytes]:
    """The first and the last key or common prefix of a page, in the store's order; b"" of an empty one."""
    firsts = [sort_key(stat.id.key) for stat in page.objects[:1]] + [sort_key(common) for common in page.prefixes[:1]]
    return min(firsts, default=b""), last_of(page)


def last_of(page: Page) -> bytes:
    """The last key or common prefix of a page, in the store's order; b"" of an empty one."""
    ends = [sort_key(stat.id.key) for stat in page.objects[-1:]] + [sort_key(common) for common in page.prefixes[-1:]]
    return max(ends, default=b"")


def inside(prefix: str, page: Page) -> Page:
    """The page less what does not begin with the prefix that was asked for, which goes to `unshowable`.

    Each is looked at: a server that does not know the prefix may not know the order either.
    """
    objects, prefixes = page.objects, page.prefixes
    if not prefix or (
        all(stat.id.key.startswith(prefix) for stat in objects) and all(key.startswith(prefix) for key in prefixes)
    ):
        return page
    keys = [stat.id.key for stat in objects] + prefixes
    outside = tuple(f"{key!r}: does not begin with {prefix!r}" for key in keys if not key.startswith(prefix))
    return page._replace(
        objects=[stat for stat in objects if stat.id.key.startswith(prefix)],
        prefixes=[common for common in prefixes if common.startswith(prefix)],
        unshowable=page.unshowable + outside,
    )


def resolve(
    contents: Contents, held_back: Sequence[tuple[bytes, ObjectStat]] = (), *, last: bytes | None = None
) -> Resolved:
    """Sorted rows of a directory.

    Args:
        held_back: files of earlier pages that are decided on here.
        last: where the page ends when another one follows; None when all keys are known.
    """
    known = contents.rows
    rows = known
    if held_back:
        rows = {name: stat for name, stat in held_back if name not in known}
        rows.update(known)
    hidden = list(contents.hidden)
    shown: list[tuple[bytes, ObjectStat | None]] = []
    undecided: list[tuple[bytes, ObjectStat]] = []
    for name in sorted(rows):
        stat = rows[name]
        if stat is not None and name + b"/" in rows:
            hidden.append(Hidden(stat.id.key, SHADOWED))
        elif stat is not None and last is not None and directory_may_follow(name, last):
            undecided.append((name, stat))
        else:
            shown.append((name, stat))
    return Resolved(shown, hidden, tuple(undecided))


def directory_may_follow(file: bytes, last: bytes) -> bool:
    """Whether a directory named as `file` may still come after the entry `last` of a sorted listing.

    The prefix `x/` sorts after `x`, but behind `x!`, `x-1` and all else whose next byte is below the
    slash; so after `last`, with file <= last, it can only come when `last` itself begins with `file`
    and sorts before `file + b"/"`.
    """
    return file + b"/" > last


def split_key(key: str) -> tuple[str, str]:
    """(prefix of the directory around it, segment) of a key."""
    around, slash, segment = key.rpartition("/")
    return around + slash, segment


def _append_once(hidden: list[Hidden], report: Hidden) -> None:
    if not hidden or hidden[-1] != report:
        hidden.append(report)
