"""What the fetcher asks of a tier below memory, and what that may borrow."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import NamedTuple, Protocol

from ...stores.base import ObjectId
from ..geometry import Run


class Loan(NamedTuple):
    """Blocks with their bytes: one view each, good as long as `pin` is held."""

    run: Run
    views: Sequence[memoryview]
    pin: object


# What memory still holds of a run.
Lend = Callable[[ObjectId, Run], list[Loan]]


class Tier(Protocol):
    """A tier below memory (the disk cache)."""

    def attach(self, memory: int, lend: Lend) -> None:
        """Blocks to keep may be borrowed by `lend` from a memory of so many bytes, once they were announced."""
        ...

    def load(self, id: ObjectId, size: int, run: Run, views: Sequence[memoryview]) -> Collection[int]:
        """Fill what it holds of `run`, one view a block; the indexes it filled. Never raises."""
        ...

    def keep(self, id: ObjectId, size: int, loan: Loan) -> None:
        """Take these blocks, which were just fetched, for later. Returns at once, never raises."""
        ...

    def close(self) -> None: ...
