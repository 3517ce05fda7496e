"""Buckets too large to hold: their listings are computed from the position of a key."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from mountnd.errors import NotFound
from mountnd.stores.base import Deadline, ObjectId, ObjectStat, Page
from mountnd.stores.common import StoreBase

MTIME = 1_600_000_000 * 10**9


class ComputedBucket(StoreBase):
    """`count` keys, the i-th being `key(i)`; they must come in byte order. Speaks as S3 does.

    Args:
        first: position of the first key not below a string: the inverse of `key`.
    """

    source = "computed"
    root = ""
    url = "computed://bucket"
    flat = True
    pins = True

    def __init__(self, count: int, key: Callable[[int], str], first: Callable[[str], int]) -> None:
        self.count, self.key, self.first = count, key, first
        self.calls: list[tuple[str, str]] = []
        self._lock = threading.Lock()

    def stat(self, i: int) -> ObjectStat:
        return ObjectStat(ObjectId(self.source, self.key(i), f'"{i:032x}"'), 1000 + i, MTIME, "STANDARD")

    def list_page(
        self,
        prefix: str,
        *,
        delimiter: str = "/",
        token: str | None = None,
        start_after: str = "",
        limit: int = 1000,
        deadline: Deadline,
    ) -> Page:
        with self._lock:
            self.calls.append(("list", prefix))
        i = int(token) if token else max(self.first(prefix), self.first(start_after))
        if not token and i < self.count and self.key(i) == start_after:
            i += 1
        stop = self.first(prefix[:-1] + chr(ord(prefix[-1]) + 1)) if prefix else self.count
        objects: list[ObjectStat] = []
        prefixes: list[str] = []
        while i < stop and len(objects) + len(prefixes) < limit:
            key = self.key(i)
            cut = key.find("/", len(prefix)) if delimiter else -1
            if cut < 0:
                objects.append(self.stat(i))
                i += 1
            else:
                prefixes.append(key[: cut + 1])
                i = self.first(key[:cut] + "0")
        return Page(objects, prefixes, str(i) if i < stop else None)

    def head(self, key: str, *, deadline: Deadline) -> ObjectStat:
        i = self.first(key)
        if i >= self.count or self.key(i) != key:
            raise NotFound(key)
        return self.stat(i)

    def read(self, id: ObjectId, start: int, views: Sequence[memoryview], *, deadline: Deadline) -> None:
        raise NotFound(id.key)


def bisecting(count: int, key: Callable[[int], str]) -> Callable[[str], int]:
    """`first` for any `key` in byte order."""

    def first(wanted: str) -> int:
        low, high = 0, count
        while low < high:
            middle = (low + high) // 2
            if key(middle).encode() < wanted.encode():
                low = middle + 1
            else:
                high = middle
        return low

    return first


def one_directory(count: int) -> ComputedBucket:
    """`image/0000000` and so on: chunks of a volume, all in one directory."""

    def key(i: int) -> str:
        return f"image/{i:07}"

    return ComputedBucket(count, key, bisecting(count, key))


def studies(count: int) -> ComputedBucket:
    """`count` keys: 20 files in each of 2 directories a session, 5 sessions a subject, 100 subjects a study."""

    def key(i: int) -> str:
        d, f = divmod(i, 20)
        s, m = divmod(d, 2)
        subject, session = divmod(s, 5)
        study, subject = divmod(subject, 100)
        name = f"sub-{subject:03}_ses-{session}"
        return f"ds{study:05}/sub-{subject:03}/ses-{session}/{('anat', 'func')[m]}/{name}_run-{f:02}_bold.nii.gz"

    return ComputedBucket(count, key, bisecting(count, key))
