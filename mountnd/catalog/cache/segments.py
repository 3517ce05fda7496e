"""The files of one source: what several mounts have written of it, none of them ever changed.

Every mount adds segments of its own; when there are many, a few of like size are merged into one and removed. So
nothing is locked against other mounts, and it makes no difference whether the directory lies on a local disk, NFS or
Lustre: the worst that two mounts can do is to merge the same files twice. A damaged file is skipped.

Lock order: `SegmentDirectory._lock` is a leaf; no file is read or written with it held.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Iterable

from ... import descriptors
from ...private_directory import PrivateDirectory, PrivatePath
from ..model.listing import Listing
from . import segment
from .compaction import SKEW_S, is_future, last_invalidations, latest_records, recency, segments_to_merge, settle
from .segment import DamagedSegment, Invalidation, Record, Segment

log = logging.getLogger(__name__)

# Segments from which on some are merged: each look-up asks every one, a microsecond and a half each.
SEGMENTS_MAX = 8
# All segments of a source together; the oldest goes when they are more. Some ten million names.
DISK_BYTES = 1 << 30
# How often, at most, a name that is not here makes us look for what other mounts have written.
LOOK_S = 10.0
# What a writer left unfinished this long ago, nobody is writing any more.
ABANDONED_S = 86_400.0
# How much later than the last record a new one counts where the clock says that it is earlier: well over what a float
# of so many seconds can tell apart. And what no clock's nanoseconds reach.
STEP_S, _STAMPS = 1e-3, 1 << 63
# How often, at most, times of the future are taken out of the files: where another machine's clock is ahead, it goes on
# to write them.
MEND_S = 3600.0


class SegmentDirectory:
    """Reads from all segments in `path`, adds new ones and merges them. Methods that touch the directory raise OSError,
    UntrustedDirectory where others may write it.

    Clocks are wrong at times. So a record is the latest by the order in which records were written, which goes on from
    what is there (`Record.written`), and what was listed in the future was listed who knows when: it is expired.

    Args:
        path: of this source alone; made when it is not there.
        source: the store's identity.
        clock, wall: monotonic and calendar seconds.
    """

    def __init__(
        self, path: PrivatePath, source: str, *, clock: Callable[[], float], wall: Callable[[], float]
    ) -> None:
        self.path = path
        self._source, self._clock, self._wall = source, clock, wall
        self._lock = threading.Lock()
        self._segments: dict[str, Segment] = {}
        self._damaged: set[str] = set()
        self._invalidations: list[Invalidation] = []
        self._looked = self._mended = float("-inf")
        self._latest = float("-inf")  # wall time of the latest that any file tells of

    def open(self) -> None:
        """Make the directory and open what is in it."""
        directory = self.path.open(make=True)
        self._name_source(directory)
        with contextlib.suppress(OSError):
            for entry in directory.entries():
                if segment.TEMPORARY.fullmatch(entry.name):
                    written = entry.stat(follow_symlinks=False).st_mtime
                    if abs(time.time() - written) > ABANDONED_S:
                        directory.remove(entry.name)
        self._look()

    def read(self, prefix: str) -> Listing | None:
        """The latest listing of a directory, with its age in `at`; None when there is none that is valid."""
        with self._lock:
            due = self._clock() - self._looked >= LOOK_S
        if (listing := self._read(prefix)) is None and due:
            self._look()
            listing = self._read(prefix)
        return listing

    def invalidate_below(self, prefix: str, when: float) -> None:
        """What was listed at or below a key prefix up to a wall time is invalid."""
        with self._lock:
            self._invalidations.append((prefix, when))

    def is_invalid(self, prefix: str, at: float) -> bool:
        """Whether what was listed of a directory at a wall time is invalid."""
        with self._lock:
            return self._is_invalid(prefix, at)

    def write(self, records: Iterable[Record], invalidations: list[Invalidation]) -> None:
        """Add a segment of records that are later than all that is there."""
        self._look()
        self._mend()
        with self._lock:
            last = max((held.written for held in self._segments.values()), default=float("-inf"))
        if last > self._wall():  # somebody's clock was, or ours is, wrong
            records = [one._replace(written=max(one.written, last + STEP_S)) for one in records]
        kept = list(records)
        self._add(lambda: kept, invalidations)

    def merge(self) -> None:
        """Merge segments when there are many, and remove the oldest when they are too large together."""
        with self._lock:
            segments = sorted(self._segments.values(), key=lambda held: held.size)
        if len(segments) >= SEGMENTS_MAX:
            group = segments_to_merge(segments)
            self._merge(group)
            segments = [held for held in segments if held not in group]
        by_age = sorted(segments, key=lambda held: held.name)
        while by_age and sum(held.size for held in by_age) > DISK_BYTES:
            self._remove([by_age.pop(0)])

    def _mend(self) -> None:
        """Take times of the future out of the files, while it shows: once that time has come nobody can tell.

        All that is there was listed by a clock that may have been right, and then ours is behind it.
        """
        now = self._wall()
        with self._lock:
            segments, self._invalidations = list(self._segments.values()), settle(self._invalidations, now)
        behind = max((held.latest for held in segments), default=now) - now
        if behind > SKEW_S and self._clock() >= self._mended + MEND_S:
            self._mended = self._clock()
            self._merge(segments, behind)

    def _merge(self, group: list[Segment], behind: float = 0.0) -> None:
        now = self._wall()
        noted = settle([one for held in group for one in held.invalidations], now, behind)
        self._add(lambda: latest_records(group, now, behind), last_invalidations(noted))
        self._remove(group)
        with self._lock:
            self._latest = max((held.latest for held in self._segments.values()), default=float("-inf"))

    def _add(self, records: Callable[[], Iterable[Record]], invalidations: list[Invalidation]) -> None:
        for again in (True, False):
            directory = self.path.open(make=True)
            self._name_source(directory)
            try:
                name = segment.write(directory, records(), invalidations, self._next_stamp())
                break
            except FileNotFoundError:  # somebody has removed the whole cache
                if not again:
                    raise
                self.open()
        self._open(directory, name)

    def _next_stamp(self) -> int:
        """Nanoseconds since the epoch, or more where a file has a later stamp: names sort by age."""
        with self._lock:
            stamps = [int(named[1]) for name in self._segments if (named := segment.NAME.fullmatch(name))]
        return max(time.time_ns(), *(stamp + 1 for stamp in stamps if stamp < _STAMPS), 0)

    def _read(self, prefix: str) -> Listing | None:
        with self._lock:
            segments = list(self._segments.values())
        wanted, now = segment.prefix_hash(prefix), self._wall()
        found = [(row, held) for held in segments if (row := held.find(wanted)) is not None]
        if len(found) > 1:
            found.sort(key=recency, reverse=True)
        for row, held in found:
            if not row.length or self.is_invalid(prefix, row.at):
                return None
            # Where something was listed later than now, the clock was set back, and all may be so much older.
            age = max(now, self._latest) - row.at
            at = float("-inf") if is_future(row.at, now) else self._clock() - max(age, 0.0)
            try:
                recorded, listing = segment.decode(held.read(row), self._source, at)
            except (DamagedSegment, OSError) as e:
                self._report(held.name, e)
                continue
            if recorded == prefix:
                return listing
        return None

    def _is_invalid(self, prefix: str, at: float) -> bool:
        return any(at <= when and prefix.startswith(top) for top, when in self._invalidations)

    def _look(self) -> None:
        """Open what other mounts have written, drop what they have removed."""
        with self._lock:
            self._looked = self._clock()
            held = set(self._segments) | self._damaged
        try:
            directory = self.path.open()
            here = {entry.name for entry in directory.entries() if segment.NAME.fullmatch(entry.name)}
        except FileNotFoundError:
            here = set()  # somebody has removed the whole cache
        for name in sorted(here - held):
            self._open(directory, name)
        with self._lock:
            for name in [name for name in self._segments if name not in here and name in held]:
                del self._segments[name]

    def _open(self, directory: PrivateDirectory, name: str) -> None:
        with self._lock:  # a merged one is there beside those that it was made of
            most = 2 * DISK_BYTES - sum(held.size for held in self._segments.values())
        try:
            opened = Segment(directory, name, most)
        except FileNotFoundError:
            return  # merged by another mount meanwhile
        except OSError as e:
            if not descriptors.are_used_up(e):  # then the next look finds it
                self._report(name, e)
            return
        except DamagedSegment as e:
            self._report(name, e)
            return
        noted = settle(opened.invalidations, self._wall())
        with self._lock:
            self._segments[name] = opened
            self._latest = max(self._latest, opened.latest)
            self._invalidations = last_invalidations([*self._invalidations, *noted])

    def _remove(self, segments: list[Segment]) -> None:
        directory = self.path.open()
        for held in segments:
            with self._lock:
                self._segments.pop(held.name, None)
            directory.remove(held.name)

    def _report(self, name: str, why: Exception) -> None:
        with self._lock:
            told = name in self._damaged
            self._damaged.add(name)
        if not told:
            said = why.strerror if isinstance(why, OSError) else why
            log.warning("%s/%s: not used where it is damaged: %s", self.path, name, said)

    def _name_source(self, directory: PrivateDirectory) -> None:
        """Say, to a person, whose files these are."""
        text = self._source.encode("utf-8", "surrogateescape")
        with contextlib.suppress(OSError):  # missing, another's, or not even a file
            if directory.read("source", len(text)) == text:
                return
        with contextlib.suppress(OSError):
            directory.write("source", text)
