"""The shared cache: a tier below the node's own disk cache and above the store, in a directory that nodes share.

It is made of the same parts: chunk files that prove what they hold, a writer of its own, leases. What differs is what a
directory on a network, which others may write, demands:

- Each call goes through the place's guard (`shared_directory/guard.py`): a file system that hangs holds up a reader for
  some seconds, once, and is left out then. So blocks are read into memory of the call's own, and copied.
- No file is kept open. Who opens a file on one node sees what was closed on another (NFS promises no more).
- Small objects lie in packs, many in a file (`packs/`): they are left to a `PackTier`, and so is what waits for them.
- Leases are always taken, without a look who else is there, and tell whether their holders live by files that are
  opened (`members`).
- Room comes from a ledger, and one mount at a time evicts (`shared_room`).

Whatever goes wrong is a miss and a counter. Lock order: it has no lock of its own; none is held across I/O.
"""

from __future__ import annotations

import errno
import logging
import os
import time
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import Future
from functools import partial

from ...regular_file import UntrustedDirectory
from ...shared_directory.place import SharedPlace
from ...stats import BYTES_FROM_SHARED, SHARED_DAMAGED, SHARED_KEPT, SHARED_SKIPPED, Stats
from ...stores.base import Deadline, ObjectId
from ..geometry import BlockRange, block_count
from ..memory import PinnedBlocks
from .base import BlockSource, Busy, Hold, TierCounters
from .chunk_writer import ChunkWriter
from .last_use import LastUse
from .leases import Leases
from .ledger import Ledger
from .members import CLUSTER, Members
from .packs.format import PACKED
from .packs.tier import PackTier
from .place import CacheDirectory
from .shared_chunks import SharedChunks
from .shared_room import SharedRoom
from .writer import READ_ONLY, WriteBehind

log = logging.getLogger(__name__)

FOLDER = "blocks"
COUNTERS = TierCounters(BYTES_FROM_SHARED, SHARED_KEPT, SHARED_SKIPPED, SHARED_DAMAGED)
# Files' times of use are for eviction alone, and each is a request to the metadata server.
TOUCH_S = 900.0
# A write that takes longer is taken for one that hangs: it may be 16 MiB, on a file server that is busy.
WRITE_S = 30.0
CLOSE_S = 5.0


class SharedCache:
    """Blocks below `blocks/` of a shared directory.

    Args:
        sources: those whose bytes may lie there (`Store.source`).
        limit: bytes on disk that all nodes may take together; None: by the free disk.
    """

    def __init__(self, place: SharedPlace, sources: Collection[str], limit: int | None, stats: Stats) -> None:
        self._place, self._guard, self._sources, self._stats = place, place.guard, frozenset(sources), stats
        self._root = CacheDirectory(place.path / FOLDER)
        self._last_use = LastUse(self._root, TOUCH_S)
        self._leases = Leases(self._root, neighbours=Members(self._root), rhythm=CLUSTER, post=self._guard.post)
        self._ledger = Ledger(self._root)
        room = SharedRoom(self._root, limit, stats)
        chunks = ChunkWriter(self._root, room, stats, 0, COUNTERS)
        self._writer = WriteBehind(self._root, chunks, stats, COUNTERS, self._suspended)
        self._chunks = SharedChunks(self._root, self._use, partial(stats.add, SHARED_DAMAGED), self._refused)
        self._packs = PackTier(
            self._root, room, self._writer, stats, COUNTERS, ended=self._packed, used=self._use, refused=self._refused,
            post=self._guard.post,
        )  # fmt: skip
        self._full_said = self._refused_said = False
        self._guard.when_out(self._left_out)

    def takes(self, source: str) -> bool:
        """Whether bytes of a source are looked for there now."""
        return source in self._sources and self._guard.is_on

    def attach(self, source: BlockSource) -> None:
        """Take the blocks to save from `source` when it is their turn."""
        self._writer.attach(source)

    def join(self) -> None:
        """This mount uses the directory. Never raises, and waits for nothing."""
        if self._place.may_write:
            self._guard.post(self._make)
        self._guard.post(self._packs.learn)

    def _make(self) -> None:
        self._root.make()
        self._leases.join(())

    # -- reading --------------------------------------------------------------------------------

    def load(self, id: ObjectId, size: int, span: BlockRange, views: Sequence[memoryview]) -> Collection[int]:
        """Fill what is held of `span`, one view each block; the indexes that were filled. Never raises."""
        if not self.takes(id.source):
            return ()
        try:
            found = self._guard.call(self._read, id, size, span, time.monotonic())
        except OSError:
            return ()
        for index, block in found.items():
            views[index - span.first][:] = block
        if found:
            self._stats.of(id.source).add(BYTES_FROM_SHARED, sum(map(len, found.values())))
        return found

    def _read(self, id: ObjectId, size: int, span: BlockRange, asked: float) -> dict[int, memoryview]:
        """On a thread of the guard's: what is held of `span`, by index. Raises OSError where the file system fails."""
        found = self._packs.read(id, size, span, asked) if size <= PACKED else {}
        if len(found) < span.stop - span.first:  # a small one may lie in a file, too, which an earlier version made
            found = self._chunks.read(id, size, span) | found
        if found:
            self._guard.worked()
        return found

    def _use(self, name: str) -> None:
        if self._place.may_write:
            self._last_use.touch(name)

    def _refused(self, name: str) -> None:
        said, self._refused_said = self._refused_said, True
        if not said:
            why = os.strerror(errno.EACCES)
            log.warning("%s/%s: %s; what others do not let us read is fetched", self._root.path, name, why)

    def held(self, id: ObjectId, size: int) -> Collection[int]:
        """The indexes of the blocks that have a checksum there; that it holds, only reading tells. Never raises."""
        if not (size and self.takes(id.source)):
            return ()
        try:
            return self._guard.call(self._held, id, size, time.monotonic())
        except OSError:
            return ()

    def _held(self, id: ObjectId, size: int, asked: float) -> Collection[int]:
        found = self._packs.held(id, size, asked) if size <= PACKED else ()
        return found if len(found) == block_count(size) else {*found, *self._chunks.held(id, size)}

    def used(self) -> int | None:
        """Bytes on disk that it takes, as its ledger says; None where that is not known."""
        try:
            return self._guard.call(self._ledger.read)
        except OSError:
            return None

    # -- writing --------------------------------------------------------------------------------

    def save(self, id: ObjectId, size: int, blocks: PinnedBlocks, written: Callable[[], None] | None = None) -> None:
        """Write these blocks soon, while memory has them. Returns at once, never raises.

        `written`: called once they are there for others, or will not be.
        """
        if size <= PACKED:
            self._pack(id, size, blocks, written)
        elif self._can_write(id.source):
            self._writer.save(id, size, blocks, written)
        elif written is not None:
            written()

    def keep(self, id: ObjectId, size: int, blocks: PinnedBlocks, written: Callable[[], None] | None = None) -> None:
        """As `save`, for blocks that are in no memory: they are held until they are written."""
        if size <= PACKED:
            self._pack(id, size, blocks, written)
        elif self._can_write(id.source):
            self._writer.keep([(id, size, blocks)]).add_done_callback(partial(self._kept, written))
        elif written is not None:
            written()

    def _pack(self, id: ObjectId, size: int, blocks: PinnedBlocks, written: Callable[[], None] | None) -> None:
        can_write = self._can_write(id.source)
        if can_write and self._writer.is_on:
            self._packs.save(id, size, blocks, written)
            return
        self._stats.add(SHARED_SKIPPED, sum(map(len, blocks.views)) if can_write else 0)
        if written is not None:
            written()

    def _packed(self, future: Future[None]) -> None:
        if isinstance(error := future.exception(), OSError) and error.errno != errno.ESHUTDOWN:
            self._writer.suspend(error)

    def _kept(self, written: Callable[[], None] | None, future: Future[None]) -> None:
        if isinstance(error := future.exception(), OSError):
            self._suspended(error, error.errno in READ_ONLY)
        if written is not None:
            written()

    def _can_write(self, source: str) -> bool:
        if self._writer.busy_s > WRITE_S:
            self._guard.hangs("writing")
        return self._place.may_write and self.takes(source)

    def leases(self, source: str) -> SharedCache | None:
        """A fetch from `source` begins: the leases among nodes, None where there are none. Never raises."""
        if not (self._place.may_write and self.takes(source) and self._writer.is_on):
            return None
        self._writer.hurry()
        return self

    def take(self, id: ObjectId, size: int, spans: Sequence[BlockRange]) -> tuple[Hold, list[BlockRange], list[Busy]]:
        """As `LeaseTable.take`. Where the file system fails, all is this mount's to fetch."""
        try:
            return self._guard.call(self._take, id, size, spans, late=_give_back)
        except OSError:
            return _NOTHING, list(spans), []

    def _take(self, id: ObjectId, size: int, spans: Sequence[BlockRange]) -> tuple[Hold, list[BlockRange], list[Busy]]:
        self._place.keep_time()
        if not self._leases.shared(id.source):
            return _NOTHING, list(spans), []
        try:
            return self._leases.take(id, size, spans)
        finally:  # what others had leased just before may be there now
            self._packs.expire()

    def wait(self, source: str, busy: Collection[Busy], patience: Deadline) -> bool:
        """As `LeaseTable.wait`; it ends when the directory is left out."""
        try:
            return self._guard.is_on and self._leases.wait(source, busy, patience)
        finally:
            self._packs.expire(changed=True)

    def flush(self, seconds: float) -> bool:
        """Wait until what waited to be written is; False where that took longer."""
        return self._writer.flush(seconds)

    def close(self) -> None:
        """Write what waits, within some seconds. Idempotent."""
        is_on = self._guard.is_on
        self._packs.close()
        self._writer.close(CLOSE_S if is_on else 0.0)
        self._leases.close()
        if is_on:
            self._guard.drain(CLOSE_S)
        self._guard.close()

    # -- what it is told ------------------------------------------------------------------------

    def _suspended(self, e: OSError, for_good: bool) -> None:
        """Nothing is written for a while, or any more."""
        self._guard.failed(e)
        if for_good:
            self._place.read_only(f"nothing can be written there ({e.strerror or e})")
            return
        said, self._full_said = self._full_said, True
        if not said:
            where = e.filename if isinstance(e, UntrustedDirectory) else self._root.path
            why = e.strerror or os.strerror(e.errno or 0)
            log.warning("%s: nothing is written to the shared cache for a while (%s); it is still read", where, why)

    def _left_out(self) -> None:
        self._leases.end_waits()
        self._writer.drop()


class _NoHold:
    """Of no lease."""

    def share(self) -> Callable[[], None]:
        return self.done

    def done(self) -> None:
        pass


_NOTHING = _NoHold()


def _give_back(taken: tuple[Hold, list[BlockRange], list[Busy]]) -> None:
    """Leases that came too late to be of use."""
    taken[0].done()
