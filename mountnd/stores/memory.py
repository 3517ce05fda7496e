"""A store in a dict that behaves like S3: it can be mounted, counted, changed under a reader, and made to fail.

Lock order: `MemoryStore._lock` is a leaf; the fault hook runs outside it.
"""

from __future__ import annotations

import hashlib
import threading
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from ..errors import Archived, BadAnswer, Changed, NotFound
from .base import Deadline, ObjectId, ObjectStat, Page
from .common import StoreBase

# S3 gives at most this many keys and prefixes a page, whatever is asked for.
PAGE_MAX = 1000

# Storage classes whose bytes must be restored first (S3 answers InvalidObjectState).
ARCHIVE_CLASSES = frozenset({"GLACIER", "DEEP_ARCHIVE"})

# The first object's LastModified: 2020-01-01T00:00:00Z. Each later one is a second younger, so that a
# test sees the same times on each run.
_EPOCH_NS = 1_577_836_800 * 10**9


class Call(NamedTuple):
    """One request, as the counter keeps it: `op` is "list", "head" or "read"; `key` is a listing's prefix."""

    op: str
    key: str
    start: int = 0
    stop: int = 0


class _Object(NamedTuple):
    body: bytes
    etag: str
    mtime_ns: int
    storage_class: str


class MemoryStore(StoreBase):
    """Objects in memory, listed and read by S3's rules. Thread-safe.

    Args:
        objects: key -> body; copied.
        url: how it is named; also its identity.
        root: key prefix below which the tree begins, "" or ending in "/".

    Attributes:
        calls: every request in order; `clear()` it between the steps of a test.
        fault: called with each `Call` before it is answered, on the caller's thread and without a
            lock; may raise (a StoreError), sleep, or change the store.
    """

    flat = True
    pins = True

    def __init__(
        self, objects: Mapping[str, bytes] | None = None, *, url: str = "memory://test", root: str = ""
    ) -> None:
        self.source = url
        self.root = root
        self.url = f"{url}/{root}" if root else url
        self.calls: list[Call] = []
        self.fault: Callable[[Call], None] | None = None
        self._lock = threading.Lock()
        self._objects: dict[str, _Object] = {}
        self._order: list[tuple[bytes, str]] | None = None  # keys in UTF-8 byte order, None when stale
        self._puts = 0
        for key, body in (objects or {}).items():
            self.put(key, body)

    def put(self, key: str, body: bytes, *, mtime_ns: int | None = None, storage_class: str = "STANDARD") -> ObjectStat:
        """Store `body`; ETag is its MD5 in quotes, as S3's of an upload in one part. Not counted as a request."""
        etag = f'"{hashlib.md5(body, usedforsecurity=False).hexdigest()}"'
        with self._lock:
            when = _EPOCH_NS + self._puts * 10**9 if mtime_ns is None else mtime_ns
            self._puts += 1
            if key not in self._objects:
                self._order = None
            self._objects[key] = _Object(bytes(body), etag, when, storage_class)
            return self._stat(key)

    def delete(self, key: str) -> None:
        """Forget `key`; absent is fine, as on S3."""
        with self._lock:
            if self._objects.pop(key, None) is not None:
                self._order = None

    def count(self, op: str | None = None) -> int:
        """How many requests came, of one kind or of all."""
        return sum(1 for call in list(self.calls) if op is None or call.op == op)

    def list_page(
        self,
        prefix: str,
        *,
        delimiter: str = "/",
        token: str | None = None,
        start_after: str = "",
        limit: int = PAGE_MAX,
        deadline: Deadline,
    ) -> Page:
        self._record(Call("list", prefix), deadline)
        low = _encode(prefix)
        # A token is the last entry of the page before, as `start_after` is a key: both are passed over.
        after = bytes.fromhex(token) if token is not None else _encode(start_after)
        objects: list[ObjectStat] = []
        prefixes: list[str] = []
        last = b""
        with self._lock:
            order = self._sorted()
            at = max(bisect_left(order, (low,)), bisect_right(order, after, key=lambda entry: entry[0]))
            while at < len(order) and order[at][0].startswith(low):
                if len(objects) + len(prefixes) == min(limit, PAGE_MAX):
                    return Page(objects, prefixes, last.hex())
                raw, key = order[at]
                cut = raw.find(delimiter.encode(), len(low)) if delimiter else -1
                if cut < 0:
                    objects.append(self._stat(key))
                    last, at = raw, at + 1
                    continue
                common = raw[: cut + len(delimiter.encode())]
                if common > after:
                    prefixes.append(_decode(common))
                    last = common
                at = bisect_left(order, (_past(common),))
        return Page(objects, prefixes)

    def head(self, key: str, *, deadline: Deadline) -> ObjectStat:
        self._record(Call("head", key), deadline)
        with self._lock:
            if key not in self._objects:
                raise NotFound(f"{self.url}: no object {key!r}", code="NoSuchKey")
            return self._stat(key)

    def read(self, id: ObjectId, start: int, views: Sequence[memoryview], *, deadline: Deadline) -> None:
        stop = start + sum(len(view) for view in views)
        self._record(Call("read", id.key, start, stop), deadline)
        with self._lock:
            found = self._objects.get(id.key)
        if found is None:
            raise NotFound(f"{self.url}: no object {id.key!r}", code="NoSuchKey")
        if found.etag != id.etag or id.size not in (-1, len(found.body)):
            raise Changed(f"{self.url}: {id.key!r} changed", code="PreconditionFailed")
        if found.storage_class in ARCHIVE_CLASSES:
            raise Archived(f"{self.url}: {id.key!r} is archived", code="InvalidObjectState")
        if stop > len(found.body):
            raise BadAnswer(
                f"{self.url}: {id.key!r} has {len(found.body)} bytes, requested up to {stop}", code="InvalidRange"
            )
        at = start
        for view in views:
            view[:] = found.body[at : at + len(view)]
            at += len(view)

    def _record(self, call: Call, deadline: Deadline) -> None:
        self.calls.append(call)
        if self.fault is not None:
            self.fault(call)
        deadline.check(self.url)

    def _stat(self, key: str) -> ObjectStat:
        found = self._objects[key]
        id = ObjectId(self.source, key, found.etag, size=len(found.body))
        return ObjectStat(id, len(found.body), found.mtime_ns, found.storage_class)

    def _sorted(self) -> list[tuple[bytes, str]]:
        if self._order is None:
            self._order = sorted((_encode(key), key) for key in self._objects)
        return self._order


def _encode(key: str) -> bytes:
    return key.encode("utf-8", "surrogateescape")


def _decode(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")


def _past(prefix: bytes) -> bytes:
    """The least bytes that sort after everything beginning with `prefix` (whose last byte is never 0xff here)."""
    return prefix[:-1] + bytes([prefix[-1] + 1])
