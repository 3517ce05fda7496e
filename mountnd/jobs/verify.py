"""One verification: which files are meant, what is known of each, then their bytes, compared with that.

Nothing is mended and nothing dropped. Files are read side by side, each by one thread, which hashes what it reads by
all the algorithms that its evidence needs, in one pass. Memory is bounded by the buffers of these threads, and by how
many long files are read at once.
"""

from __future__ import annotations

import heapq
import logging
import threading
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext

from ..blocks.checking import AHEAD
from ..blocks.stream import Blocks
from ..checks.kinds import MANIFEST
from ..errors import Cancelled, Changed, MountError, MountndError, NotFound, StoreError
from ..stores.base import ObjectStat
from ..threads import start
from ..vfs.tree import Vfs
from .checksum_files import ChecksumFiles
from .comparing import Comparer, Target
from .files import Files, Picked
from .job import Job
from .paths import components, text
from .report import CHECKING
from .request import VerifyRequest
from .transfer import OUTAGE, OutOfReach
from .verify_report import MISSING, VerifyReport
from .walk import Batch, Walk

log = logging.getLogger(__name__)

# Files read side by side: small ones are a matter of round trips.
THREADS = 32
# How much is asked for, read and hashed at a time: long enough for a connection's full rate.
CHUNK = 2 << 20
# Long files, of which `AHEAD` each is under way, take this part of the memory.
MEMORY_PART = 2
# So many other files, up to so long, are read where it is in doubt what a server's ETags are.
WITNESSES, WITNESS_BYTES = 4, 1 << 20
# How long what is being read is waited for once it was cancelled.
SETTLE_S = 6.0


class Verify(Job):
    """One job."""

    name, disk = "verify", "the disk"

    def __init__(self, vfs: Vfs, blocks: Blocks, request: VerifyRequest) -> None:
        self._found = VerifyReport()
        super().__init__(self._found)
        self._vfs, self._request, self._listed = vfs, request, ChecksumFiles()
        self._checking = checking = blocks.checking(self._cancelled.is_set)
        self._comparer = Comparer(checking, request, self._found, self._listed)
        self._long = threading.BoundedSemaphore(max(1, checking.memory // MEMORY_PART // AHEAD))
        self._lock = threading.Lock()  # guards the fields below
        self._files: Iterator[Picked] = iter(())
        self._failures, self._outage = 0, ""

    def _run(self) -> None:
        walk = Walk(self._vfs, self._request, self._found, self._cancelled.is_set, self._listed.listed)
        walk.run()
        if self._cancelled.is_set():
            return
        self._found.phase(CHECKING)
        damaged = self._checking.damaged
        if MANIFEST in self._request.by:
            self._listed.read(self._comparer.content, self._found.failed)
            self._found.tell(remarks=self._listed.remarks[:20])
        files = Files(walk.batches, self._request)
        self._files = files.all()
        self._side_by_side()
        self._look_for_witnesses(walk.batches)
        self._comparer.settle()
        self._found.tell(damaged=self._checking.damaged - damaged)
        if self._outage:
            raise OutOfReach(f"nothing comes any more: {self._outage}")
        if not self._cancelled.is_set() and self._listed and not self._request.is_narrowed:
            self._find_missing(files)

    def _side_by_side(self) -> None:
        """Check all files. Raises MountError where the system grants no thread at all."""
        threads: list[threading.Thread] = []
        for _ in range(min(THREADS, self._found.snapshot()["files"])):
            thread = threading.Thread(target=self._work, name="verify-reader", daemon=True)
            try:
                start(thread)
            except MountError:
                if not threads:
                    raise
                break
            threads.append(thread)
        for thread in threads:
            while thread.is_alive() and not self._cancelled.is_set():
                thread.join(0.1)
        for thread in threads:
            thread.join(SETTLE_S / len(threads))

    def _work(self) -> None:
        buffer = bytearray(CHUNK)
        while not self._cancelled.is_set() and not self._outage:
            with self._lock:
                picked = next(self._files, None)
            if picked is None:
                return
            self._check(picked, buffer)

    def _compare(self, target: Target, buffer: bytearray) -> None:
        with self._turn(target.stat):
            self._comparer.compare(target, buffer)

    def _turn(self, stat: ObjectStat) -> AbstractContextManager[object]:
        return self._long if stat.size > CHUNK and not self._request.dry_run else nullcontext()

    def _check(self, picked: Picked, buffer: bytearray) -> None:
        """Check one file. Whatever goes wrong with it is in the report."""
        name, path = text(picked.entry.name), picked.path
        try:
            try:
                self._compare(Target(path, name, picked.stat()), buffer)
            except (Changed, NotFound):  # it was replaced after it was listed
                self._compare(Target(path, name, picked.ask_anew()), buffer)
        except Cancelled:
            return
        except MountndError as e:
            self._found.failed(path, str(e) or type(e).__name__)
            self._count_failure(e)
        except Exception as e:  # the others are checked all the same
            log.exception("verify %s", path)
            self._found.failed(path, f"internal error: {type(e).__name__}: {e}")
        else:
            self._failures = 0
        self._found.count(done=1)

    def _count_failure(self, error: MountndError) -> None:
        with self._lock:
            passing = isinstance(error, StoreError) and error.transient
            self._failures = self._failures + 1 if passing else 0
            if self._failures >= OUTAGE:
                self._outage = str(error)

    def _look_for_witnesses(self, batches: Sequence[Batch]) -> None:
        """Read a few small files that are not meant, where nothing else says whether a source's ETags are MD5s."""
        buffer = bytearray(WITNESS_BYTES)
        for source in self._comparer.doubtful():
            others = (stat for stat in _others(batches) if stat.id.source == source)
            for stat in heapq.nsmallest(WITNESSES, others, key=lambda stat: stat.size):
                if self._cancelled.is_set() or self._comparer.attest(stat, buffer):
                    break

    def _find_missing(self, files: Files) -> None:
        """Files that checksum files name, and that are not there."""
        there = {picked.path for picked in files.all()}
        for path, by in self._listed.absent([components(top) for top in self._request.paths], there):
            self._found.find({"path": path, "what": MISSING, "reason": f"it is not there, and named in {by}"})


def _others(batches: Sequence[Batch]) -> Iterator[ObjectStat]:
    """Small files that were listed and are not meant."""
    for batch in batches:
        chosen = set(batch.chosen)
        for i, entry in enumerate(batch.entries):
            if entry.stat is not None and i not in chosen and 0 < entry.stat.size <= WITNESS_BYTES:
                yield batch.catalogue.relied(entry.stat)
