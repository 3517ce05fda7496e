"""The tier below memory: blocks on disk, which outlive the mount.

Loading happens on the thread that would otherwise send a GET; keeping on one thread of its own, off every
reader's path (`keeper.py`). Several mounts and processes may share one directory: each file proves itself
(`chunkfile.py`), so the worst that they can do to each other is to fetch something twice. Whatever goes
wrong here is a miss and a counter.

Lock order: `DiskTier._lock` is a leaf; no lock is held across I/O.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Collection, Sequence

from cachetools import LRUCache

from ...stats import Stats
from ...stores.base import ObjectId
from .. import counters
from ..geometry import Run
from . import directory as cachedir
from .base import Lend, Loan
from .chunk_file import ChunkFile, Identity, NotThisChunk, parts
from .writer import Keeper

log = logging.getLogger(__name__)

OPEN_FILES = 128  # far below the usual limit of 1,024 descriptors
# An LRU's memory across processes and restarts is the files' mtime; once a minute is fine enough for it.
TOUCH_S = 60.0


class DiskTier:
    """Blocks below the directory `root`, which is made (0700) when first needed.

    Args:
        limit: bytes on disk that all mounts sharing `root` may take together; None: `cachedir.default_limit`.
    """

    def __init__(self, root: str | os.PathLike[str], limit: int | None, stats: Stats) -> None:
        self._root, self._stats = os.fspath(root), stats
        self._lock = threading.Lock()
        # Open for reading only: closing a file that was written to may wait for a file server.
        self._files: LRUCache[str, ChunkFile] = LRUCache(OPEN_FILES)
        self._used: LRUCache[str, float] = LRUCache(4096)  # when we used files, finer than their mtime
        self._keeper = Keeper(self._root, limit, stats, self._last_used)

    def attach(self, memory: int, lend: Lend) -> None:
        """Borrow the blocks to keep by `lend` from a memory of so many bytes."""
        self._keeper.attach(memory, lend)

    def load(self, id: ObjectId, size: int, run: Run, views: Sequence[memoryview]) -> Collection[int]:
        """Fill what is held of `run`, one view each block; the indexes that were filled. Never raises."""
        filled: set[int] = set()
        for chunk, part in parts(run):
            identity = Identity(id, size, chunk)
            name = identity.name
            into = views[part.first - run.first : part.stop - run.first]
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
                self._stats.add(counters.DISK_DAMAGED, len(into))
                log.info("%s/%s: %s", self._root, name, e.strerror or e)
                continue
            filled.update(good)
            if bad:  # fetched again now, and so written again
                self._stats.add(counters.DISK_DAMAGED, len(bad))
                log.info("%s/%s: %d damaged blocks", self._root, name, len(bad))
            if good:
                self._touch(name)
        if filled:
            self._stats.of(id.source).add(counters.DISK, sum(len(views[i - run.first]) for i in filled))
        return filled

    def keep(self, id: ObjectId, size: int, loan: Loan) -> None:
        """Write these blocks some time soon, while memory has them. Returns at once, never raises."""
        self._keeper.keep(id, size, loan)

    def flush(self, seconds: float) -> bool:
        """Wait until what waited to be written is; False where that took longer."""
        return self._keeper.flush(seconds)

    def close(self) -> None:
        """Write what waits, within some seconds, and close the files. Idempotent."""
        self._keeper.close()
        with self._lock:
            self._files.clear()

    def _file(self, name: str, identity: Identity) -> ChunkFile | None:
        """The open chunk file, None where there is none. The keeper replaces one that is damaged or another's."""
        with self._lock:
            file = self._files.get(name)
        if file is not None and file.identity == identity:
            return file
        try:
            file = ChunkFile.open(os.path.join(self._root, name), identity)
        except FileNotFoundError:
            return None
        except NotThisChunk as e:
            self._stats.add(counters.DISK_DAMAGED)
            log.info("%s/%s: %s", self._root, name, e)
            return None
        with self._lock:
            self._files[name] = file
        return file

    def _touch(self, name: str) -> None:
        now = time.time()
        with self._lock:
            last = self._used.get(name, 0.0)
            self._used[name] = now
        if now - last > TOUCH_S:
            cachedir.touch(self._root, name)

    def _last_used(self, name: str) -> float:
        with self._lock:
            return self._used.get(name, 0.0)

    def _forget(self, name: str) -> None:
        with self._lock:
            self._files.pop(name, None)
