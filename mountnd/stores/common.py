"""What most stores have in common, and what stores around a store do."""

from __future__ import annotations

from typing import Any, Self

from ..checks.digest import NOTHING_TOLD, Told
from ..errors import NotFound, StoreError
from ..stats import Stats
from .base import Deadline, Notes, ObjectId, ObjectStat, Renewals, ShortRead, Sizes, Store, ViaUse
from .object_versions import NO_VERSIONS, Marker, VersionsPage


class BeginsNoReads:
    """All reads are left to those who wait for them. Whoever wraps `read` says whether it can be begun, too."""

    @property
    def begins_reads(self) -> bool:
        return False

    def connections_for(self, id: ObjectId, length: int, sharing: int) -> int:
        return 0

    def begin_read(self, read: ShortRead) -> bool:
        return False


class StoreBase(BeginsNoReads):
    """What most stores have in common: no notice, no region, no keys, one attempt a call, nothing to learn or close."""

    renewals = Renewals()  # nobody counts here
    sizes: Sizes | None = None
    is_open = False

    former_source = ""
    knows_names = False

    @property
    def notice(self) -> str:
        return ""

    @property
    def keys(self) -> str:
        return ""

    @property
    def exposure(self) -> str:
        return ""

    @property
    def region(self) -> str:
        return ""

    @property
    def remarks(self) -> tuple[str, ...]:
        return ()

    @property
    def latency(self) -> float | None:
        return None

    @property
    def via(self) -> ViaUse | None:
        return None

    @property
    def once(self) -> Self:
        return self

    def digests(self, id: ObjectId, *, deadline: Deadline) -> Told:
        return NOTHING_TOLD

    def list_versions(self, prefix: str, *, after: Marker | None = None, deadline: Deadline) -> VersionsPage:
        raise StoreError("only buckets of S3 keep older versions of their objects", code=NO_VERSIONS)

    def head(self, key: str, *, deadline: Deadline) -> ObjectStat:
        raise NotImplementedError

    def head_version(self, key: str, version: str, *, deadline: Deadline) -> ObjectStat:
        if version:
            raise NotFound(f"{key!r}: only buckets of S3 keep versions of their objects", code="NoSuchVersion")
        return self.head(key, deadline=deadline)

    def count_in(self, stats: Stats) -> None:
        pass

    def via_counts(self) -> list[dict[str, Any]]:
        return []

    def renew(self, *, deadline: Deadline) -> bool:
        return False

    def load_libraries(self) -> None:
        pass

    def remember(self, notes: Notes) -> None:
        pass

    def provider_id(self, id: ObjectId) -> ObjectId:
        return id

    def may_show(self, id: ObjectId) -> bool:
        return True

    def relied(self, stat: ObjectStat) -> ObjectStat:
        return stat

    def close(self) -> None:
        pass


class WrappingStore(BeginsNoReads):
    """A store around a store, with its identity: caches fit both."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.source, self.root, self.url = store.source, store.root, store.url
        self.flat, self.pins, self.former_source = store.flat, store.pins, store.former_source
        self.renewals, self.knows_names = store.renewals, store.knows_names
        self.sizes = store.sizes
        self.is_open = store.is_open

    @property
    def notice(self) -> str:
        return self._store.notice

    @property
    def keys(self) -> str:
        return self._store.keys

    @property
    def exposure(self) -> str:
        return self._store.exposure

    @property
    def region(self) -> str:
        return self._store.region

    def digests(self, id: ObjectId, *, deadline: Deadline) -> Told:
        return self._store.digests(id, deadline=deadline)

    def list_versions(self, prefix: str, *, after: Marker | None = None, deadline: Deadline) -> VersionsPage:
        return self._store.list_versions(prefix, after=after, deadline=deadline)

    def head_version(self, key: str, version: str, *, deadline: Deadline) -> ObjectStat:
        return self._store.head_version(key, version, deadline=deadline)

    @property
    def latency(self) -> float | None:
        return self._store.latency

    @property
    def via(self) -> ViaUse | None:
        return self._store.via

    def count_in(self, stats: Stats) -> None:
        self._store.count_in(stats)

    def via_counts(self) -> list[dict[str, Any]]:
        return self._store.via_counts()

    def renew(self, *, deadline: Deadline) -> bool:
        return self._store.renew(deadline=deadline)

    @property
    def remarks(self) -> tuple[str, ...]:
        return self._store.remarks

    def load_libraries(self) -> None:
        self._store.load_libraries()

    def remember(self, notes: Notes) -> None:
        self._store.remember(notes)

    def provider_id(self, id: ObjectId) -> ObjectId:
        return self._store.provider_id(id)

    def may_show(self, id: ObjectId) -> bool:
        return self._store.may_show(id)

    def relied(self, stat: ObjectStat) -> ObjectStat:
        return self._store.relied(stat)

    def close(self) -> None:
        self._store.close()
