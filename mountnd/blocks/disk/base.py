"""The protocol of a tier below memory, and what such a tier may use of the memory above it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import NamedTuple, Protocol

from ...stores.base import Deadline, ObjectId
from ..geometry import BlockRange
from ..memory import PinnedBlocks


class BlockSource(Protocol):
    """The memory from which a tier takes blocks when it comes to write them."""

    @property
    def memory_limit(self) -> int:
        """Bytes that memory may hold."""
        ...

    def pinned(self, id: ObjectId, span: BlockRange) -> list[PinnedBlocks]:
        """What memory still holds of `span`; it stays there while the result is referred to."""
        ...


class Busy(NamedTuple):
    """A part of an object that another mount fetches.

    Attributes:
        span: blocks that were asked for, of that part.
        name: of the lease.
        owner: who holds it, "" where that is not written yet.
        version: the lease file's inode and time, by which another one of the same name is told from it.
    """

    span: BlockRange
    name: str
    owner: str
    version: tuple[int, int]


class Hold(Protocol):
    """Leases that were taken together (`leases.Hold`)."""

    def share(self) -> Callable[[], None]:
        """Hold them until what this gives was called, too."""
        ...

    def done(self) -> None:
        """The fetch that took them has ended."""
        ...


class LeaseTable(Protocol):
    """Who fetches what, among mounts that share a tier (`leases.Leases`). Safe to use from many threads."""

    def take(self, id: ObjectId, size: int, spans: Sequence[BlockRange]) -> tuple[Hold, list[BlockRange], list[Busy]]:
        """Lease what nobody else has of `spans`: the leases, the blocks that they are for, and what others have."""
        ...

    def wait(self, source: str, busy: Collection[Busy], patience: Deadline) -> bool:
        """Wait until none of `busy` is held by a mount that lives; False where `patience` ends before."""
        ...


class DiskTier(Protocol):
    """A tier below memory (`cache.DiskCache`). Safe to use from many threads."""

    def attach(self, source: BlockSource) -> None:
        """Blocks that were passed to `save` can be had from `source` for as long as memory keeps them."""
        ...

    def join(self, sources: Collection[str]) -> None:
        """This mount reads these sources (`Store.source`). Never raises."""
        ...

    def leases(self, source: str) -> LeaseTable | None:
        """A fetch from `source` begins: the leases, where another mount may be fetching the same. Never raises."""
        ...

    def load(self, id: ObjectId, size: int, span: BlockRange, views: Sequence[memoryview]) -> Collection[int]:
        """Fill what it holds of `span`, one view a block; the indexes it filled. Never raises."""
        ...

    def held(self, id: ObjectId, size: int) -> Collection[int]:
        """The indexes of the blocks that it has, as far as can be told without reading them. No use is noted."""
        ...

    def used(self) -> int:
        """Bytes of disk that it takes, as of a short while ago."""
        ...

    def save(self, id: ObjectId, size: int, blocks: PinnedBlocks, written: Callable[[], None] | None = None) -> None:
        """Take these blocks, which were just fetched, for later. Returns at once, never raises.

        `written`: called once they are on disk, or will not be: somebody may wait for that. Must not raise.
        """
        ...

    def close(self) -> None:
        """Write what waits, within some seconds. Idempotent."""
        ...
