"""Writes fetched blocks to the disk cache on a thread of its own, and holds the cache to its limit.

Where nothing can be kept (a full disk, a read-only directory) it says so once and lets the mount go on with
what memory holds.

Lock order: `Keeper._lock` is a leaf; no lock is held across I/O. What has no lock is the thread's alone.
"""

from __future__ import annotations

import errno
import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from cachetools import LRUCache

from ...stats import Stats
from ...stores.base import ObjectId
from .. import counters
from ..geometry import Run
from . import directory as cachedir
from . import eviction as evict
from . import throttle as pace
from .base import Lend, Loan
from .chunk_file import PAGE, ChunkFile, Identity, NotThisChunk, parts

log = logging.getLogger(__name__)

# The writer gives way: while blocks keep arriving it waits, unless one has waited for AGE_S, or so many wait that
# memory might evict them soon. On two cores, writing at once cost a first read of 256 MiB a third of its time. (Not by
# setpriority: a thread that holds Python's lock and gets no processor stops all others.) And while they keep arriving
# it rests after each write (`pace`).
QUIET_S, AGE_S = 0.1, 1.0
# Blocks that wait stay in memory as any others do, and what is evicted before its turn is not kept: no reader waits for
# the disk, or goes short of memory for it. Only this much is held for certain, for mounts with next to no memory.
PINNED = 8 << 20
OPEN_FILES = 16
# After a full disk, how long until keeping is tried again.
FULL_S = 60.0
# How long closing waits for what is still to be written.
CLOSE_S = 10.0

_READ_ONLY = frozenset({errno.EROFS, errno.EACCES, errno.EPERM})


class _Job(NamedTuple):
    """Blocks to keep. `loan`: they themselves; None: to be borrowed from memory when it is their turn."""

    id: ObjectId
    size: int
    run: Run
    loan: Loan | None
    bytes: int
    since: float


class Keeper:
    """The writer of one cache directory.

    Args:
        limit: bytes on disk that everything in `root` may take; None: `cachedir.default_limit`, found when needed.
        last_used: when this process last read a file of that name, seconds since the epoch, 0 if never.
    """

    def __init__(self, root: str, limit: int | None, stats: Stats, last_used: Callable[[str], float]) -> None:
        self._root, self._limit, self._stats = root, limit, stats
        self._last_used = last_used
        self._memory = 0
        self._lend: Lend = lambda id, run: []
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._jobs: deque[_Job] = deque()
        self._waiting = self._pinned = 0  # bytes in `_jobs` and in the thread's hands, and of them those that are held
        self._thread: threading.Thread | None = None
        self._closed = self._warned = False
        self._off_until = self._last = self._rest_until = 0.0
        self._flushing = 0
        self._files: LRUCache[str, ChunkFile] = LRUCache(OPEN_FILES)
        self._allowed = 0  # bytes that may be written before the directory is looked at again

    def attach(self, memory: int, lend: Lend) -> None:
        """Borrow blocks by `lend` from a memory of so many bytes."""
        self._memory, self._lend = memory, lend

    def keep(self, id: ObjectId, size: int, loan: Loan) -> None:
        """Write these blocks some time soon, or not at all where that is not possible."""
        n, now = sum(map(len, loan.views)), time.monotonic()
        with self._lock:
            self._last = now
            if self._closed or (self._limit is not None and n > self._limit) or now < self._off_until:
                self._stats.add(counters.DISK_SKIPPED, n)
                return
            held, pressed = self._pinned + n <= PINNED, self._pressed
            self._jobs.append(_Job(id, size, loan.run, loan if held else None, n, now))
            self._waiting += n
            self._pinned += n if held else 0
            while self._waiting > max(self._memory, n) and self._jobs[0].loan is None:
                oldest = self._jobs.popleft()  # memory cannot hold it any more
                self._stats.add(counters.DISK_SKIPPED, oldest.bytes)
                self._done(oldest)
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="disk-cache", daemon=True)
                self._thread.start()
            elif len(self._jobs) == 1 or self._pressed > pressed:  # else it knows when its turn comes
                self._changed.notify_all()

    def flush(self, seconds: float) -> bool:
        """Wait until all that was to be kept is written; False where that took longer."""
        with self._lock:
            self._flushing += 1
            self._changed.notify_all()
            done = self._changed.wait_for(lambda: not self._waiting, seconds)
            self._flushing -= 1
            return done

    def close(self) -> None:
        """Write what waits, within some seconds, and end. Idempotent."""
        with self._lock:
            self._closed = True
            thread = self._thread
            self._changed.notify_all()
        if thread is not None:
            thread.join(CLOSE_S)
        with self._lock:
            self._jobs.clear()

    # -- the thread -----------------------------------------------------------------------------

    def _work(self) -> None:
        at, used = time.monotonic(), time.process_time()
        while True:
            with self._lock:
                while (pause := self._pause()) > 0:
                    if self._closed and not self._jobs:
                        self._files.clear()
                        return
                    self._changed.wait(pause if self._jobs else None)
                job = self._jobs.popleft()
            begun = time.thread_time()
            try:
                self._store(job)
            except OSError as e:
                self._stats.add(counters.DISK_SKIPPED, job.bytes)
                self._trouble(e)
            except Exception:  # the thread must live on: later blocks can still be kept
                self._stats.add(counters.DISK_SKIPPED, job.bytes)
                log.exception("disk cache")
            since, before = at, used
            at, used = time.monotonic(), time.process_time()
            processors = (used - before) / max(at - since, 1e-6)
            with self._lock:
                self._rest_until = at + pace.rest(time.thread_time() - begun, processors)
                self._done(job)
                del job  # a waiting thread must keep no buffer alive
                if not self._waiting:
                    self._changed.notify_all()

    def _done(self, job: _Job) -> None:
        self._waiting -= job.bytes
        self._pinned -= job.bytes if job.loan is not None else 0

    @property
    def _pressed(self) -> bool:
        """Whether so much waits that memory might evict it soon: half of it is for what was read, or is to be kept."""
        return self._waiting > self._memory * 3 // 8

    def _pause(self) -> float:
        """Seconds until the next job may be done; infinite where there is none."""
        if not self._jobs:
            return float("inf")
        if self._closed or self._flushing:
            return 0.0
        now = time.monotonic()
        due = now if self._pressed else self._jobs[0].since + AGE_S
        return min(self._last + QUIET_S, max(due, self._rest_until)) - now

    def _store(self, job: _Job) -> None:
        loans = [job.loan] if job.loan is not None else self._lend(job.id, job.run)
        missing = job.bytes - sum(len(v) for loan in loans for v in loan.views)
        if missing:
            self._stats.add(counters.DISK_SKIPPED, missing)
        for loan in loans:
            self._write(job.id, job.size, loan)

    def _write(self, id: ObjectId, size: int, loan: Loan) -> None:
        for chunk, part in parts(loan.run):
            identity = Identity(id, size, chunk)
            views = loan.views[part.first - loan.run.first : part.stop - loan.run.first]
            n = sum(map(len, views))
            cost = len(views) * PAGE + n // PAGE * PAGE + 2 * PAGE  # at most: each block's last page, and the header
            if not self._make_room(cost):
                self._stats.add(counters.DISK_SKIPPED, n)
                continue
            if self._file(identity).write(part, views):
                self._allowed -= cost
                self._stats.add(counters.DISK_KEPT, n)

    def _file(self, identity: Identity) -> ChunkFile:
        name = identity.name
        file = self._files.get(name)
        if file is not None and file.identity == identity and file.linked:
            return file
        path = os.path.join(self._root, name)
        try:
            file = ChunkFile.open(path, identity, write=True)
        except (FileNotFoundError, NotThisChunk):
            cachedir.make(self._root, os.path.dirname(path))
            file = ChunkFile.create(path, identity)
        self._files[name] = file
        return file

    def _make_room(self, n: int) -> bool:
        """Whether `n` bytes may be written; evicts for them. Looks at the directory only now and then.

        Raises OSError, also where the disk has no room however much is evicted.
        """
        if n <= self._allowed:
            return True
        cachedir.make(self._root, self._root)
        if self._limit is None:
            self._limit = cachedir.default_limit(self._root)
        files = [f._replace(used=max(f.used, self._last_used(f.path))) for f in cachedir.scan(self._root)]
        room = evict.room(self._limit, sum(f.bytes for f in files), *cachedir.space(self._root))
        # Other processes write too, each up to this much between two looks; so some room is left below the limit.
        step = max(self._limit // 32, min(n, self._limit))
        if room < n:
            for victim in evict.choose(files, min(n + 2 * step, self._limit) - room):
                self._files.pop(victim.path, None)
                if cachedir.remove(self._root, victim.path):
                    self._stats.add(counters.DISK_EVICTED, victim.bytes)
                room += victim.bytes
        self._allowed = min(room, step)
        if self._allowed < min(n, self._limit):  # not even with all of ours gone: others have filled the disk
            raise OSError(errno.ENOSPC, "less than 5 % of the disk is free")
        return n <= self._allowed

    def _trouble(self, e: OSError) -> None:
        """Stop keeping: for good where we may not write, else for a while. Say so once."""
        self._files.clear()
        self._allowed = 0
        with self._lock:
            self._off_until = float("inf") if e.errno in _READ_ONLY else time.monotonic() + FULL_S
            warned, self._warned = self._warned, True
        if not warned:
            log.warning("%s: cannot keep data here (%s); going on with memory alone", self._root, e.strerror or e)
