"""A store that is not asked: what is cached is all there is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NoReturn

from ..errors import Unreachable
from .base import Deadline, ObjectId, ObjectStat, Page, Store


class Offline:
    """Refuses every request to `store` at once, with Unreachable; its identity is the store's, so caches fit."""

    def __init__(self, store: Store) -> None:
        self.source, self.root, self.url = store.source, store.root, store.url
        self.flat, self.pins = store.flat, store.pins
        self._store = store

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
        self._refuse(prefix)

    def head(self, key: str, *, deadline: Deadline) -> ObjectStat:
        self._refuse(key)

    def read(self, id: ObjectId, start: int, views: Sequence[memoryview], *, deadline: Deadline) -> None:
        self._refuse(id.key)

    def close(self) -> None:
        self._store.close()

    def _refuse(self, what: str) -> NoReturn:
        raise Unreachable(f"{self.url}: {what!r} is not cached, and the mount is offline", code="Offline")
