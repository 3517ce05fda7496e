"""Reads blocks of small objects from packs. Called on threads of the directory's guard."""

from __future__ import annotations

import errno
import logging
import time
from collections.abc import Callable, Collection, Iterable
from itertools import islice

from ....regular_file import Untrusted
from ....stores.base import ObjectId
from ... import geometry
from ...geometry import BlockRange
from ..chunk_file import ChunkIdentity
from ..place import CacheDirectory
from .format import FOLDER, InvalidPack, Place, key_of
from .index import PackIndex
from .pack_file import PackFile

log = logging.getLogger(__name__)

# Records of one key that are looked at, at most: duplicates are few, and others may write any number of them.
TRIES = 4
# A pack that was found and is gone was merged: how often what it held is looked for anew.
ROUNDS = 3
# And for how long: where there are thousands of packs to be known first, the source answers sooner, and who waits for
# this would take the file system for one that hangs (`guard.PATIENCE_S`). It counts from when that was asked: where
# hundreds look at once they wait for a thread of the guard's first.
ROUNDS_S = 1.0


class PackReader:
    """Of the packs below `root`. Safe to use from many threads.

    Args:
        used: told the name of a pack that is used.
        damaged: told the name of a pack, and what is wrong in it.
    """

    def __init__(
        self,
        root: CacheDirectory,
        index: PackIndex,
        used: Callable[[str], object],
        damaged: Callable[[str, str], object],
    ) -> None:
        self.root, self.index, self.used, self.damaged = root, index, used, damaged
        self._crowded_said = False

    def read(self, id: ObjectId, size: int, span: BlockRange, asked: float) -> dict[int, memoryview]:
        """What is held of `span`, blocks of an object of `size` bytes. Raises OSError.

        `asked`: when somebody began to wait for it, monotonic seconds.
        """
        reading = _Reading(self, id, size)
        self._rounds(reading, span, reading.read, asked + ROUNDS_S)
        return reading.found

    def held(self, id: ObjectId, size: int, asked: float) -> Collection[int]:
        """The blocks of which there is a record; that it holds, only reading tells. Raises OSError."""
        reading = _Reading(self, id, size)
        self._rounds(reading, BlockRange(0, geometry.block_count(size)), reading.look, asked + ROUNDS_S)
        return set(reading.found)

    def _rounds(self, reading: _Reading, span: BlockRange, look: Callable[[Iterable[int]], None], until: float) -> None:
        for left in reversed(range(ROUNDS)):
            look([i for i in range(*span) if i not in reading.found])
            if len(reading.found) == span.stop - span.first or not left or time.monotonic() > until:
                break
            if not self.index.refresh():
                break
        if self.index.is_crowded and not self._crowded_said:
            self._crowded_said = True
            log.warning(
                "%s/%s: there are more small objects in it than a mount keeps track of; those packed longest ago are "
                "fetched again",
                self.root.path,
                FOLDER,
            )


class _Reading:
    """One object that is looked for. `found`: its blocks; their bytes only where these were read.

    It opens a pack once for all blocks, and keeps it open no longer than that.
    """

    def __init__(self, reader: PackReader, id: ObjectId, size: int) -> None:
        self._reader, self._size = reader, size
        self._identity = ChunkIdentity.of(id, size, 0).encode()
        self.found: dict[int, memoryview] = {}

    def read(self, blocks: Iterable[int]) -> None:
        """Read blocks."""
        self._each(blocks, self._read)

    def look(self, blocks: Iterable[int]) -> None:
        """Look which blocks there are."""
        self._each(blocks, self._look)

    def _each(self, blocks: Iterable[int], one: Callable[[PackFile, Place, int], bool]) -> None:
        opened: dict[str, PackFile | None] = {}
        for block in blocks:
            for name, place in islice(self._reader.index.find(key_of(self._identity, block)), TRIES):
                if name not in opened:
                    opened[name] = self._open(name)
                if (file := opened[name]) is None:
                    continue
                try:
                    if one(file, place, block):
                        break
                except OSError as e:
                    if e.errno != errno.ESTALE:
                        raise
                    opened[name] = None  # as NFS says that it is gone
                    self._gone(name)

    def _open(self, name: str) -> PackFile | None:
        try:
            return PackFile.open(name, self._reader.root)
        except (FileNotFoundError, Untrusted, IsADirectoryError, NotADirectoryError):
            self._gone(name)
        except (PermissionError, BlockingIOError):
            pass
        return None

    def _gone(self, name: str) -> None:
        """It was merged with others, or evicted."""
        self._reader.index.forget(name)
        self._reader.index.expire(changed=True)

    def _read(self, file: PackFile, place: Place, block: int) -> bool:
        try:
            record = file.record(place)
        except InvalidPack as e:
            if file.is_linked:
                self._reader.damaged(file.name, str(e))
            else:
                self._gone(file.name)
            return False
        if (record.identity, record.block) != (self._identity, block):  # another's, with the same key
            return False
        if len(record.data) != geometry.block_size(block, self._size):
            return False
        self.found[block] = record.data
        self._reader.used(file.name)
        return True

    def _look(self, file: PackFile, place: Place, block: int) -> bool:
        if file.head(place) != (self._identity, block, geometry.block_size(block, self._size)):
            return False
        self.found[block] = memoryview(b"")
        return True
