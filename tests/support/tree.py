"""What lies in the test server's buckets, and how to put it there.

Content is made from the key, so that a test can say what any byte must be, and no two objects (nor two
versions of one) have a byte in common at the same place by accident for long.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from urllib.parse import quote_from_bytes, urlsplit

KIB, MIB = 1 << 10, 1 << 20

# Sizes and offsets where something changes: a page, FUSE's and the cache's usual units, and their neighbours.
EDGES = (4 * KIB, 64 * KIB, 128 * KIB, MIB)


def around(*edges: int) -> list[int]:
    """-1, 0 and +1 around each edge."""
    return sorted({e + d for e in edges for d in (-1, 0, 1)})


def content(key: str, size: int) -> bytes:
    """`size` bytes that only this key has."""
    return random.Random(key).randbytes(size)


def version(number: int, size: int) -> bytes:
    """Bytes that all tell which version they belong to: `number` in the high nibble, the place in the low one."""
    assert 0 <= number < 16
    pattern = bytes(number << 4 | (i * 7 + i // 16) & 15 for i in range(4096))
    return (pattern * (size // 4096 + 1))[:size]


def versions_in(data: bytes) -> set[int]:
    """The versions (as `version` numbers them) that bytes of `data` belong to."""
    return {value >> 4 for value in set(data)}


# The data set that most tests look at: a small BIDS tree, every interesting size, and what S3 alone can hold.
BIG = "big/volume.nii"
BIG_SIZE = 3 * MIB + 17

FILES: dict[str, int] = {
    "dataset_description.json": 312,
    "participants.tsv": 97,
    "sub-01/anat/sub-01_T1w.json": 1_200,
    "sub-01/anat/sub-01_T1w.nii.gz": 150_000,
    "sub-01/func/sub-01_task-rest_bold.json": 2_000,
    "sub-01/func/sub-01_task-rest_bold.nii": 300_352,
    "sub-02/anat/sub-02_T1w.json": 1_201,
    "sub-02/anat/sub-02_T1w.nii.gz": 140_001,
    "derivatives/fmriprep/sub-01/figures/report.html": 10_000,
    "empty/nothing.bin": 0,
    "marked/inside.txt": 11,
    BIG: BIG_SIZE,
} | {f"sizes/{n:07d}.bin": n for n in [1, 511, 512, 513, *around(4 * KIB, 64 * KIB, 128 * KIB, MIB)]}

# Directory markers: empty objects whose key ends in a slash, beside which nothing need lie.
MARKERS = ("marked/", "hollow/", "nested/hollow/")

DIRECTORIES: dict[str, set[str]] = {
    "": {
        *("dataset_description.json", "participants.tsv", "sub-01", "sub-02", "derivatives", "empty", "marked"),
        *("hollow", "nested", "big", "sizes"),
    },
    "sub-01": {"anat", "func"},
    "sub-01/anat": {"sub-01_T1w.json", "sub-01_T1w.nii.gz"},
    "sub-01/func": {"sub-01_task-rest_bold.json", "sub-01_task-rest_bold.nii"},
    "sub-02": {"anat"},
    "sub-02/anat": {"sub-02_T1w.json", "sub-02_T1w.nii.gz"},
    "derivatives": {"fmriprep"},
    "derivatives/fmriprep": {"sub-01"},
    "derivatives/fmriprep/sub-01": {"figures"},
    "derivatives/fmriprep/sub-01/figures": {"report.html"},
    "empty": {"nothing.bin"},
    "marked": {"inside.txt"},
    "hollow": set(),
    "nested": {"hollow"},
    "nested/hollow": set(),
    "big": {"volume.nii"},
    "sizes": {k.rpartition("/")[2] for k in FILES if k.startswith("sizes/")},
}


def objects() -> dict[str, bytes]:
    """Every object of the data set: key to content."""
    return {key: content(key, size) for key, size in FILES.items()} | dict.fromkeys(MARKERS, b"")


def digests() -> dict[str, str]:
    """SHA-256 of every file of the data set, by path."""
    return {key: hashlib.sha256(content(key, size)).hexdigest() for key, size in FILES.items()}


class Bucket:
    """A bucket on the server at `url`, changed by plain unsigned requests (a client library would cost more)."""

    def __init__(self, url: str, name: str) -> None:
        self.url, self.name = url, name
        self._request("PUT", "")

    def put(self, key: str | bytes, body: bytes, **headers: str) -> None:
        self._request("PUT", key, body, {"x-amz-acl": "public-read", **headers})

    def put_all(self, items: Mapping[str, bytes] | Iterable[tuple[str, bytes]]) -> None:
        pairs = list(items.items() if isinstance(items, Mapping) else items)
        with ThreadPoolExecutor(4) as pool:
            for _ in pool.map(lambda pair: self.put(*pair), pairs):
                pass

    def delete(self, key: str | bytes) -> None:
        self._request("DELETE", key)

    def path(self, key: str) -> str:
        """The path that a proxy sees requests for `key` under."""
        return f"/{self.name}/{key}"

    def _request(
        self, method: str, key: str | bytes, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> None:
        where = urlsplit(self.url)
        raw = key.encode("utf-8", "surrogateescape") if isinstance(key, str) else key
        connection = HTTPConnection(str(where.hostname), where.port, timeout=60)
        try:
            connection.request(method, f"/{self.name}/{quote_from_bytes(raw, safe='/')}", body, dict(headers or {}))
            answer = connection.getresponse()
            text = answer.read()
            if answer.status >= 300:
                raise RuntimeError(f"{method} {self.name}/{key!r}: {answer.status} {text[:300]!r}")
        finally:
            connection.close()
