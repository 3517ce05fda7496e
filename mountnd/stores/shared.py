"""Stores of one identity, as one that reads bytes: caches are shared, and each key is read by the store it belongs to.

One identity means that each of them may read what the others may. But what they are told may differ (region,
addressing), so none should depend on another's being right. Stores of lockfiles show some versions only, and know
other things of these than the others do.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..checks.digest import Told
from .base import Deadline, ObjectId, ObjectStat, Page, ShortRead, Store
from .common import WrappingStore


class Shared(WrappingStore):
    """Asks, for each key, the store with the longest root that holds it; for a version one of which it is known to be.

    Args:
        stores: of one identity (`Store.source`), at least one.
    """

    def __init__(self, stores: Sequence[Store]) -> None:
        super().__init__(stores[0])
        assert {store.source for store in stores} == {self.source}
        self._by_root = sorted(stores, key=lambda store: -len(store.root))

    @property
    def once(self) -> Store:
        return self._store.once

    def list_page(
        self,
        prefix: str,
        *,
        delimiter: str = "/",
        token: str | None = None,
        start_after: str = "",
        limit: int = 1000,
        deadline: Deadline,
    ) -> Page:
        return self._of(prefix).list_page(
            prefix, delimiter=delimiter, token=token, start_after=start_after, limit=limit, deadline=deadline
        )

    def head(self, key: str, *, deadline: Deadline) -> ObjectStat:
        return self._of(key).head(key, deadline=deadline)

    def head_version(self, key: str, version: str, *, deadline: Deadline) -> ObjectStat:
        return self._of(key).head_version(key, version, deadline=deadline)

    def read(self, id: ObjectId, start: int, views: Sequence[memoryview], *, deadline: Deadline) -> None:
        self._of_version(id).read(id, start, views, deadline=deadline)

    @property
    def begins_reads(self) -> bool:
        return any(store.begins_reads for store in self._by_root)

    def connections_for(self, id: ObjectId, length: int, sharing: int) -> int:
        return self._of_version(id).connections_for(id, length, sharing)

    def begin_read(self, read: ShortRead) -> bool:
        return self._of_version(read.id).begin_read(read)

    def digests(self, id: ObjectId, *, deadline: Deadline) -> Told:
        return self._of_version(id).digests(id, deadline=deadline)

    def may_show(self, id: ObjectId) -> bool:
        return any(store.may_show(id) for store in self._by_root)

    def _of_version(self, id: ObjectId) -> Store:
        holding = [store for store in self._by_root if id.key.startswith(store.root)]
        sure = (store for store in holding if store.knows_names and store.may_show(id))
        others = (store for store in holding if not store.knows_names)
        return next(sure, None) or next(others, None) or self._of(id.key)

    def _of(self, key: str) -> Store:
        return next((store for store in self._by_root if key.startswith(store.root)), self._store)


def by_identity(stores: Sequence[Store]) -> dict[str, Store]:
    """One store for each identity: the only one, or all of them as `Shared`."""
    same: dict[str, list[Store]] = {}
    for store in stores:
        same.setdefault(store.source, []).append(store)
    return {source: those[0] if len(those) == 1 else Shared(those) for source, those in same.items()}
