"""What one mount reads from the packs of a shared directory, and what it packs: blocks of small objects.

Reading and merging happen on threads of the directory's guard, packing on the writer's, and whoever saves something
only leaves a copy of it. Whoever holds a lease for what he saves holds it until the pack is published.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from concurrent.futures import Future
from typing import Protocol

from ....regular_file import UntrustedDirectory
from ....stats import SHARED_PACKS, Stats
from ....stores.base import ObjectId
from ...geometry import BlockRange
from ...memory import PinnedBlocks
from ..base import Room, TierCounters
from ..chunk_file import ALIGNMENT, ChunkIdentity
from ..place import CacheDirectory
from .collector import COLLECT_S, PACK_BYTES, Added, Collector
from .format import FOLDER, MOST_IDENTITY, data_size, encode_record, key_of
from .index import PackIndex
from .merger import AGAIN_S, Merger
from .merging import LIMIT_PART, MERGED
from .pack_file import NewPack
from .reader import PackReader

log = logging.getLogger(__name__)


class WriterThread(Protocol):
    """The one on which packs are written (`writer.WriteBehind`)."""

    def do(self, work: Callable[[], None], within: float = 0.0) -> Future[None]:
        """Have some work done, in so many seconds at most."""
        ...


class PackTier:
    """The packs below `root`. Safe to use from many threads.

    Args:
        room: how much may be written; asked on the writer's thread.
        thread: the writer's.
        ended: called when a pack was written, or was not.
        used: told the name of a pack that is used.
        refused: told the name of a pack that we may not read.
        post: has a call made some time soon, on a thread of the guard's.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        root: CacheDirectory,
        room: Room,
        thread: WriterThread,
        stats: Stats,
        counters: TierCounters,
        *,
        ended: Callable[[Future[None]], object] = lambda future: None,
        used: Callable[[str], object] = lambda name: None,
        refused: Callable[[str], object] = lambda name: None,
        post: Callable[[Callable[[], object]], object] = lambda call: call(),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._root, self._room, self._thread, self._stats, self._counters = root, room, thread, stats, counters
        self._ended, self._post = ended, post
        self._index = PackIndex(root, clock, damaged=self._damaged, refused=refused)
        self._reader = PackReader(root, self._index, used, self._damaged)
        self._merger = Merger(root, self._index, stats, counters, lambda: room.limit, clock)
        limit = room.limit
        self._collector = Collector(PACK_BYTES if limit is None else min(PACK_BYTES, limit // LIMIT_PART))
        self._closed = self._foreign_said = False

    def learn(self) -> None:
        """Read the indexes of all packs. Raises OSError."""
        while not self._closed and self._index.refresh() and not self._index.is_complete:
            pass

    def expire(self, *, changed: bool = False) -> None:
        """Other nodes may have packed something that was not there before; `changed`: they have."""
        self._index.expire(changed=changed)

    def close(self) -> None:
        """Merge no more. What waits is the writer thread's to publish."""
        self._closed = True
        self._merger.close()

    def read(self, id: ObjectId, size: int, span: BlockRange, asked: float) -> dict[int, memoryview]:
        """What is held of `span`, blocks of an object of `size` bytes. Raises OSError.

        `asked`: when somebody began to wait for it, monotonic seconds.
        """
        return self._reader.read(id, size, span, asked)

    def held(self, id: ObjectId, size: int, asked: float) -> Collection[int]:
        """The blocks of which there is a record; that it holds, only reading tells. Raises OSError."""
        return self._reader.held(id, size, asked)

    def save(self, id: ObjectId, size: int, blocks: PinnedBlocks, written: Callable[[], None] | None) -> None:
        """Pack blocks of an object of `size` bytes, soon. Never raises.

        `written`: called once others find them, or will not.
        """
        identity = ChunkIdentity.of(id, size, 0).encode()
        added = Added.REFUSED
        if len(identity) <= MOST_IDENTITY:
            views = zip(range(*blocks.span), blocks.views, strict=True)
            records = {key_of(identity, i): encode_record(identity, i, view) for i, view in views}
            added = self._collector.add(records, written)
        if added is Added.REFUSED:
            self._stats.add(self._counters.skipped, sum(map(len, blocks.views)))
            if written is not None:
                written()
        elif added is not Added.MORE:
            within = 0.0 if added is Added.ENOUGH else COLLECT_S
            self._thread.do(self._publish, within).add_done_callback(self._published)

    def _published(self, future: Future[None]) -> None:
        if future.exception() is not None:  # perhaps nobody came to publish it
            batch = self._collector.take()
            self._stats.add(self._counters.skipped, _data_size(batch.records))
            self._collector.done(batch)
        self._ended(future)

    def _publish(self) -> None:
        """On the writer's thread: write what waits into one pack, or some where the limit is small. Raises OSError."""
        batch = self._collector.take()
        kept, limit = 0, self._room.limit
        try:
            for part in _parts(batch.records, MERGED if limit is None else min(MERGED, limit // LIMIT_PART)):
                kept += _data_size(part) if self._write(part) else 0
        finally:
            self._stats.add(self._counters.kept, kept)
            self._stats.add(self._counters.skipped, _data_size(batch.records) - kept)
            self._collector.done(batch)
        if kept:
            self._look_for_many()

    def _look_for_many(self) -> None:
        """On the writer's thread: have packs merged where there are too many."""
        if self._merger.is_due:
            self._post(self._merge)

    def _merge(self) -> None:
        if self._merger.run():
            self._thread.do(self._look_for_many, AGAIN_S)

    def _write(self, records: dict[int, bytes]) -> bool:
        """Write records; False where there is no place for them. Raises OSError."""
        cost = sum(map(len, records.values())) + 16 * len(records) + 2 * ALIGNMENT
        if not self._room.make(cost, self._index.forget):
            return False
        try:
            new = NewPack(self._root.with_folder(FOLDER), self._root.now())
        except (UntrustedDirectory, IsADirectoryError, NotADirectoryError) as e:  # something foreign has its name
            said, self._foreign_said = self._foreign_said, True
            if not said:
                log.warning("%s: %s; it is left alone, and what belongs there is not cached", e.filename, e.strerror)
            return False
        try:
            for key, record in records.items():
                new.add(key, record)
        except BaseException:
            new.discard()
            raise
        self._index.add(new.publish())
        self._room.spend(cost)
        self._stats.add(SHARED_PACKS)
        return True

    def _damaged(self, name: str, why: str) -> None:
        self._stats.add(self._counters.damaged)
        log.info("%s/%s: %s", self._root.path, name, why)


def _data_size(records: Mapping[int, bytes]) -> int:
    """Bytes of the blocks in records."""
    return sum(map(data_size, records.values()))


def _parts(records: Mapping[int, bytes], most: int) -> Iterator[dict[int, bytes]]:
    """Records in parts of at most so many bytes, or of one record."""
    part: dict[int, bytes] = {}
    n = 0
    for key, record in records.items():
        if part and n + len(record) > most:
            yield part
            part, n = {}, 0
        part[key] = record
        n += len(record)
    if part:
        yield part
