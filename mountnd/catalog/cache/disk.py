"""Names that last: listings of one source in files that several mounts share and that survive kill -9.

What comes in is written within about a second as a new `segment`, which nobody ever changes. When
there are many, a few of like size are merged into one and removed. So nothing is locked, and it makes
no difference whether the directory lies on a local disk, NFS or Lustre: the worst that two mounts can
do is to merge the same files twice. A damaged file is passed over.

Lock order: `Persist._lock` is a leaf; no file is read or written with it held. `_writing` is held
by the one thread that writes, and comes before it.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

from ..model.listing import Listing
from . import segment
from .compaction import group_of, last_voids, newest, recency
from .segment import Damaged, Record, Segment

log = logging.getLogger(__name__)

# Seconds that what came in waits for more: what kill -9 can lose.
FLUSH_S = 1.0
# Bytes waiting from which on they are written at once.
FLUSH_BYTES = 8 << 20
# Segments from which on some are merged: each look-up asks every one, a microsecond and a half each.
SEGMENTS_MAX = 8
# All segments of a source together; the oldest goes when they are more. Some ten million names.
DISK_BYTES = 1 << 30
# How often, at most, a name that is not here makes us look for what other mounts have written.
LOOK_S = 10.0
# A listing from further in the future than clocks of one cluster differ is not believed.
SKEW_S = 60.0


class _Waiting(NamedTuple):
    listing: Listing | None
    at: float
    written: float

    @property
    def nbytes(self) -> int:
        return self.listing.nbytes if self.listing is not None else 100


class Persist:
    """The listings of one source.

    Args:
        directory: for all sources; each has a directory of its own below.
        source: the store's identity.
        clock, wall: monotonic and calendar seconds.
    """

    def __init__(self, directory: Path, source: str, *, clock: Callable[[], float], wall: Callable[[], float]) -> None:
        digest = hashlib.blake2b(source.encode("utf-8", "surrogatepass"), digest_size=12).hexdigest()
        self._directory = directory / digest
        self._source, self._clock, self._wall = source, clock, wall
        self._lock = threading.Lock()
        self._change = threading.Condition(self._lock)
        self._waiting: dict[str, _Waiting] = {}
        self._refreshed: list[tuple[str, float]] = []  # not written yet
        self._voids: list[tuple[str, float]] = []  # of all segments, and those not written yet
        self._bytes = 0
        self._segments: dict[str, Segment] = {}
        self._looked = float("-inf")
        self._writer: threading.Thread | None = None
        self._closed = self._broken = False
        self._damaged: set[str] = set()
        self._writing = threading.Lock()
        try:
            self._directory.mkdir(parents=True, exist_ok=True)
            (self._directory / "source").write_text(source, "utf-8", "surrogateescape")
        except OSError as e:
            self._give_up(e)
        else:
            self._tidy()
            self._look()

    def get(self, prefix: str) -> Listing | None:
        """The latest listing of a directory that is kept, with its age in `at`; None when none is."""
        with self._lock:
            waiting = self._waiting.get(prefix)
            if waiting is not None and waiting.at > self._void(prefix):
                return waiting.listing
            due = self._clock() - self._looked >= LOOK_S
        if (listing := self._read(prefix)) is None and due:
            self._look()
            listing = self._read(prefix)
        return listing

    def add(self, prefix: str, listing: Listing) -> None:
        """Keep a directory's listing."""
        now = self._wall()
        self._put(prefix, _Waiting(listing, now - (self._clock() - listing.at), now))

    def drop(self, prefix: str) -> None:
        """What is kept of this directory is void."""
        now = self._wall()
        self._put(prefix, _Waiting(None, now, now))

    def refresh(self, prefix: str) -> None:
        """Keep nothing at or below a key prefix that was listed before now."""
        with self._change:
            for below in [below for below in self._waiting if below.startswith(prefix)]:
                self._bytes -= self._waiting.pop(below).nbytes
            self._refreshed.append((prefix, self._wall()))
            self._voids.append((prefix, self._wall()))
            if not (self._closed or self._broken):
                self._wake()

    def flush(self) -> None:
        """Write what is waiting."""
        with self._writing:
            with self._lock:
                waiting, refreshed = dict(self._waiting), list(self._refreshed)
            if self._broken or not (waiting or refreshed):
                return
            records = [
                Record(
                    segment.hash_of(prefix), at, written, b"" if listing is None else segment.encode(prefix, listing)
                )
                for prefix, (listing, at, written) in waiting.items()
            ]
            try:
                self._write(records, refreshed)
                with self._lock:
                    for prefix, what in waiting.items():
                        if self._waiting.get(prefix) is what:
                            del self._waiting[prefix]
                            self._bytes -= what.nbytes
                    self._refreshed = self._refreshed[len(refreshed) :]
                self._merge()
            except OSError as e:
                self._give_up(e)

    def close(self) -> None:
        """Write what is waiting and end. Idempotent."""
        with self._change:
            self._closed = True
            self._change.notify_all()
            writer, self._writer = self._writer, None
        if writer is not None:
            writer.join()
        self.flush()

    def _put(self, prefix: str, what: _Waiting) -> None:
        with self._change:
            if self._closed or self._broken:
                return
            old, first = self._waiting.get(prefix), not self._waiting
            self._waiting[prefix] = what
            self._bytes += what.nbytes - (old.nbytes if old else 0)
            if first or self._bytes >= FLUSH_BYTES:  # woken for each of 2,000 directories, the writer was in their way
                self._wake()

    def _wake(self) -> None:
        if self._writer is None:
            self._writer = threading.Thread(target=self._write_on, name="names-keeper", daemon=True)
            self._writer.start()
        self._change.notify_all()

    def _write_on(self) -> None:
        while True:
            with self._change:
                self._change.wait_for(lambda: self._closed or self._waiting or self._refreshed)
                self._change.wait_for(lambda: self._closed or self._bytes >= FLUSH_BYTES, FLUSH_S)
                if self._closed or self._broken:
                    return
            self.flush()

    def _read(self, prefix: str) -> Listing | None:
        with self._lock:
            segments, void = list(self._segments.values()), self._void(prefix)
        wanted = segment.hash_of(prefix)
        found = [(row, held) for held in segments if (row := held.find(wanted)) is not None]
        if len(found) > 1:
            found.sort(key=recency, reverse=True)
        for row, held in found:
            if row.at <= void or not row.length:
                return None
            age = self._wall() - row.at
            at = self._clock() - max(age, 0.0) if age > -SKEW_S else float("-inf")
            try:
                kept, listing = segment.decode(held.read(row), self._source, at)
            except (Damaged, OSError) as e:
                self._pass_over(held.path, e)
                continue
            if kept == prefix:
                return listing
        return None

    def _tidy(self) -> None:
        """Remove what a killed writer left unfinished a day ago."""
        with contextlib.suppress(OSError):
            for path in self._directory.glob(".*.tmp"):
                if time.time() - path.stat().st_mtime > 86_400:
                    path.unlink(missing_ok=True)

    def _void(self, prefix: str) -> float:
        """Wall time up to which nothing kept of a directory counts."""
        if not self._voids:
            return float("-inf")
        return max((when for below, when in self._voids if prefix.startswith(below)), default=float("-inf"))

    def _look(self) -> None:
        """Open what other mounts have written, let go of what they have removed."""
        with self._lock:
            self._looked = self._clock()
            held = set(self._segments) | self._damaged
        try:
            here = {path.name: path for path in self._directory.iterdir() if path.suffix == segment.SUFFIX}
        except OSError as e:
            self._give_up(e)
            return
        for name in sorted(here.keys() - held):
            self._open(here[name])
        with self._lock:
            for name in [name for name in self._segments if name not in here and name in held]:
                del self._segments[name]

    def _open(self, path: Path) -> None:
        try:
            opened = segment.Segment(path)
        except FileNotFoundError:
            return  # merged by another mount meanwhile
        except (Damaged, OSError) as e:
            self._pass_over(path, e)
            return
        with self._lock:
            self._segments[path.name] = opened
            self._voids = last_voids([*self._voids, *opened.refreshed])

    def _write(self, records: Iterable[Record], refreshed: list[tuple[str, float]]) -> None:
        self._open(segment.write(self._directory, records, refreshed, time.time_ns()))

    def _merge(self) -> None:
        with self._lock:
            segments = sorted(self._segments.values(), key=lambda held: held.size)
        if len(segments) >= SEGMENTS_MAX:
            group = group_of(segments)
            self._write(newest(group), last_voids([void for held in group for void in held.refreshed]))
            self._remove(group)
            segments = [held for held in segments if held not in group]
        by_age = sorted(segments, key=lambda held: held.path.name)
        while by_age and sum(held.size for held in by_age) > DISK_BYTES:
            self._remove([by_age.pop(0)])

    def _remove(self, segments: list[Segment]) -> None:
        for held in segments:
            with self._lock:
                self._segments.pop(held.path.name, None)
            held.path.unlink(missing_ok=True)

    def _pass_over(self, path: Path, why: Exception) -> None:
        log.warning("%s: passed over, it cannot be read (%s)", path, why)
        with self._lock:
            self._damaged.add(path.name)
            self._segments.pop(path.name, None)

    def _give_up(self, why: OSError) -> None:
        with self._lock:
            told, self._broken = self._broken, True
            self._waiting.clear()
            self._bytes = 0
        if not told:
            log.warning("%s: names are not kept across restarts: %s", self._directory, why)
