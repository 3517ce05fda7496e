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
from pathlib import Path

from ... import descriptors
from ..model.listing import Listing
from . import segment
from .compaction import last_invalidations, latest_records, recency, segments_to_merge
from .segment import DamagedSegment, Invalidation, Record, Segment

log = logging.getLogger(__name__)

# Segments from which on some are merged: each look-up asks every one, a microsecond and a half each.
SEGMENTS_MAX = 8
# All segments of a source together; the oldest goes when they are more. Some ten million names.
DISK_BYTES = 1 << 30
# How often, at most, a name that is not here makes us look for what other mounts have written.
LOOK_S = 10.0
# A listing from further in the future than clocks of one cluster differ is not believed.
SKEW_S = 60.0
# What a writer left unfinished this long ago, nobody is writing any more.
ABANDONED_S = 86_400.0


class SegmentDirectory:
    """Reads from all segments in `path`, adds new ones and merges them. Methods that touch the directory raise OSError.

    Args:
        path: of this source alone; made when it is not there.
        source: the store's identity.
        clock, wall: monotonic and calendar seconds.
    """

    def __init__(self, path: Path, source: str, *, clock: Callable[[], float], wall: Callable[[], float]) -> None:
        self.path = path
        self._source, self._clock, self._wall = source, clock, wall
        self._lock = threading.Lock()
        self._segments: dict[str, Segment] = {}
        self._damaged: set[str] = set()
        self._invalidations: list[Invalidation] = []
        self._looked = float("-inf")

    def open(self) -> None:
        """Make the directory and open what is in it."""
        self.path.mkdir(parents=True, exist_ok=True)
        (self.path / "source").write_text(self._source, "utf-8", "surrogateescape")
        with contextlib.suppress(OSError):
            for path in self.path.glob(".*.tmp"):
                if time.time() - path.stat().st_mtime > ABANDONED_S:
                    path.unlink(missing_ok=True)
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

    def invalid_until(self, prefix: str) -> float:
        """Wall time up to which nothing that was listed of a directory is valid."""
        with self._lock:
            return self._invalid_until(prefix)

    def write(self, records: Iterable[Record], invalidations: list[Invalidation]) -> None:
        """Add a segment."""
        try:
            path = segment.write(self.path, records := list(records), invalidations, time.time_ns())
        except FileNotFoundError:  # somebody has removed the whole cache
            self.open()
            path = segment.write(self.path, records, invalidations, time.time_ns())
        self._open(path)

    def merge(self) -> None:
        """Merge segments when there are many, and remove the oldest when they are too large together."""
        with self._lock:
            segments = sorted(self._segments.values(), key=lambda held: held.size)
        if len(segments) >= SEGMENTS_MAX:
            group = segments_to_merge(segments)
            self.write(latest_records(group), last_invalidations([one for held in group for one in held.invalidations]))
            self._remove(group)
            segments = [held for held in segments if held not in group]
        by_age = sorted(segments, key=lambda held: held.path.name)
        while by_age and sum(held.size for held in by_age) > DISK_BYTES:
            self._remove([by_age.pop(0)])

    def _read(self, prefix: str) -> Listing | None:
        with self._lock:
            segments, invalid_until = list(self._segments.values()), self._invalid_until(prefix)
        wanted = segment.prefix_hash(prefix)
        found = [(row, held) for held in segments if (row := held.find(wanted)) is not None]
        if len(found) > 1:
            found.sort(key=recency, reverse=True)
        for row, held in found:
            if row.at <= invalid_until or not row.length:
                return None
            age = self._wall() - row.at
            at = self._clock() - max(age, 0.0) if age > -SKEW_S else float("-inf")
            try:
                recorded, listing = segment.decode(held.read(row), self._source, at)
            except (DamagedSegment, OSError) as e:
                self._skip(held.path, e)
                continue
            if recorded == prefix:
                return listing
        return None

    def _invalid_until(self, prefix: str) -> float:
        if not self._invalidations:
            return float("-inf")
        return max((when for top, when in self._invalidations if prefix.startswith(top)), default=float("-inf"))

    def _look(self) -> None:
        """Open what other mounts have written, drop what they have removed."""
        with self._lock:
            self._looked = self._clock()
            held = set(self._segments) | self._damaged
        try:
            here = {path.name: path for path in self.path.iterdir() if path.suffix == segment.SUFFIX}
        except FileNotFoundError:
            here = {}  # somebody has removed the whole cache
        for name in sorted(here.keys() - held):
            self._open(here[name])
        with self._lock:
            for name in [name for name in self._segments if name not in here and name in held]:
                del self._segments[name]

    def _open(self, path: Path) -> None:
        try:
            opened = Segment(path)
        except FileNotFoundError:
            return  # merged by another mount meanwhile
        except OSError as e:
            if not descriptors.are_used_up(e):  # then the next look finds it
                self._skip(path, e)
            return
        except DamagedSegment as e:
            self._skip(path, e)
            return
        with self._lock:
            self._segments[path.name] = opened
            self._invalidations = last_invalidations([*self._invalidations, *opened.invalidations])

    def _remove(self, segments: list[Segment]) -> None:
        for held in segments:
            with self._lock:
                self._segments.pop(held.path.name, None)
            held.path.unlink(missing_ok=True)

    def _skip(self, path: Path, why: Exception) -> None:
        log.warning("%s: skipped, it cannot be read (%s)", path, why)
        with self._lock:
            self._damaged.add(path.name)
            self._segments.pop(path.name, None)
