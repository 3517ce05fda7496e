"""Objects of the reference model's buckets: bytes that say whose they are, and how they stand in messages."""

from __future__ import annotations

import hashlib
from typing import Any

from .oracle import File

# Of objects: none, less than a page, more than a block, several blocks.
SIZES = [0, 1, 5000, 66_000, 600_000]
FIRST = 1_600_000_000


def body(key: str, number: int, size: int) -> bytes:
    """Bytes that tell by any eight of them whose they are."""
    seed = hashlib.sha256(f"{key}\0{number}".encode("utf-8", "surrogateescape")).digest()
    return (seed * (size // len(seed) + 1))[:size]


def brief(outcomes: set[Any]) -> list[object]:
    """For messages: files by size, mtime and first bytes."""
    return [(len(one.body), one.mtime, one.body[:8]) if isinstance(one, File) else one for one in outcomes]
