"""What a source is asked before it is mounted, and by `mountnd doctor SOURCE`: is it there, and can it be read?

One listing of its top, which the mount needs anyway, and where that names objects, one GET of one byte, of the largest.
A top with nothing in it costs more: it may be the key of an object, or mistyped.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

from .blocks.geometry import BLOCK
from .config.parsers import did_you_mean
from .errors import Archived, BadAnswer, Forbidden, NotFound, ServerFault, StoreError, Throttled
from .stores.base import Deadline, ObjectStat, Page, Store

# What start-up may take of the 20 s that the waiting parent grants, and what it is given however short `--timeout` is:
# the first request looks names up, connects, and finds out where the bucket is.
PROBE_S, PROBE_MIN_S = 15.0, 5.0
# Names beside the one that is missing: one page.
_NEIGHBOURS = 1000


Kind = Literal["listing", "object", "empty"]


class Found(NamedTuple):
    """What a source turned out to be.

    Attributes:
        kind: "listing": its top has entries; "object": its URL is the key of one; "empty": a bucket with nothing in it.
        warning: what a person should know, "" for nothing.
        was_read: a byte of an object was read, so that objects can be.
    """

    kind: Kind
    warning: str = ""
    was_read: bool = False


def probe_seconds(timeout: float) -> float:
    """How long the probe of a source may take where one operation may take `timeout` seconds."""
    return min(PROBE_S, max(timeout, PROBE_MIN_S))


def look(store: Store, deadline: Deadline, top: Callable[[], Page]) -> Found:
    """What is there, and whether it can be read.

    Args:
        top: lists the root (`list_root`), for somebody who keeps the page.

    Raises what `top` does, NotFound for a prefix with nothing below it, and BadAnswer for a server where no large
    object can be read.
    """
    try:
        page = top()
    except Forbidden:
        if (single := _object_at(store, deadline)) is None:
            raise
        return _read(store, "object", [single], deadline)
    if page.objects or page.prefixes or page.unshowable or page.token is not None:
        return _read(store, "listing", page.objects, deadline)
    if (single := _object_at(store, deadline)) is not None:
        return _read(store, "object", [single], deadline)
    if store.root:
        raise _nothing_there(store, deadline)
    return Found("empty", f"{store.url} is empty")


def _read(store: Store, kind: Kind, objects: Sequence[ObjectStat], deadline: Deadline) -> Found:
    held = [stat for stat in objects if stat.size > 0]
    if not held:
        return Found(kind)
    warning = _check_readable(store, max(held, key=lambda stat: stat.size), deadline)
    return Found(kind, warning, was_read=not warning)


def list_root(store: Store, deadline: Deadline, *, limit: int = 1) -> Page:
    """Whether the store answers: up to `limit` entries of its root. Raises what the store does; the message names the
    source."""
    try:
        # Without retries: a refused connection or an unknown host at start-up is a mistake to be reported at once.
        return store.once.list_page(store.root, limit=limit, deadline=deadline)
    except (Throttled, ServerFault):
        return store.list_page(store.root, limit=limit, deadline=deadline)


def _object_at(store: Store, deadline: Deadline) -> ObjectStat | None:
    """The object whose key is the root without its last "/"; None where there is none, or that cannot be found out."""
    if not store.root or not store.flat:
        return None
    try:
        return store.once.head(store.root[:-1], deadline=deadline)
    except StoreError:
        return None


def _nothing_there(store: Store, deadline: Deadline) -> NotFound:
    """The error about a prefix under which nothing lies, with names beside it that look like it, from one listing."""
    parent, _, name = store.root.rstrip("/").rpartition("/")
    parent = f"{parent}/" if parent else ""
    found = f"{store.url}: nothing lies below this prefix"
    try:
        page = store.once.list_page(parent, limit=_NEIGHBOURS, deadline=deadline)
    except StoreError:
        return NotFound(f"{found}. Check its spelling: keys are case-sensitive", code="NoSuchPrefix")
    names = [key[len(parent) :].rstrip("/") for key in [*page.prefixes, *(stat.id.key for stat in page.objects)]]
    if hint := did_you_mean(name, names):
        return NotFound(f"{found}{hint}", code="NoSuchPrefix")
    beside = f"; beside it lie {', '.join(names[:3])}{', ...' if len(names) > 3 else ''}" if names else ""
    return NotFound(f"{found}. Check its spelling: keys are case-sensitive{beside}", code="NoSuchPrefix")


def _check_readable(store: Store, stat: ObjectStat, deadline: Deadline) -> str:
    """Read one byte of an object that is not empty: what a person should know, "" for nothing.

    Raises BadAnswer for a server that does not know ranges, where this object is too large to be read whole.
    """
    try:
        # The last byte: an answer with the whole object would do for the first.
        store.once.read(stat.id, stat.size - 1, [memoryview(bytearray(1))], deadline=deadline)
    except Forbidden as error:
        return f'{error}. Its names can be seen, and what may not be read answers "Permission denied"'
    except Archived as error:
        return f'{error}. Objects in an archive tier answer "Input/output error" until they are restored'
    except BadAnswer as error:
        if error.code != "Content-Range" or stat.size == 1:
            return str(error)
        what = f"{store.url}: the server does not know ranges (it answers with whole files)"
        if stat.size > BLOCK:
            raise BadAnswer(f"{what}, so large files cannot be read. Download them instead", code=error.code) from error
        return f"{what}: files above {BLOCK >> 10} KiB cannot be read"
    except StoreError as error:
        return f"{error}. It can be listed, but this could not be read"
    return ""
