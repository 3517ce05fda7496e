"""How much a process does at once: requests for bytes and for names, and files of the cache kept open.

Fewer where the limit of open files is low.
"""

from __future__ import annotations

from . import descriptors
from .blocks.disk.cache import OPEN_FILES
from .blocks.disk.writer import WRITTEN_FILES
from .workers import Workers

# Requests for bytes in flight: enough for small ones, whose cost is the round trip. 600 visits of 64 KiB took 1.13 s
# with 40 at a time and 0.90 with 96 (30 ms, 2 cores), at 100 ms 3.6 and 2.9. Large prefetches are fewer (the budget
# in `blocks.fetch`); the reserved threads stay free for what a reader waits for.
BYTE_WORKERS = 104
BYTE_RESERVED = 8
# Listings and HEADs in flight.
NAME_WORKERS = 16
NAME_RESERVED = 4
# Each of them, with requests that a server does not answer: those stand in nobody's way as long as there are no more.
MOST_REQUESTS = 2_048


def descriptor_shares(byte_workers: int = BYTE_WORKERS) -> descriptors.Shares:
    """What each part may open of what this process may, with so many requests for bytes at most."""
    most = descriptors.Shares(byte_workers, NAME_WORKERS, OPEN_FILES, WRITTEN_FILES)
    return descriptors.shares(descriptors.limit(), most)


def most_requests() -> int:
    """How many requests for names, and for bytes, there may be with those that a server does not answer."""
    return descriptors.most_requests(descriptors.limit(), MOST_REQUESTS)


def make_workers(name: str, threads: int, reserved: int) -> Workers:
    """Up to so many threads, of which some are for what somebody waits for; half of them at most."""
    return Workers(threads, name, reserved=min(reserved, threads // 2), most=most_requests())
