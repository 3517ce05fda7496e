"""A store of small pages and thresholds of a few, so that a handful of keys makes large directories and walks."""

from __future__ import annotations

from typing import Any

from mountnd.catalog.readahead import key_ranges, policy, prefetcher
from mountnd.stores.base import Page
from mountnd.stores.memory import MemoryStore

# (module, its constant, value): a handful of directories is a walk, and is listed in many ranges.
TINY = [
    (policy, "AFTER", 2),
    (policy, "FIRST_PAGES", 1),
    (policy, "WHOLE_PAGES", 0),
    (prefetcher, "WHOLE_PAGES", 0),
    (key_ranges, "KEYS_IN_ONE_PAGE", 2),
    (key_ranges, "KEYS_IN_SOME_PAGES", 100),
]


class SmallPages(MemoryStore):
    """Pages of a few keys, so that a handful of keys makes a large directory."""

    page = 1000

    def list_page(self, prefix: str, *, limit: int = 1000, **rest: Any) -> Page:
        return super().list_page(prefix, limit=min(limit, self.page), **rest)
