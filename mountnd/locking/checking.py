"""Which objects of a lockfile can still be had.

A page of a listing tells of a thousand objects, so it is asked for first, from just before the next object on, and
never costs more requests than a HEAD for each object would. What it does not prove, as it tells of current versions
only, is asked for by a HEAD with its version id: what was replaced, deleted, or cannot be told apart. A few objects are
asked for by HEADs at once, which also notice what is listed and refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice

from ..errors import Forbidden
from ..lockfile.record import Locked
from ..stores.base import ObjectStat, Store
from .completing import Verdict, judged
from .gathering import SIDE_BY_SIDE, Asker, Shared, gathered

# Up to so many are asked for one by one: two rounds of what is asked side by side.
FEW = 2 * SIDE_BY_SIDE
# Records that a thread looks after at a time.
_CHUNK = 2000


def checked(
    store: Store, records: Iterable[Locked], objects: int, *, root: str, heads: bool = False, seconds: float
) -> Iterator[Verdict]:
    """What became of each object, in the order in which it is found out.

    Args:
        records: in the order of their paths; objects: how many.
        root: the key prefix that all begin with.
        heads: ask for each by a HEAD.
        seconds: that a request may take.

    Raises StoreError where the store does not answer, or refuses everything.
    """
    one_by_one = heads or objects <= FEW or not store.flat
    chunks = Shared(_chunks(records, 1 if one_by_one else _CHUNK))
    refused = False

    def job(asker: Asker) -> Iterator[Verdict]:
        nonlocal refused
        for chunk in chunks:
            left: Iterable[Locked] = chunk
            if not one_by_one and not refused and len(chunk) > 1:
                try:
                    proven, left = _listed(store, chunk, root, asker)
                except Forbidden:
                    refused = True  # to list is a right of its own
                else:
                    yield from (Verdict(record, "ok") for record in proven)
            for record in left:
                yield judged(store, record, asker.deadline())

    return gathered([job] * SIDE_BY_SIDE, seconds)


def _chunks(records: Iterable[Locked], size: int) -> Iterator[list[Locked]]:
    source = iter(records)
    while chunk := list(islice(source, size)):
        yield chunk


def _listed(store: Store, chunk: list[Locked], root: str, asker: Asker) -> tuple[list[Locked], list[Locked]]:
    """Records that listings prove to be had, and the others."""
    proven, others = list[Locked](), list[Locked]()
    queue = sorted(chunk, key=lambda record: _order(record.key))
    at = 0
    while at < len(queue):
        # Next to nothing lies between a key without its last letter and the key.
        page = store.list_page(root, delimiter="", start_after=queue[at].key[:-1], deadline=asker.deadline())
        rows = {stat.id.key: stat for stat in page.objects}
        end = _order(page.objects[-1].id.key) if page.objects and page.token is not None else None
        before = at
        while at < len(queue) and (page.token is None or (end is not None and _order(queue[at].key) <= end)):
            record = queue[at]
            (proven if proves(rows.get(record.key), record, store) else others).append(record)
            at += 1
        if at == before:
            others.append(queue[at])
            at += 1
    return proven, others


def proves(row: ObjectStat | None, record: Locked, store: Store) -> bool:
    """Whether a row of a listing, which is of the current version, shows that the record's version is there. One that
    is named by its id is the current one where it was stored at the same time, too."""
    if row is None or not record.etag or row.size != record.size:
        return False
    if record.etag not in (row.id.etag, store.relied(row).id.etag):
        return False
    return not record.version or row.mtime_ns // 10**9 == record.mtime_ns // 10**9


def _order(key: str) -> bytes:
    return key.encode("utf-8", "surrogateescape")
