"""Writes blocks into the chunk files of one cache directory, and keeps the directory to its limit.

Used by one thread at a time (`writer.WriteBehind`'s), but for `limit`, which anybody may read.
"""

from __future__ import annotations

import errno
import logging
import os
import time
from collections.abc import Sequence
from contextlib import suppress

from cachetools import LRUCache

from ...regular_file import Untrusted, UntrustedDirectory
from ...stats import DISK_EVICTED, DISK_KEPT, DISK_SKIPPED, Stats
from ...stores.base import ObjectId
from ..geometry import BlockRange
from ..memory import PinnedBlocks
from . import directory, eviction
from .chunk_file import ALIGNMENT, ChunkFile, ChunkIdentity, InvalidChunk, chunks_of
from .last_use import LastUse
from .pins import Pins
from .place import CacheDirectory

log = logging.getLogger(__name__)


class ChunkWriter:
    """What one process writes into a cache directory.

    Args:
        limit: bytes on disk that everything in `root` may take; None: `directory.default_limit`, found when needed.
        last_use: when this process last used which file.
        open_files: kept open, at most.
    """

    def __init__(
        self, root: CacheDirectory, limit: int | None, stats: Stats, last_use: LastUse, open_files: int
    ) -> None:
        self.limit = limit
        self._root, self._stats, self._last_use = root, stats, last_use
        self._files: LRUCache[str, ChunkFile] = LRUCache(open_files)
        self._allowed = 0  # bytes that may be written before the directory is looked at again
        self._pins = Pins(root)
        self._said = False

    def let_go(self) -> None:
        """Close the files, and look at the directory before the next write: it may be another one by then."""
        self._files.clear()
        self._allowed = 0

    def write(self, id: ObjectId, size: int, blocks: PinnedBlocks, *, awaited: bool) -> None:
        """Write blocks of an object of `size` bytes, and make room for them.

        Raises OSError where nothing can be written; where somebody has `awaited` it, whatever is not written.
        """
        for chunk, part in chunks_of(blocks.span):
            identity = ChunkIdentity.of(id, size, chunk)
            views = blocks.views[part.first - blocks.span.first : part.stop - blocks.span.first]
            n = sum(map(len, views))
            # At most: each block's last page, and the header.
            cost = len(views) * ALIGNMENT + n // ALIGNMENT * ALIGNMENT + 2 * ALIGNMENT
            if not self._make_room(cost):
                if awaited:
                    raise OSError(errno.ENOSPC, "it is larger than the limit of the cache")
                self._stats.add(DISK_SKIPPED, n)
                continue
            try:
                new = self._write_part(identity, part, views)
            except (UntrustedDirectory, IsADirectoryError, NotADirectoryError) as e:  # something foreign has its name
                if awaited:
                    raise
                self._stats.add(DISK_SKIPPED, n)
                self._say_once(f"{e.filename}: {e.strerror}; it is left alone, and what belongs there is not cached")
                continue
            if new:
                self._allowed -= cost
                self._stats.add(DISK_KEPT, n)

    def _write_part(self, identity: ChunkIdentity, part: BlockRange, views: Sequence[memoryview]) -> bool:
        """Write blocks into their file; whether any was absent before."""
        name = identity.name
        file = self._files.get(name)
        if file is None or file.identity != identity or not file.linked:
            file, made = self._open_or_create(identity, part, views)
            self._files[name] = file
            if made:
                return True
        return file.write(part, views) > 0

    def _open_or_create(
        self, identity: ChunkIdentity, part: BlockRange, views: Sequence[memoryview]
    ) -> tuple[ChunkFile, bool]:
        """The file of a chunk, and whether it was made now, with these blocks in it."""
        try:
            return self._open(identity), False
        except UntrustedDirectory:
            raise
        except FileNotFoundError:
            try:
                return self._create(identity, part, views, replace=False), True
            except FileExistsError:  # another mount has begun the same chunk: what both write belongs into one file
                with suppress(FileNotFoundError, InvalidChunk, Untrusted):
                    return self._open(identity), False
        except (InvalidChunk, Untrusted):
            pass
        return self._create(identity, part, views), True

    def _open(self, identity: ChunkIdentity) -> ChunkFile:
        return ChunkFile.open(identity.name, identity, within=self._root, write=True)

    def _create(
        self, identity: ChunkIdentity, part: BlockRange, views: Sequence[memoryview], *, replace: bool = True
    ) -> ChunkFile:
        try:
            return ChunkFile.create(self._root.held(), identity, part, views, replace=replace)
        except FileNotFoundError:  # the folder is not there yet, or somebody has removed the whole cache
            root = self._root.make()
            root.make(os.path.dirname(identity.name))
            return ChunkFile.create(root, identity, part, views, replace=replace)

    def _make_room(self, n: int) -> bool:
        """Whether `n` bytes may be written; evicts for them. Looks at the directory only now and then.

        Raises OSError, also where the disk has no room however much is evicted.
        """
        if n <= self._allowed:
            return True
        directory.make(self._root)
        if self.limit is None:
            self.limit = directory.default_limit(self._root)
        pinned = self._pins.chunks()
        files = [f._replace(used=max(f.used, self._last_use.of(f.path))) for f in directory.scan(self._root)]
        room = eviction.headroom(self.limit, sum(f.bytes for f in files), *directory.disk_space(self._root))
        # Other processes write too, each up to this much between two looks; so some room is left below the limit.
        step = max(self.limit // 32, min(n, self.limit))
        if room < n:
            for victim in eviction.victims(files, min(n + 2 * step, self.limit) - room, time.time(), pinned):
                self._files.pop(victim.path, None)
                if directory.remove(self._root, victim.path):
                    self._stats.add(DISK_EVICTED, victim.bytes)
                room += victim.bytes
        self._allowed = min(room, step)
        if self._allowed < min(n, self.limit):  # not even with all gone that may go
            held = sum(f.bytes for f in files if f.path in pinned)
            raise OSError(errno.ENOSPC, eviction.why_no_room(n, self.limit, held))
        return n <= self._allowed

    def _say_once(self, text: str) -> None:
        if not self._said:
            log.warning("%s", text)
        self._said = True
