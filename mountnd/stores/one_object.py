"""A store around a store that shows one of its objects only, for a source whose URL names an object, not a prefix."""

from __future__ import annotations

from collections.abc import Sequence

from ..checks.digest import Told
from ..errors import NotFound
from .base import Deadline, ObjectId, ObjectStat, Page, ShortRead, Store
from .common import WrappingStore


class OneObject(WrappingStore):
    """The directory that `key` lies in, with nothing in it but `key`.

    It has an identity of its own: its listing of that directory must not pass for the whole one in a cache.

    Args:
        store: of the directory that it lies in.
        key: the whole key of the object.
    """

    def __init__(self, store: Store, key: str) -> None:
        super().__init__(store)
        self._key, self._inner_source = key, store.source
        self.source, self.former_source = f"{store.source}#{key}", ""
        self.url = f"{store.url}/{key.rpartition('/')[2]}"

    @property
    def once(self) -> Store:
        return OneObject(self._store.once, self._key)

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
        if not self._key.startswith(prefix) or self._key <= start_after:
            return Page([], [])
        return Page([self.head(self._key, deadline=deadline)], [])

    def head(self, key: str, *, deadline: Deadline) -> ObjectStat:
        if key != self._key:
            raise NotFound(f"{self.url} is one object, and there is no {key!r}")
        return self._ours(self._store.head(key, deadline=deadline))

    def head_version(self, key: str, version: str, *, deadline: Deadline) -> ObjectStat:
        if key != self._key:
            raise NotFound(f"{self.url} is one object, and there is no {key!r}")
        return self._ours(self._store.head_version(key, version, deadline=deadline))

    def read(self, id: ObjectId, start: int, views: Sequence[memoryview], *, deadline: Deadline) -> None:
        self._store.read(id._replace(source=self._inner_source), start, views, deadline=deadline)

    @property
    def begins_reads(self) -> bool:
        return self._store.begins_reads

    def connections_for(self, id: ObjectId, length: int, sharing: int) -> int:
        return self._store.connections_for(id._replace(source=self._inner_source), length, sharing)

    def begin_read(self, read: ShortRead) -> bool:
        return self._store.begin_read(read._replace(id=read.id._replace(source=self._inner_source)))

    def digests(self, id: ObjectId, *, deadline: Deadline) -> Told:
        return self._store.digests(id._replace(source=self._inner_source), deadline=deadline)

    def relied(self, stat: ObjectStat) -> ObjectStat:
        return self._ours(self._store.relied(stat._replace(id=stat.id._replace(source=self._inner_source))))

    def _ours(self, stat: ObjectStat) -> ObjectStat:
        return stat._replace(id=stat.id._replace(source=self.source))
