"""The versions that a bucket has now, as records. A bucket with versions tells their ids in listings of its whole
history only (ListObjectVersions: a page for 1,000 versions and delete markers), or in HEADs, one for each object."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from ..errors import NotFound
from ..lockfile.record import Locked
from ..stores.base import Deadline, Store
from ..stores.object_versions import Marker, Version
from .gathering import Asker, gathered
from .listing import Report, bounds


def keeps_versions(store: Store, seconds: float) -> bool:
    """Whether objects of the store have version ids, as one of them tells: a listing of one, and a HEAD. Raises
    StoreError."""
    page = store.list_page(store.root, delimiter="" if store.flat else "/", limit=1, deadline=Deadline(seconds))
    if not page.objects:
        return False
    try:
        return bool(store.head_version(page.objects[0].id.key, "", deadline=Deadline(seconds)).id.version)
    except NotFound:  # it was deleted just now
        return False


def current(store: Store, seconds: float, unshowable: Report) -> Iterator[list[Locked]]:
    """All objects below the store's root with their versions' ids, a page at a time, in any order. As `listing.listed`.

    Raises what listings of versions raise: Forbidden where these may not be listed, StoreError where there is no such
    thing.
    """

    only = store.list_versions(store.root, deadline=Deadline(seconds))
    if only.next is None:
        unshowable(only.unshowable)
        return iter([[_record(row, store.root) for row in only.versions if row.latest and not row.deleted]])
    # Servers differ in what comes behind a marker that is no key, so parts begin behind keys that are.
    cuts = [first for _, cut in bounds(store, seconds) if cut and (first := _first_key(store, cut, seconds))]

    def part(after: str, up_to: str) -> Callable[[Asker], Iterator[list[Locked]]]:
        def job(asker: Asker) -> Iterator[list[Locked]]:
            marker = Marker(after) if after else None
            while True:
                page = store.list_versions(store.root, after=marker, deadline=asker.deadline())
                unshowable(page.unshowable)
                inside = [row for row in page.versions if not up_to or _order(row.key) <= _order(up_to)]
                shown = (row for row in inside if row.latest and not row.deleted)
                yield [_record(row, store.root) for row in shown if not after or _order(row.key) > _order(after)]
                marker = page.next
                if marker is None or len(inside) < len(page.versions):
                    return

        return job

    return gathered([part(after, up_to) for after, up_to in zip(["", *cuts], [*cuts, ""], strict=True)], seconds)


def _first_key(store: Store, prefix: str, seconds: float) -> str:
    """The first key that begins so; "" where none does any more."""
    page = store.list_page(prefix, delimiter="", limit=1, deadline=Deadline(seconds))
    return page.objects[0].id.key if page.objects else ""


def _record(row: Version, root: str) -> Locked:
    return Locked(row.key[len(root) :], row.key, row.version, row.size, row.etag, row.mtime_ns)


def _order(key: str) -> bytes:
    return key.encode("utf-8", "surrogateescape")
