"""The protocol of a tier below memory, and what such a tier may use of the memory above it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from concurrent.futures import Future
from typing import NamedTuple, Protocol

from ...stats import BYTES_FROM_DISK, DISK_DAMAGED, DISK_KEPT, DISK_SKIPPED
from ...stores.base import Deadline, ObjectId
from ..geometry import BlockRange
from ..memory import PinnedBlocks


class TierCounters(NamedTuple):
    """The names in `stats` under which a tier is counted: bytes loaded, written, not written; damaged blocks."""

    loaded: str
    kept: str
    skipped: str
    damaged: str


# Of the node's own disk cache.
OWN = TierCounters(BYTES_FROM_DISK, DISK_KEPT, DISK_SKIPPED, DISK_DAMAGED)


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


class SharedTier(Protocol):
    """A tier below that of the node, in a directory that nodes share (`shared_cache.SharedCache`). Its methods do as
    those of `DiskTier` do. Safe to use from many threads; nothing of it raises."""

    def takes(self, source: str) -> bool:
        """Whether bytes of a source are looked for there now."""
        ...

    def attach(self, source: BlockSource) -> None: ...

    def join(self) -> None:
        """This mount uses it."""
        ...

    def leases(self, source: str) -> LeaseTable | None: ...

    def load(self, id: ObjectId, size: int, span: BlockRange, views: Sequence[memoryview]) -> Collection[int]: ...

    def held(self, id: ObjectId, size: int) -> Collection[int]: ...

    def save(
        self, id: ObjectId, size: int, blocks: PinnedBlocks, written: Callable[[], None] | None = None
    ) -> None: ...

    def keep(self, id: ObjectId, size: int, blocks: PinnedBlocks, written: Callable[[], None] | None = None) -> None:
        """As `save`, for blocks that are in no memory: they are held until they are written."""
        ...

    def used(self) -> int | None:
        """Bytes of disk that all nodes take together; None where that is not known."""
        ...

    def close(self) -> None: ...


class Room(Protocol):
    """How much may be written into a directory.

    Attributes:
        limit: bytes on disk that everything in it may take; None: not known yet.
    """

    limit: int | None

    def make(self, n: int, evicted: Callable[[str], object]) -> bool:
        """Whether `n` bytes may be written; evicts for them, and tells which files. Raises OSError, also where the disk
        has no room however much is evicted."""
        ...

    def spend(self, n: int) -> None:
        """So much was written."""
        ...

    def forget(self) -> None:
        """Look at the directory before the next write."""
        ...

    def failed(self, error: OSError) -> None:
        """A write has failed so."""
        ...


class DiskRoom(NamedTuple):
    """How much the tier may hold. Bytes on disk.

    Attributes:
        place: where it is, for messages.
        limit: of the tier; most: the same, or less where the disk is nearly full.
        pinned: of that what others have pinned, and so nobody else can use.
    """

    place: str
    limit: int
    most: int
    pinned: int


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

    def lacks(self, id: ObjectId, size: int, span: BlockRange) -> bool:
        """Whether it has nothing of `span`, as far as can be told without reading blocks. No use is noted. Never
        raises."""
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

    def chunks(self, id: ObjectId, size: int, span: BlockRange) -> list[str]:
        """The names of the files that hold `span`, whether they are there or not."""
        ...

    def names(self) -> Collection[str]:
        """The files that are there."""
        ...

    def absent(self, id: ObjectId, size: int, span: BlockRange) -> list[BlockRange]:
        """What it lacks of `span`, and marks what it has as used now. Reads no block: a damaged one counts as there."""
        ...

    def keep(self, parts: Sequence[tuple[ObjectId, int, PinnedBlocks]]) -> Future[None]:
        """Write blocks of objects now; ids, the objects' sizes, blocks. The future completes when all are written, or
        fails with OSError: why they are not."""
        ...

    def room(self, own: Collection[str]) -> DiskRoom:
        """How much may be held. `own`: files that do not count as pinned. Raises OSError."""
        ...

    def pinned(self) -> Collection[str]:
        """The files that are pinned."""
        ...

    def pin(self, name: str, asked: Sequence[str], chunks: Iterable[str]) -> None:
        """Never evict these files until `name` is unpinned. Raises OSError."""
        ...

    def close(self) -> None:
        """Write what waits, within some seconds. Idempotent."""
        ...
