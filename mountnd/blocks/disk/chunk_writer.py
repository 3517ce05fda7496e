"""Writes blocks into the chunk files of one cache directory, as far as there is room (`room`).

Used by one thread at a time (`writer.WriteBehind`'s), but for `limit`, which anybody may read.
"""

from __future__ import annotations

import errno
import logging
import os
from collections.abc import Sequence
from contextlib import suppress

from cachetools import LRUCache

from ...regular_file import Untrusted, UntrustedDirectory
from ...stats import Stats
from ...stores.base import ObjectId
from ..geometry import BlockRange
from ..memory import PinnedBlocks
from .base import OWN, Room, TierCounters
from .chunk_file import ALIGNMENT, ChunkFile, ChunkIdentity, InvalidChunk, chunks_of
from .place import CacheDirectory

log = logging.getLogger(__name__)


class _NotOurs(Exception):
    """A file of another user, who lets us read it only."""


class ChunkWriter:
    """What one process writes into a cache directory.

    Args:
        room: how much may be written.
        open_files: kept open, at most; 0: whoever opens a file on another node must find what was written.
        counters: under which names it is counted.
    """

    def __init__(
        self, root: CacheDirectory, room: Room, stats: Stats, open_files: int, counters: TierCounters = OWN
    ) -> None:
        self._root, self._room, self._stats, self._counters = root, room, stats, counters
        self._files: LRUCache[str, ChunkFile] = LRUCache(max(1, open_files))
        self._keeps_open = open_files > 0
        self._said = False

    @property
    def limit(self) -> int | None:
        """Bytes on disk that everything in the directory may take; None: not known yet."""
        return self._room.limit

    def let_go(self) -> None:
        """Close the files, and look at the directory before the next write: it may be another one by then."""
        self._files.clear()
        self._room.forget()

    def failed(self, error: OSError) -> None:
        """A write has failed so."""
        self._room.failed(error)

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
            if not self._room.make(cost, self._evicted):
                if awaited:
                    raise OSError(errno.ENOSPC, "it is larger than the limit of the cache")
                self._stats.add(self._counters.skipped, n)
                continue
            try:
                new = self._write_part(identity, part, views)
            except (UntrustedDirectory, IsADirectoryError, NotADirectoryError) as e:  # something foreign has its name
                if awaited:
                    raise
                self._stats.add(self._counters.skipped, n)
                self._say_once(f"{e.filename}: {e.strerror}; it is left alone, and what belongs there is not cached")
                continue
            except _NotOurs:
                self._stats.add(self._counters.skipped, n)
                continue
            finally:
                if not self._keeps_open:
                    self._files.clear()
            if new:
                self._room.spend(cost)
                self._stats.add(self._counters.kept, n)

    def _evicted(self, name: str) -> None:
        self._files.pop(name, None)

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
        except (InvalidChunk, Untrusted):
            pass
        except PermissionError:
            if self._keeps_open:
                raise
            raise _NotOurs from None
        except FileNotFoundError:
            try:
                return self._create(identity, part, views, replace=False), True
            except FileExistsError:  # another mount has begun the same chunk: what both write belongs into one file
                with suppress(FileNotFoundError, InvalidChunk, Untrusted):
                    return self._open(identity), False
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

    def _say_once(self, text: str) -> None:
        if not self._said:
            log.warning("%s", text)
        self._said = True
