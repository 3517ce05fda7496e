"""The files of a mount that were read or fetched: how much of each, which parts, and how.

Each version of an object has a `FileUsage`. Some thousand that were touched last are objects; the others are rows of
the archive, and one that is touched again begins with nothing: whoever asks adds up the rows of one version.

Lock order: `UsageLog._lock` is a leaf.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from itertools import islice
from typing import Any

from .archive import BATCH, Archive
from .files import FileRow, FileUsage, ObjectId, OpenFile
from .pattern import Pattern
from .ranges import Ranges, runs_of
from .waits import SlowestWaits

# Files that are objects, about 1.5 KB each, up to 8 KB for one that is read at random; `BATCH` more before some are
# archived.
FILES = 3072
# Reads of a handle before they are looked at together.
TOGETHER = 256


class HandleUsage:
    """One open file. `read` is called by many threads at once, and takes no lock but for each `TOGETHER`-th read.

    Attributes:
        file: what it is added to. Changed with `UsageLog._lock` held, as are
        asked: bytes that were asked for through it; pattern: how.
    """

    __slots__ = ("_log", "_reads", "asked", "file", "pattern")

    def __init__(self, log: UsageLog, file: FileUsage) -> None:
        self._log, self.file = log, file
        self._reads: list[tuple[int, int]] = []
        self.pattern = Pattern(file.size)
        self.asked = 0

    def read(self, offset: int, size: int) -> None:
        """A program asked for `size` bytes from `offset` on, and got them."""
        self._reads.append((offset, size))
        if len(self._reads) >= TOGETHER:
            self.settle()

    def opened(self, place: object, mtime_ns: int = 0) -> None:
        """A program opened it. `mtime_ns`: LastModified of its version."""
        self._log.opened(self, place, mtime_ns)

    def waited(self, size: int) -> None:
        """So many bytes of a read were not in memory."""
        self._log.waited(self, size)

    def settle(self) -> None:
        """Look at the reads so far."""
        if self._reads:
            self._log.settle(self)

    def take(self) -> list[tuple[int, int]]:
        """The reads that were not taken yet. One thread at a time; others may add some meanwhile."""
        taken = self._reads[:]
        del self._reads[: len(taken)]
        return taken

    def now(self) -> OpenFile:
        """What is known of it."""
        self.settle()
        place, path_of = self.file.place, self._log.path_of
        path = "" if place is None else path_of(place)
        return OpenFile(path, self.file.size, self.asked, self.pattern.position, self.pattern.name)


class UsageLog:
    """The files of one mount. Called from any thread.

    Args:
        wall: seconds since the epoch.

    Attributes:
        waits: the longest of programs.
        path_of: from what `HandleUsage.opened` was told to a path from the mount's root.
    """

    def __init__(
        self, *, files: int = FILES, archive: Archive | None = None, wall: Callable[[], float] = time.time
    ) -> None:
        self._most, self._wall = files, wall
        self._lock = threading.Lock()
        self._files: OrderedDict[ObjectId, FileUsage] = OrderedDict()  # the one touched last comes last
        self._archive, self._readers = archive or Archive(), 0
        self.waits = SlowestWaits(wall=wall)
        self.path_of: Callable[[Any], str] = str

    def handle(self, id: ObjectId, size: int) -> HandleUsage:
        """For a new handle on an object of `size` bytes."""
        with self._lock:
            return HandleUsage(self, self._file(id, size))

    def fetched(self, id: ObjectId, size: int, start: int, stop: int, *, ahead: bool) -> None:
        """Bytes of an object (of `size` bytes) came from its source. `ahead`: nobody waited for them yet."""
        with self._lock:
            file = self._file(id, size)
            if ahead:
                file.ahead += stop - start
                file.ahead_ranges = file.ahead_ranges or Ranges()
                file.ahead_ranges.add(start, stop)
            else:
                file.fetched += stop - start
                file.fetched_ranges = file.fetched_ranges or Ranges()
                file.fetched_ranges.add(start, stop)

    def from_disk(self, id: ObjectId, size: int, start: int, stop: int) -> None:
        """Bytes of an object came from the disk cache."""
        with self._lock:
            file = self._file(id, size)
            file.disk += stop - start
            file.disk_ranges = file.disk_ranges or Ranges()
            file.disk_ranges.add(start, stop)

    def brought(self, id: ObjectId) -> tuple[int, int]:
        """How many bytes of an object came from its source, and from the disk cache, since it was archived last."""
        with self._lock:
            file = self._files.get(id)
            return (0, 0) if file is None else (file.fetched + file.ahead, file.disk)

    def opened(self, handle: HandleUsage, place: object, mtime_ns: int) -> None:
        """As `HandleUsage.opened`."""
        with self._lock:
            file = self._current(handle)
            file.place, file.mtime_ns = place, mtime_ns
            file.opens += 1
            file.opened = file.opened or self._wall()

    def waited(self, handle: HandleUsage, size: int) -> None:
        """As `HandleUsage.waited`."""
        with self._lock:
            self._current(handle).waited += size

    def settle(self, handle: HandleUsage) -> None:
        """As `HandleUsage.settle`."""
        with self._lock:
            reads, file, seen = handle.take(), self._current(handle), handle.pattern
            runs = runs_of(reads)
            for start, stop, count in runs:
                seen.feed(start, stop - start, count)
                file.asked += stop - start
                handle.asked += stop - start
            file.read_ranges = file.read_ranges or Ranges()
            file.read_ranges.add_all([run[:2] for run in runs])
            if handle.asked >= file.how_bytes:
                file.how, file.how_bytes = seen.name, handle.asked

    def recent(self) -> tuple[list[FileRow], range, int]:
        """The files that were touched last; the numbers of batches that `archived` has of the others; and how many rows
        had to go."""
        with self._lock:
            self._readers += 1  # nothing moves from here to the archive meanwhile
            files, numbers, lost = list(self._files.values()), self._archive.numbers, self._archive.lost
        rows: list[FileRow] = []
        try:
            for first in range(0, len(files), BATCH):  # whoever opens a file must not wait for all of them
                with self._lock:
                    rows += [file.row(self.path_of) for file in files[first : first + BATCH]]
        finally:
            with self._lock:
                self._readers -= 1
        return rows, numbers, lost

    def archived(self, number: int) -> list[FileRow]:
        """A batch of the others; empty where it had to go meanwhile."""
        with self._lock:
            rows = self._archive.rows(number)
        return [FileRow(*row) for row in rows]

    def _file(self, id: ObjectId, size: int) -> FileUsage:
        """With the lock held: the file, which is touched now."""
        file = self._files.get(id)
        if file is None:
            file = self._files[id] = FileUsage(id, size)
            if len(self._files) >= self._most + BATCH and not self._readers:
                self._archive_oldest()
        else:
            self._files.move_to_end(id)
        return file

    def _current(self, handle: HandleUsage) -> FileUsage:
        """With the lock held: what the handle's file is counted in; it may have been archived meanwhile."""
        file = handle.file = self._files.setdefault(handle.file.id, handle.file)
        return file

    def _archive_oldest(self) -> None:
        """With the lock held: those that nobody has touched for longest become rows of the archive."""
        oldest = list(islice(self._files.values(), BATCH))
        self._archive.add([tuple(file.row(self.path_of)) for file in oldest])
        for file in oldest:
            del self._files[file.id]
            file.begin_anew()
