"""The objects of the soak's bucket. Nothing is stored: a byte follows from key, version and offset, a version from the
clock, so that server and readers agree without speaking to each other."""

from __future__ import annotations

import functools
import hashlib
import json
import random
import time
from dataclasses import asdict, dataclass

BUCKET = "soak"
# Odd and no multiple of anything that readers or caches step by, so that no two blocks of a file look alike.
PERIOD = 1_048_573
MOST = 12 << 20  # bytes of one piece of content
_period = random.Random("soak").randbytes(PERIOD)
_SLAB = memoryview(_period * (MOST // PERIOD + 2))


@functools.lru_cache(200_000)
def _hash(key: str) -> int:
    return int.from_bytes(hashlib.blake2b(key.encode(), digest_size=6).digest(), "little")


def content(key: str, version: int, start: int, stop: int) -> memoryview:
    """Bytes `[start, stop)` of an object, at most MOST; its end is not looked at."""
    at = (start + _hash(f"{key}@{version}")) % PERIOD
    return _SLAB[at : at + stop - start]


@dataclass(frozen=True)
class World:
    """What the bucket holds.

    Args:
        volumes, small, replaced, walk: how many objects there are of each kind, in directories of these names.
        volume_size: bytes of the largest volume.
        period: seconds that a version of a replaced object lasts, whole ones.
        begin: seconds since the epoch, when all have version 0.
    """

    volumes: int = 80
    volume_size: int = 12 << 20
    small: int = 400
    replaced: int = 24
    walk: int = 2000
    period: int = 7
    begin: int = 1_600_000_000

    @functools.cached_property
    def keys(self) -> list[str]:
        """All keys, in the order of listings."""
        names = [f"volumes/run-{i:04}_bold.nii" for i in range(self.volumes)]
        names += [f"small/sub-{i % 20:02}/sub-{i % 20:02}_run-{i // 20:03}_events.tsv" for i in range(self.small)]
        names += [f"replaced/object-{i:02}.dat" for i in range(self.replaced)]
        names += [f"walk/ds{i // 2000:04}/sub-{i // 40 % 50:02}/anat/file-{i % 40:02}.json" for i in range(self.walk)]
        return sorted(names)

    def below(self, directory: str) -> list[str]:
        """The keys below a directory, "volumes" for instance."""
        return [key for key in self.keys if key.startswith(directory + "/")]

    def version(self, key: str, now: float | None = None) -> int:
        """The version of an object at a time."""
        if not key.startswith("replaced/"):
            return 0
        age = (time.time() if now is None else now) - self.begin
        return max(0, int(age + _hash(key) % self.period) // self.period)

    def modified(self, key: str, version: int) -> int:
        """When a version was made, in seconds since the epoch."""
        return self.begin + version * self.period

    def size(self, key: str, version: int = 0) -> int:
        """Bytes of an object; every third replaced object changes its size."""
        kind, number = key.partition("/")[0], _hash(key)
        if kind == "volumes":
            return self.volume_size // 3 + number % (self.volume_size * 2 // 3)
        if kind == "replaced":
            return 900_000 + number % 300_000 + (version % 3 * 5000 if number % 3 == 0 else 0)
        return (200 + number % 40_000) if kind == "small" else 100 + number % 3000

    def etag(self, key: str, version: int) -> str:
        return f'"{hashlib.md5(f"{key}@{version}".encode()).hexdigest()}"'

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> World:
        return cls(**json.loads(text))
