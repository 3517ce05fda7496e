"""A store around a store that sends no requests: what is cached is all there is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NoReturn, Self

from ..checks.digest import NOTHING_TOLD, Told
from ..errors import Unreachable
from .base import Deadline, ObjectId, ObjectStat, Page
from .common import WrappingStore
from .object_versions import Marker, VersionsPage


class Offline(WrappingStore):
    """Refuses every request at once, with Unreachable."""

    @property
    def once(self) -> Self:
        return self

    def load_libraries(self) -> None:
        pass

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

    def list_versions(self, prefix: str, *, after: Marker | None = None, deadline: Deadline) -> VersionsPage:
        self._refuse(prefix)

    def head(self, key: str, *, deadline: Deadline) -> ObjectStat:
        self._refuse(key)

    def head_version(self, key: str, version: str, *, deadline: Deadline) -> ObjectStat:
        self._refuse(key)

    def read(self, id: ObjectId, start: int, views: Sequence[memoryview], *, deadline: Deadline) -> None:
        self._refuse(id.key)

    def digests(self, id: ObjectId, *, deadline: Deadline) -> Told:
        return NOTHING_TOLD

    def renew(self, *, deadline: Deadline) -> bool:
        return False

    def _refuse(self, what: str) -> NoReturn:
        raise Unreachable(f"{self.url}: {what!r} is not cached, and the mount is offline", code="Offline")
