"""Several digests of one content, in one pass.

hashlib, zlib and xxhash release the interpreter while they work, so threads hash side by side. CRC32C and CRC64NVME
come with a package of their own, which need not be there.
"""

from __future__ import annotations

import hashlib
import math
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache, partial
from importlib import import_module
from typing import Any, Protocol

from .digest import LENGTHS, PARTED

# The package that has what is missing here.
PACKAGE = "anycrc"

# How `dandi-etag` cuts a file (github.com/dandi/dandi-schema, dandischema/digests/dandietag.py): parts of 64 MiB, and
# longer ones where these would be 10,000 or more.
_PART, _PARTS_MAX = 64 << 20, 10_000


class Missing(Exception):
    """The package is not installed that computes this algorithm."""


class Hasher(Protocol):
    """One digest that is being computed."""

    def update(self, data: memoryview, /) -> object: ...

    def hexdigest(self) -> str: ...


def hasher(algorithm: str, size: int) -> Hasher:
    """For a content of `size` bytes. Raises Missing, and KeyError for an unknown algorithm."""
    return _MAKERS[algorithm](size)


def can_compute(algorithm: str) -> bool:
    """Whether what it needs is installed."""
    try:
        hasher(algorithm, 0)
    except Missing:
        return False
    return True


class Hashers:
    """The digests of one content by several algorithms. Raises as `hasher`."""

    def __init__(self, algorithms: Iterable[str], size: int) -> None:
        self._hashers = {algorithm: hasher(algorithm, size) for algorithm in algorithms}

    def update(self, data: memoryview) -> None:
        """The next bytes."""
        for one in self._hashers.values():
            one.update(data)

    def values(self) -> dict[str, str]:
        """The value of each algorithm's digest, hexadecimal."""
        return {algorithm: one.hexdigest() for algorithm, one in self._hashers.items()}


def part_size(size: int) -> int:
    """Bytes of a part of `dandi-etag`, but for the last one."""
    if -(-size // _PART) >= _PARTS_MAX:
        return math.ceil(size / _PARTS_MAX)
    return _PART


def _md5() -> Hasher:
    return hashlib.md5(usedforsecurity=False)


class _Crc:
    def __init__(self, step: Callable[[Any, int], int], length: int) -> None:
        self._step, self._length, self._value = step, length, 0

    def update(self, data: memoryview) -> None:
        self._value = self._step(data, self._value)

    def hexdigest(self) -> str:
        return self._value.to_bytes(self._length, "big").hex()


class _Parted:
    """MD5 of the parts' MD5s, and how many there are."""

    def __init__(self, part: int) -> None:
        self._part, self._left, self._now, self._all, self._count = part, part, _md5(), _md5(), 0

    def update(self, data: memoryview) -> None:
        while data:
            taken, data = data[: self._left], data[self._left :]
            self._now.update(taken)
            self._left -= len(taken)
            if not self._left:
                self._close()

    def hexdigest(self) -> str:
        if self._left < self._part:
            self._close()
        return f"{self._all.hexdigest()}-{self._count}"

    def _close(self) -> None:
        self._all.update(memoryview(bytes.fromhex(self._now.hexdigest())))
        self._now, self._left, self._count = _md5(), self._part, self._count + 1


def _git(name: str, size: int) -> Hasher:
    """Of a blob, as git hashes it: with a header before its content."""
    made = hashlib.new(name, usedforsecurity=False)
    made.update(b"blob %d\0" % size)
    return made


def _plain(name: str, size: int) -> Hasher:
    return hashlib.new(name.replace("sha3-", "sha3_"), usedforsecurity=False)


def _blake(name: str, size: int) -> Hasher:
    return getattr(hashlib, name.partition("-")[0])(digest_size=LENGTHS[name])  # type: ignore[no-any-return]


# Functions of (data, value so far), in the order in which they are looked for. Google's takes `bytes` alone. AWS's own
# comes last and is no dependency: where it is installed botocore signs with it, and minds neither clocks nor regions.
_CRC32C = (
    ("anycrc", "CRC32-ISCSI"),
    ("crc32c", "crc32c"),
    ("google_crc32c", "extend"),
    ("awscrt.checksums", "crc32c"),
)
_CRC64NVME = (("anycrc", "CRC64-NVME"), ("awscrt.checksums", "crc64nvme"))


@cache
def _step(found_in: Sequence[tuple[str, str]]) -> Callable[[Any, int], int]:
    """The first of these functions that is installed. Raises Missing."""
    for module, name in found_in:
        try:
            found = import_module(module)
            function = found.Model(name).calc if module == "anycrc" else getattr(found, name)
        except (ImportError, AttributeError, ValueError):  # the last: of a model that this version does not know
            continue
        if module == "google_crc32c":
            return lambda data, value: int(function(value, bytes(data)))
        return function  # type: ignore[no-any-return]
    raise Missing


def _crc(found_in: Sequence[tuple[str, str]], length: int, size: int) -> Hasher:
    return _Crc(_step(found_in), length)


def _xxh(name: str, size: int) -> Hasher:
    import xxhash

    return getattr(xxhash, name)()  # type: ignore[no-any-return]


_MAKERS: Mapping[str, Callable[[int], Hasher]] = {
    **{name: partial(_plain, name) for name in LENGTHS if name.startswith(("md5", "sha"))},
    **{name: partial(_blake, name) for name in LENGTHS if name.startswith("blake")},
    "git-sha1": partial(_git, "sha1"),
    "git-sha256": partial(_git, "sha256"),
    "crc32": lambda size: _Crc(zlib.crc32, 4),
    "crc32c": partial(_crc, _CRC32C, 4),
    "crc64nvme": partial(_crc, _CRC64NVME, 8),
    "xxh64": partial(_xxh, "xxh64"),
    "xxh3": partial(_xxh, "xxh3_64"),
    "xxh128": partial(_xxh, "xxh3_128"),
    PARTED: lambda size: _Parted(part_size(size)),
}
