"""What was read under which ETag: whether a server's ETags stand for bytes at all.

An ETag that looks like a checksum need not be one (objects encrypted with a key of KMS have others, and that is fine),
and may be the same for everything, or made of the key. Two things tell: other bytes under an ETag that was seen before,
and an object whose ETag stayed while its date did not. The first is evidence; the second may be a harmless re-export,
so that its first bytes are asked for once more (`redated`), of a few objects, unless the server's checksums have
been found to be MD5s (`Md5Proof`).

Lock order: `EtagSamples._lock` and `Md5Proof._lock` are leaves.
"""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple, TypeVar

from cachetools import LRUCache
from xxhash import xxh3_128_hexdigest

from ..base import ObjectId, ObjectStat
from ..facts import UNKNOWN_MTIME_NS
from .etags import is_digest, is_md5, is_reliable

T = TypeVar("T")

# How many of an object's bytes are compared: its first block, which most reads bring anyway.
FIRST = 64 << 10
# Objects whose first bytes are remembered, some 400 bytes each; and of these over restarts.
_REMEMBERED, _KEPT = 2048, 1024
# Objects that are looked at again because of their date: so many in so many seconds.
_CHECKS, _CHECKS_S = 4, 10.0
# A listing may round the times that answers give.
_ROUNDING_S = 1
# Objects whose MD5 is compared with their ETag until one is right; the longest of them; those put together at a time.
_TRIES, _LONGEST, _TOGETHER = 16, 1 << 20, 2


class Sample(NamedTuple):
    """One object as it was read: its ETag, size in bytes, LastModified in seconds (-1: not known), and a hash of its
    first bytes."""

    etag: str
    size: int
    seconds: int
    digest: str


def first_bytes(size: int, start: int, views: Sequence[memoryview]) -> list[memoryview] | None:
    """Those of the first `FIRST` bytes of an object that `views`, from `start` on, hold; None unless they hold all."""
    left = min(size, FIRST)
    if start or left <= 0:
        return None
    found = []
    for view in views:
        found.append(view[:left])
        left -= len(found[-1])
        if left <= 0:
            return found
    return None


def digest_of(parts: Sequence[memoryview]) -> str:
    """A hash of these bytes."""
    return xxh3_128_hexdigest(parts[0] if len(parts) == 1 else b"".join(parts))


class EtagSamples:
    """Samples of one source. Thread-safe.

    Args:
        clock: monotonic seconds.

    Attributes:
        due: it has grown to double of what it was when `dump` was called last.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._lock = threading.Lock()
        self._clock = clock
        self._keys: LRUCache[str, Sample] = LRUCache(_REMEMBERED)
        self._etags: LRUCache[str, tuple[str, Sample]] = LRUCache(_REMEMBERED)
        self._checks: list[float] = []
        self.due, self._dumped = False, 0.5

    def add(self, id: ObjectId, seconds: int, digest: str) -> tuple[bool, bool]:
        """These first bytes were read under this id. Returns whether other bytes were before: (of the same key, of
        another one with the same checksum)."""
        sample = Sample(id.etag, id.size, seconds, digest)
        with self._lock:
            before = self._keys.get(id.key)
            if before is not None and before[:2] == sample[:2]:
                if before.digest != digest:
                    return True, False
                return False, False  # with the date that it was known by
            self._keys[id.key] = sample
            self.due = len(self._keys) >= 2 * self._dumped
            if not is_digest(id.etag):  # may be made of size and date, which objects share
                return False, False
            key, other = self._etags.setdefault(id.etag, (id.key, sample))
            return False, key != id.key and other.size == id.size and other.digest != digest

    def find(self, id: ObjectId) -> Sample | None:
        """What is known of exactly this version."""
        with self._lock:
            sample = self._keys.get(id.key)
        return sample if sample is not None and (sample.etag, sample.size) == (id.etag, id.size) else None

    def redated(self, objects: Iterable[ObjectStat], doubtful: Callable[[str], bool]) -> list[ObjectStat]:
        """Those of `objects` whose ETag and size are as before, and whose date is not: at most as many as may be
        looked at again now. `doubtful`: whether an ETag is."""
        with self._lock:
            keys = self._keys
            if not keys:
                return []
            found = []
            for stat in objects:
                if stat.id.key not in keys:
                    continue
                sample = keys[stat.id.key]
                if sample[:2] != (stat.id.etag, stat.size) or stat.mtime_ns == UNKNOWN_MTIME_NS:
                    continue
                seconds = stat.mtime_ns // 10**9
                if sample.seconds < 0:
                    keys[stat.id.key] = sample._replace(seconds=seconds)
                elif abs(seconds - sample.seconds) > _ROUNDING_S and doubtful(sample.etag):
                    found.append(stat)
            return self._allowed(found) if found else []

    def may_check(self) -> bool:
        """Whether one more object may be looked at again now; counts it."""
        with self._lock:
            return bool(self._allowed([None]))

    def confirm(self, id: ObjectId, seconds: int, digest: str) -> bool:
        """An object that was looked at again: whether its bytes are as before; its date is known then."""
        with self._lock:
            sample = self._keys.get(id.key)
            if sample is None or (sample.etag, sample.size) != (id.etag, id.size):
                return True
            if sample.digest == digest:
                self._keys[id.key] = sample._replace(seconds=seconds)
            return sample.digest == digest

    def dump(self, doubtful: Callable[[str], bool]) -> str:
        """What is to be kept over restarts: samples of ETags that are `doubtful`."""
        with self._lock:
            self.due, self._dumped = False, max(1, len(self._keys))
            kept = {key: sample for key, sample in self._keys.items() if doubtful(sample.etag)}
            return json.dumps(dict(list(kept.items())[-_KEPT:])) if kept else ""

    def load(self, text: str) -> None:
        """Take what `dump` gave, if it is that."""
        try:
            kept = {str(key): Sample(*row) for key, row in json.loads(text).items()}
        except (ValueError, TypeError, AttributeError):
            return
        with self._lock:
            for key, sample in kept.items():
                if [*map(type, sample)] == [str, int, int, str]:
                    self._keys[key] = sample
                    if is_digest(sample.etag):
                        self._etags[sample.etag] = key, sample

    def _allowed(self, found: list[T]) -> list[T]:
        now = self._clock()
        self._checks = [at for at in self._checks if at > now - _CHECKS_S]
        taken = found[: max(0, _CHECKS - len(self._checks))]
        self._checks += [now] * len(taken)
        return taken


class Md5Proof:
    """Whether ETags that look like MD5s are those of the content, by a few objects that are read whole. Thread-safe.

    Attributes:
        found: one was.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._left = _TRIES
        self._parts: dict[ObjectId, dict[int, bytes]] = {}
        self.found = False

    def saw(self, id: ObjectId, start: int, views: Sequence[memoryview]) -> bool:
        """These bytes, from `start` on, were read of `id`. True once: that was the proof."""
        if self.found or not self._left or not 0 < id.size <= _LONGEST or not is_md5(id.etag):
            return False
        with self._lock:
            parts = self._parts.pop(id, {})
            parts[start] = b"".join(views)
            if sum(map(len, parts.values())) < id.size:
                self._parts[id] = parts
                if len(self._parts) > _TOGETHER:
                    del self._parts[next(iter(self._parts))]
                return False
            content = b"".join(parts[at] for at in sorted(parts))
            self._left -= 1
            if hashlib.md5(content, usedforsecurity=False).hexdigest() != id.etag.strip('"'):
                return False
            first, self.found = not self.found, True
            self._parts.clear()
            return first


def is_dubious(etag: str, size: int, *, md5s: bool) -> bool:
    """Whether a new date may mean new bytes although a reliable ETag is as before. `md5s`: checksums are what they
    look like."""
    return is_reliable(etag, size) and not (md5s and is_digest(etag))
