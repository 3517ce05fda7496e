"""The protocol of a tier below memory, and what such a tier may use of the memory above it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Protocol

from ...stores.base import ObjectId
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


class DiskTier(Protocol):
    """A tier below memory (`cache.DiskCache`). Safe to use from many threads."""

    def attach(self, source: BlockSource) -> None:
        """Blocks that were passed to `save` can be had from `source` for as long as memory keeps them."""
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

    def save(self, id: ObjectId, size: int, blocks: PinnedBlocks) -> None:
        """Take these blocks, which were just fetched, for later. Returns at once, never raises."""
        ...

    def close(self) -> None:
        """Write what waits, within some seconds. Idempotent."""
        ...
