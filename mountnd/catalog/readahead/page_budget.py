"""How many pages one subtree's listing may take: more as the walk uses what was listed."""

from __future__ import annotations

from ..cache.memory import MemoryCache
from .key_ranges import PARALLEL
from .policy import first_grant, next_grant


class PageBudget:
    """Grants pages to one subtree's listing.

    Args:
        memory: tells how many listings were used meanwhile.
        pages: how many the subtree is estimated to take.
        most: pages granted at most.
        sample: one page of each range, and no more.
    """

    def __init__(self, memory: MemoryCache, *, pages: float, most: int, sample: bool) -> None:
        self._memory, self._pages, self._most, self._sample = memory, pages, most, sample
        self._used_before = memory.used_listings

    def grant(self, pages: int, listed: int) -> int:
        """Further pages, 0 for none, when `pages` were listed and completed `listed` directories."""
        if self._sample:
            return 0 if pages else PARALLEL
        if not pages:
            return first_grant(self._pages, self._most)
        return next_grant(pages, listed, self._memory.used_listings - self._used_before, self._most)
