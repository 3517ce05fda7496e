"""The disk cache: a tier below memory whose blocks outlive the mount.

Loading happens on the thread that would otherwise send a GET, saving on one thread of its own, off every
reader's path (`writer.py`). Several mounts and processes may share one directory: each file proves its content
(`chunk_file.py`), so the worst that they can do to each other is to fetch something twice. Whatever goes
wrong here is a miss and a counter.

Lock order: `DiskCache._lock` is a leaf; no lock is held across I/O.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Collection, Iterable, Sequence
from concurrent.futures import Future

from cachetools import LRUCache

from ... import descriptors
from ...private_directory import PrivatePath
from ...regular_file import Untrusted, UntrustedDirectory
from ...stats import BYTES_FROM_DISK, DISK_DAMAGED, Stats
from ...stores.base import ObjectId
from .. import geometry
from ..geometry import BlockRange, block_count
from ..memory import PinnedBlocks
from . import directory, eviction
from .base import BlockSource, DiskRoom
from .chunk_file import ChunkFile, ChunkIdentity, InvalidChunk, chunks_of
from .chunk_writer import ChunkWriter
from .last_use import LastUse
from .leases import Leases
from .pins import Pins
from .place import CacheDirectory
from .room import OwnRoom
from .usage import DiskUsage
from .writer import WRITTEN_FILES, WriteBehind

log = logging.getLogger(__name__)

OPEN_FILES = 128  # far below the usual limit of 1,024 descriptors


class DiskCache:
    """Blocks below the directory `root`, which is made (0700) when first needed.

    Args:
        limit: bytes on disk that all mounts sharing `root` may take together; None: `directory.default_limit`.
        open_files: kept open for reading, at most; written_files: for writing.
    """

    def __init__(
        self,
        root: PrivatePath | str | os.PathLike[str],
        limit: int | None,
        stats: Stats,
        *,
        open_files: int = OPEN_FILES,
        written_files: int = WRITTEN_FILES,
    ) -> None:
        self._root, self._stats, self._limit = CacheDirectory(root), stats, limit
        self._lock = threading.Lock()
        # Open for reading only: closing a file that was written to may wait for a file server.
        self._files: LRUCache[str, ChunkFile] = LRUCache(open_files)
        self._last_use = LastUse(self._root)
        room = OwnRoom(self._root, limit, stats, self._last_use)
        self._writer = WriteBehind(self._root, ChunkWriter(self._root, room, stats, written_files), stats)
        self._leases = Leases(self._root)
        descriptors.spare(self._close_files)
        self._usage = DiskUsage(self._root)
        self.used = self._usage.bytes
        self._unreadable: set[int] = set()  # errnos that the log was told

    def attach(self, source: BlockSource) -> None:
        """Take the blocks to save from `source` when it is their turn."""
        self._writer.attach(source)

    def join(self, sources: Collection[str]) -> None:
        """This mount reads these sources: others that do share with it what they fetch. Never raises."""
        self._leases.join(sources)

    def leases(self, source: str) -> Leases | None:
        """A fetch from `source` begins: the leases, where another mount may be fetching the same. Never raises."""
        if not (self._leases.shared(source) and self._writer.is_on):
            return None
        self._writer.hurry()
        return self._leases

    def load(self, id: ObjectId, size: int, span: BlockRange, views: Sequence[memoryview]) -> Collection[int]:
        """Fill what is held of `span`, one view each block; the indexes that were filled. Never raises."""
        filled: set[int] = set()
        for chunk, part in chunks_of(span):
            identity = ChunkIdentity.of(id, size, chunk)
            name = identity.name
            into = views[part.first - span.first : part.stop - span.first]
            try:
                file = self._file(name, identity)
                if file is None:
                    continue
                good, bad = file.read(part, into)
                if len(good) < len(into) and not file.linked:
                    self._forget(name)  # evicted, and perhaps begun anew
                    bad = []
            except OSError as e:
                self._forget(name)
                self._stats.add(DISK_DAMAGED, len(into))
                log.info("%s/%s: %s", self._root.path, name, e.strerror or e)
                continue
            filled.update(good)
            if bad:  # fetched again now, and so written again
                self._stats.add(DISK_DAMAGED, len(bad))
                log.info("%s/%s: %d damaged blocks", self._root.path, name, len(bad))
            if good:
                self._last_use.touch(name)
        if filled:
            self._stats.of(id.source).add(BYTES_FROM_DISK, sum(len(views[i - span.first]) for i in filled))
        return filled

    def lacks(self, id: ObjectId, size: int, span: BlockRange) -> bool:
        """Whether nothing of `span` is held, as far as can be told without reading blocks. Never raises."""
        for chunk, part in chunks_of(span):
            identity = ChunkIdentity.of(id, size, chunk)
            file = self._file(identity.name, identity)
            try:
                if file is not None and file.linked and any(file.checksums(part)):
                    return False
            except OSError:
                return False  # `load` says what is wrong
        return True

    def held(self, id: ObjectId, size: int) -> Collection[int]:
        """The indexes of the blocks that have a checksum here; that it holds, only reading tells. Never raises."""
        found: set[int] = set()
        for chunk, part in chunks_of(BlockRange(0, block_count(size))) if size else ():
            identity = ChunkIdentity.of(id, size, chunk)
            try:
                sums = ChunkFile.open(identity.name, identity, within=self._root).checksums(part)
            except (InvalidChunk, OSError):  # none, or one that would not be used
                continue
            found.update(i for i, checksum in zip(range(*part), sums, strict=True) if checksum)
        return found

    def save(self, id: ObjectId, size: int, blocks: PinnedBlocks, written: Callable[[], None] | None = None) -> None:
        """Write these blocks some time soon, while memory has them. Returns at once, never raises.

        `written`: somebody waits for them; called once they are on disk, or will not be.
        """
        self._writer.save(id, size, blocks, written)

    def chunks(self, id: ObjectId, size: int, span: BlockRange) -> list[str]:
        """The names of the files that hold `span`, whether they are there or not."""
        return [ChunkIdentity.of(id, size, chunk).name for chunk, _ in chunks_of(span)]

    def names(self) -> Collection[str]:
        """The files that are there. Raises UntrustedDirectory."""
        return {file.path for file in directory.scan(self._root)}

    def absent(self, id: ObjectId, size: int, span: BlockRange) -> list[BlockRange]:
        """What is not held of `span`; what is, is marked as used now. Never raises.

        Reads no block: a damaged one counts as held.
        """
        gaps: list[BlockRange] = []
        for chunk, part in chunks_of(span):
            identity = ChunkIdentity.of(id, size, chunk)
            name = identity.name
            file = self._file(name, identity)
            try:
                sums = file.checksums(part) if file is not None and file.linked else []
            except OSError:
                sums = []
            if not sums:
                self._forget(name)
                gaps.append(part)
                continue
            self._last_use.touch(name)
            gaps += geometry.block_ranges(i for i, s in zip(range(*part), sums, strict=True) if not s)
        return gaps

    def keep(self, parts: Sequence[tuple[ObjectId, int, PinnedBlocks]]) -> Future[None]:
        """Write blocks of objects now; ids, the objects' sizes, blocks. The future completes when all are written, or
        fails with OSError: why they are not."""
        return self._writer.keep(parts)

    def room(self, own: Collection[str]) -> DiskRoom:
        """How much may be held. `own`: files that do not count as pinned. Raises OSError."""
        limit = directory.default_limit(self._root) if self._limit is None else self._limit
        files, pinned = list(directory.scan(self._root)), Pins(self._root).chunks()
        taken = sum(file.bytes for file in files)
        most = taken + eviction.headroom(limit, taken, *directory.disk_space(self._root))
        others = sum(file.bytes for file in files if file.path in pinned and file.path not in own)
        return DiskRoom(self._root.path, limit, max(0, most), others)

    def pinned(self) -> Collection[str]:
        """The files that are pinned."""
        return Pins(self._root).chunks()

    def pin(self, name: str, asked: Sequence[str], chunks: Iterable[str]) -> None:
        """Never evict these files until `name` is unpinned. Raises OSError."""
        Pins(self._root).add(name, asked, chunks)

    def flush(self, seconds: float) -> bool:
        """Wait until what waited to be written is; False where that took longer."""
        return self._writer.flush(seconds)

    def close(self) -> None:
        """Write what waits, within some seconds, and close the files. Idempotent."""
        self._writer.close()
        self._leases.close()
        with self._lock:
            self._files.clear()

    def _file(self, name: str, identity: ChunkIdentity) -> ChunkFile | None:
        """The open chunk file, None where there is none. The writer replaces one that is invalid."""
        with self._lock:
            file = self._files.get(name)
        if file is not None and file.identity == identity:
            return file
        try:
            file = ChunkFile.open(name, identity, within=self._root)
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError, UntrustedDirectory):
            return None  # the writer says what is wrong there
        except (InvalidChunk, Untrusted) as e:
            self._stats.add(DISK_DAMAGED)
            log.info("%s/%s: %s", self._root.path, name, e if isinstance(e, InvalidChunk) else e.strerror)
            return None
        except OSError as e:
            self._cannot_open(e)
            return None
        with self._lock:
            self._files[name] = file
        return file

    def _cannot_open(self, e: OSError) -> None:
        """A file that may be there is a miss. Said once for each reason: it may be so for every file of the cache."""
        if descriptors.are_used_up(e):
            self._close_files()  # others need the descriptors more
        with self._lock:
            said = e.errno in self._unreadable
            self._unreadable.add(e.errno or 0)
        if not said:
            log.warning("%s: cannot be read (%s); what it holds is fetched again", self._root.path, e.strerror or e)

    def _close_files(self) -> None:
        with self._lock:
            self._files.clear()

    def _forget(self, name: str) -> None:
        with self._lock:
            self._files.pop(name, None)
