"""Write-behind: what is fetched goes to the disk cache on a thread of its own, when nobody is disturbed by that.

Where nothing can be written (a full disk, a read-only directory) it says so once and lets the mount go on with
what memory holds.

Lock order: `WriteBehind._lock` is a leaf; no lock is held across I/O. What has no lock is the thread's alone.
"""

from __future__ import annotations

import errno
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from functools import partial
from typing import NamedTuple

from ...regular_file import UntrustedDirectory
from ...stats import Stats
from ...stores.base import ObjectId
from ..geometry import BlockRange
from ..memory import PinnedBlocks
from . import throttle
from .awaited_work import AwaitedWork, failure_of
from .base import OWN, BlockSource, TierCounters
from .chunk_writer import ChunkWriter
from .place import CacheDirectory

log = logging.getLogger(__name__)

# The writer gives way: while blocks keep arriving it waits, unless one has waited for AGE_S, or so many wait that
# memory might evict them soon. On two cores, writing at once cost a first read of 256 MiB a third of its time. (Not by
# setpriority: a thread that holds Python's lock and gets no processor stops all others.) And while they keep arriving
# it pauses after each write (`throttle`).
QUIET_S, AGE_S = 0.1, 1.0
# From then on it pauses less: what came more than 2 s ago is to outlive the daemon, however that ends.
LATE_S = 1.2
# Blocks that wait stay in memory as any others do, and what is evicted before its turn is not written: no reader waits
# for the disk, or goes short of memory for it. Only this much is pinned, for mounts with next to no memory.
PINNED = 8 << 20
# While other mounts fetch the same it does not give way, but for as long as this after their last sign.
HURRY_S = 1.0
# What other mounts may wait for is pinned up to this part of memory: once evicted, one of them would fetch it again.
SHARED_PART = 4
WRITTEN_FILES = 16  # open for that, at most
# After a full disk, how long until writing is tried again.
FULL_S = 60.0
# How long closing waits for what is still to be written.
CLOSE_S = 10.0

READ_ONLY = frozenset({errno.EROFS, errno.EACCES, errno.EPERM})


class _Pending(NamedTuple):
    """Blocks to write.

    Attributes:
        pinned: they themselves; None: to be taken from memory when it is their turn.
        written: called when that has ended, one way or another; None: nobody waits.
    """

    id: ObjectId
    size: int
    span: BlockRange
    pinned: PinnedBlocks | None
    bytes: int
    since: float
    written: Callable[[], None] | None


class WriteBehind:
    """The writer of one cache directory.

    Args:
        chunks: writes into its files.
        suspended: told of the error for which nothing is written for a while, and whether that is for good; None: it is
            said in the log, once.
    """

    def __init__(
        self,
        root: CacheDirectory,
        chunks: ChunkWriter,
        stats: Stats,
        counters: TierCounters = OWN,
        suspended: Callable[[OSError, bool], object] | None = None,
    ) -> None:
        self._root, self._stats, self._counters = root, stats, counters
        self._chunks, self._tell_suspended = chunks, suspended
        self._memory = 0  # bytes that `_source` may hold
        self._source: BlockSource | None = None
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._pending: deque[_Pending] = deque()
        self._awaited = AwaitedWork()  # it goes first when it is due, and without a pause
        self._waiting = self._pinned = 0  # bytes in `_pending` and being written, and of them those that are pinned
        self._hurried_until = 0.0
        self._thread: threading.Thread | None = None
        self._closed = self._warned = False
        self._off_until = self._last = self._paused_until = 0.0
        self._flushing = 0
        self._busy_since: float | None = None

    def attach(self, source: BlockSource) -> None:
        """Take blocks from `source` when it is their turn."""
        self._source, self._memory = source, source.memory_limit

    @property
    def is_on(self) -> bool:
        """Whether what is saved now will be written, as far as is known."""
        return not self._closed and time.monotonic() >= self._off_until

    @property
    def busy_s(self) -> float:
        """Seconds since the write began that is under way, 0 where none is."""
        since = self._busy_since
        return 0.0 if since is None else time.monotonic() - since

    def save(self, id: ObjectId, size: int, blocks: PinnedBlocks, written: Callable[[], None] | None = None) -> None:
        """Write these blocks some time soon, or not at all where that is not possible.

        `written`: called once they are written, or will not be.
        """
        n, now = sum(map(len, blocks.views)), time.monotonic()
        ended = []
        with self._lock:
            self._last = now
            limit = self._chunks.limit
            if self._closed or (limit is not None and n > limit) or now < self._off_until:
                self._stats.add(self._counters.skipped, n)
                ended.append(written)
            else:
                ended += self._append(_Pending(id, size, blocks.span, blocks, n, now, written))
        for tell in filter(None, ended):
            tell()

    def _append(self, job: _Pending) -> list[Callable[[], None] | None]:
        """With the lock held: queue a job, and drop what memory cannot hold any more; whom to tell of that."""
        n, pressed, dropped = job.bytes, self._pressed, []
        most = PINNED if job.written is None else max(PINNED, self._memory // SHARED_PART)
        if self._pinned + n <= most:
            self._pinned += n
        else:
            job = job._replace(pinned=None)
        self._pending.append(job)
        self._waiting += n
        while self._waiting > max(self._memory, n) and self._pending[0].pinned is None:
            oldest = self._pending.popleft()
            self._stats.add(self._counters.skipped, oldest.bytes)
            self._done(oldest)
            dropped.append(oldest.written)
        if self._thread is None:
            self._start()
        elif len(self._pending) == 1 or self._pressed > pressed:
            self._changed.notify_all()  # else it knows when its turn comes
        return dropped

    def keep(self, parts: Sequence[tuple[ObjectId, int, PinnedBlocks]]) -> Future[None]:
        """Write blocks of objects (ids, the objects' sizes, blocks) next, whatever else waits.

        The future completes when all are written, or fails with OSError: why they are not.
        """
        return self.do(partial(self._write_parts, parts))

    def do(self, work: Callable[[], None], within: float = 0.0) -> Future[None]:
        """Have `work` done on the writer's thread, next or in so many seconds at most; it may raise OSError.

        The future completes when it is done, or fails with OSError: why it is not.
        """
        with self._lock:
            if not self._closed:
                done = self._awaited.add(work, within)
                if self._thread is None:
                    self._start()
                else:
                    self._changed.notify_all()
                return done
        done = Future()
        done.set_exception(OSError(errno.ESHUTDOWN, "the cache is closed"))
        return done

    def hurry(self) -> None:
        """Other mounts want what this one fetches: for a moment write at once, whoever reads."""
        now = time.monotonic()
        with self._lock:
            begins, self._hurried_until = self._hurried_until < now, now + HURRY_S
            if begins and self._pending:
                self._changed.notify_all()

    def flush(self, seconds: float) -> bool:
        """Wait until all that was to be written is; False where that took longer."""
        with self._lock:
            self._flushing += 1
            self._changed.notify_all()
            done = self._changed.wait_for(lambda: not self._waiting and self._awaited.is_done, seconds)
            self._flushing -= 1
            return done

    def close(self, seconds: float = CLOSE_S) -> None:
        """Write what waits, within some seconds, and end. Idempotent."""
        with self._lock:
            self._closed = True
            thread = self._thread
            self._changed.notify_all()
        if thread is not None:
            thread.join(seconds)
        self.drop()

    def drop(self) -> None:
        """Forget what waits, and tell whoever waits for it."""
        with self._lock:
            left, awaited = list(self._pending), self._awaited.clear()
            self._pending.clear()
            for job in left:
                self._stats.add(self._counters.skipped, job.bytes)
                self._done(job)
            self._changed.notify_all()
        for tell in filter(None, [job.written for job in left]):
            tell()
        for done in awaited:
            done.set_exception(OSError(errno.ESHUTDOWN, "it is left out, or closed"))

    def _start(self) -> None:
        self._thread = threading.Thread(target=self._work, name="disk-cache", daemon=True)
        self._thread.start()

    # -- the thread -----------------------------------------------------------------------------

    def _work(self) -> None:
        at, used = time.monotonic(), time.process_time()
        while True:
            with self._lock:
                while (delay := self._delay()) > 0:
                    if self._closed and not self._pending:
                        self._chunks.let_go()
                        return
                    self._changed.wait(delay if delay < float("inf") else None)
                awaited = self._awaited.take(time.monotonic(), at_once=self._at_once)
                job = self._pending.popleft() if awaited is None and self._pending else None
            if awaited is not None:
                self._do(*awaited)
                del awaited
            if job is None:
                continue
            begun, self._busy_since = time.thread_time(), time.monotonic()
            try:
                self._write(job)
            except OSError as e:
                self._stats.add(self._counters.skipped, job.bytes)
                self.suspend(e)
            except Exception:  # the thread must live on: later blocks can still be written
                self._stats.add(self._counters.skipped, job.bytes)
                log.exception("disk cache")
            self._busy_since = None
            since, before = at, used
            at, used = time.monotonic(), time.process_time()
            processors = (used - before) / max(at - since, 1e-6)
            with self._lock:
                late = bool(self._pending) and at - self._pending[0].since > LATE_S
                self._paused_until = at + throttle.pause_after(time.thread_time() - begun, processors, late=late)
                self._done(job)
                tell = job.written
                del job  # a waiting thread must keep no buffer alive
                if not self._waiting:
                    self._changed.notify_all()
            if tell is not None:
                tell()
            del tell

    def _done(self, job: _Pending) -> None:
        self._waiting -= job.bytes
        self._pinned -= job.bytes if job.pinned is not None else 0

    @property
    def _pressed(self) -> bool:
        """Whether so much waits that memory might soon evict it: half of it is for blocks read or to be written."""
        return self._waiting > self._memory * 3 // 8

    def _delay(self) -> float:
        """Seconds until the next write may begin; infinite where nothing waits."""
        now = time.monotonic()
        return min(self._awaited.delay(now, at_once=self._at_once), self._delay_of_blocks(now))

    @property
    def _at_once(self) -> bool:
        """Whether all that waits is due."""
        return self._closed or self._flushing > 0

    def _delay_of_blocks(self, now: float) -> float:
        if not self._pending:
            return float("inf")
        if self._at_once or now < self._hurried_until:
            return 0.0
        due = now if self._pressed else self._pending[0].since + AGE_S
        return min(self._last + QUIET_S, max(due, self._paused_until)) - now

    def _do(self, work: Callable[[], None], done: Future[None]) -> None:
        """Do what somebody waits for, and tell him."""
        self._busy_since = time.monotonic()
        error = failure_of(work)
        self._busy_since = None
        if error is None:
            done.set_result(None)
        else:
            self._chunks.let_go()
            done.set_exception(error)
        with self._lock:
            self._awaited.finish()
            self._changed.notify_all()

    def _write_parts(self, parts: Sequence[tuple[ObjectId, int, PinnedBlocks]]) -> None:
        for id, size, blocks in parts:
            self._chunks.write(id, size, blocks, awaited=True)

    def _write(self, job: _Pending) -> None:
        if job.pinned is not None:
            held = [job.pinned]
        else:
            held = self._source.pinned(job.id, job.span) if self._source is not None else []
        missing = job.bytes - sum(len(v) for blocks in held for v in blocks.views)
        if missing:
            self._stats.add(self._counters.skipped, missing)
        for blocks in held:
            self._chunks.write(job.id, job.size, blocks, awaited=False)

    def suspend(self, e: OSError) -> None:
        """Stop writing, as it has failed so: for good where we may not write, else for a while. Say so once."""
        self._chunks.failed(e)
        self._chunks.let_go()
        for_good = e.errno in READ_ONLY
        with self._lock:
            self._off_until = float("inf") if for_good else time.monotonic() + FULL_S
            warned, self._warned = self._warned, True
        if self._tell_suspended is not None:
            self._tell_suspended(e, for_good)
        elif not warned:
            where = e.filename if isinstance(e, UntrustedDirectory) else self._root.path
            log.warning("%s: cannot cache data here (%s); continuing with memory only", where, e.strerror or e)
