"""Reads the chunk files of a directory that nodes share. Called on threads of the directory's guard.

None is kept open, and what was read lies in memory of its own: a call may come back when its reader has gone on.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection

from ...regular_file import Untrusted, UntrustedDirectory
from ...stores.base import ObjectId
from ..geometry import BlockRange, block_count, block_size
from .chunk_file import ChunkFile, ChunkIdentity, InvalidChunk, chunks_of
from .place import CacheDirectory

log = logging.getLogger(__name__)


class SharedChunks:
    """Those below `root`. Safe to use from many threads.

    Args:
        used: told the name of a file that is used.
        damaged: told how many blocks are damaged.
        refused: told the name of a file that we may not read.
    """

    def __init__(
        self,
        root: CacheDirectory,
        used: Callable[[str], object],
        damaged: Callable[[int], object],
        refused: Callable[[str], object],
    ) -> None:
        self._root, self._used, self._damaged, self._refused = root, used, damaged, refused

    def read(self, id: ObjectId, size: int, span: BlockRange) -> dict[int, memoryview]:
        """What is held of `span`, by index. Raises OSError where the file system fails."""
        found: dict[int, memoryview] = {}
        for chunk, part in chunks_of(span):
            identity = ChunkIdentity.of(id, size, chunk)
            if (file := self._open(identity)) is None:
                continue
            buffer = memoryview(bytearray(sum(block_size(i, size) for i in range(*part))))
            views = file.views(part, buffer)
            good, bad = file.read(part, views)
            if bad and file.linked:  # else it was evicted meanwhile
                self._damaged(len(bad))
                log.info("%s/%s: %d damaged blocks", self._root.path, identity.name, len(bad))
            found.update((i, views[i - part.first]) for i in good)
            if good:
                self._used(identity.name)
        return found

    def held(self, id: ObjectId, size: int) -> Collection[int]:
        """The blocks that have a checksum there. Raises OSError where the file system fails."""
        found: set[int] = set()
        for chunk, part in chunks_of(BlockRange(0, block_count(size))):
            if (file := self._open(ChunkIdentity.of(id, size, chunk))) is not None:
                found.update(i for i, checksum in zip(range(*part), file.checksums(part), strict=True) if checksum)
        return found

    def _open(self, identity: ChunkIdentity) -> ChunkFile | None:
        """A chunk's file, None where there is none to be believed. Raises OSError where the file system fails."""
        try:
            return ChunkFile.open(identity.name, identity, within=self._root)
        except (InvalidChunk, Untrusted) as e:
            if not isinstance(e, UntrustedDirectory):  # the writer says what is wrong with that
                self._damaged(1)
                log.info("%s/%s: %s", self._root.path, identity.name, e.strerror if isinstance(e, OSError) else e)
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            pass
        except PermissionError:
            self._refused(identity.name)
        return None
