"""What a directory store needs of the place where its files lie: `DirectoryBackend`, and what it answers with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from ...checks.digest import Told
from ..base import Deadline, ObjectId, ObjectStat
from ..http.etag_trust import EtagTrust


class DirectoryName(NamedTuple):
    """One name of a directory: `stat` None for a directory; `problem` says why a name cannot be shown, else ""."""

    name: str
    stat: ObjectStat | None
    problem: str = ""


class DirectoryBackend(Protocol):
    """Files below one URL. Keys are paths below it, without a leading slash.

    Attributes:
        source, url, pins: as in `Store`.
        is_open: as in `Store`.
        trust: what is learnt of its ETags; None where it has other tokens.
    """

    source: str
    url: str
    pins: bool
    is_open: bool
    trust: EtagTrust | None

    def list_directory(self, directory: str, most: int | None, deadline: Deadline) -> list[DirectoryName]:
        """The names right below `directory` ("" or ending in "/"): all, or at least the first `most` by UTF-8.

        Raises NotFound where there is no such directory, and what `Store.list_page` raises.
        """
        ...

    def stat(self, key: str, deadline: Deadline) -> ObjectStat:
        """As `Store.head`; directories are NotFound."""
        ...

    def read(self, id: ObjectId, start: int, views: Sequence[memoryview], deadline: Deadline) -> None:
        """As `Store.read`."""
        ...

    def digests(self, id: ObjectId, deadline: Deadline) -> Told:
        """As `Store.digests`."""
        ...

    def close(self) -> None:
        """Drop connections. Idempotent."""
        ...
