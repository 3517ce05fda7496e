"""Fetches beside other mounts that share a tier: each byte by one of them, if nobody waits long for that.

What another mount is fetching is waited for, and then read from disk; the rest is fetched here. First what is ours,
then the wait: nobody holds what others wait for while it waits itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from ...stats import SHARED_VAIN, SHARED_WAITS, Stats
from ...stores.base import Deadline, ObjectId
from ...workers import cancels
from .. import geometry
from ..disk.base import Hold, LeaseTable
from ..geometry import BLOCK, BlockRange

# How long others are waited for: as long as their GETs may take, over a connection that is slow and not stalled. Longer
# waits would save requests on slower links, and make readers wait for whoever has lost his.
PATIENCE_S, BYTES_PER_S = 3.0, 1e6
# Mounts of other nodes show less often that they live (`disk/members.py`), and whether they do should be known first:
# then one takes over what a dead one has left, and the others wait for that one.
NODES_PATIENCE_S = 9.0


def patience_s(blocks: int, least: float = PATIENCE_S) -> float:
    """Seconds that others may take for so many blocks."""
    return least + blocks * BLOCK / BYTES_PER_S


class Load(Protocol):
    """What is to be loaded."""

    def look(self, spans: Sequence[BlockRange]) -> list[BlockRange]:
        """Fill what the disk tier holds of some blocks; the others."""
        ...

    def get(self, gap: BlockRange, hold: Hold | None) -> None:
        """Fetch blocks, and save them; the leases are held until that is written. Raises StoreError."""
        ...

    def hold_back(self, waits: bool) -> None:
        """It begins to wait for others (True), or has ended to."""
        ...


class SharedFetch:
    """One fetch of what `load` lacks.

    Args:
        patience: seconds that others are waited for, and some more for each block.
        waits, vain: counters of waits, and of those that were in vain.
    """

    def __init__(
        self,
        leases: LeaseTable,
        load: Load,
        stats: Stats,
        *,
        patience: float = PATIENCE_S,
        waits: str = SHARED_WAITS,
        vain: str = SHARED_VAIN,
    ) -> None:
        self._leases, self._load, self._stats, self._patience = leases, load, stats, patience
        self._waits, self._vain = waits, vain

    def run(self, id: ObjectId, size: int, missing: list[BlockRange]) -> None:
        """Get `missing`, blocks of an object of `size` bytes. Raises StoreError."""
        patience: Deadline | None = None
        while missing:
            hold, mine, busy = self._leases.take(id, size, missing)
            try:
                # Somebody may have fetched them between the look at the disk and the lease.
                for gap in self._load.look(mine):
                    self._load.get(gap, hold)
            finally:
                hold.done()
            if not busy:
                return
            missing = [span for one in busy for span in self._load.look([one.span])]
            if not missing:
                return
            self._stats.add(self._waits)
            if patience is None:
                patience = Deadline(patience_s(sum(stop - first for first, stop in missing), self._patience))
            cancels(patience.cancel)
            self._load.hold_back(True)
            try:
                came = self._leases.wait(id.source, busy, patience)
            finally:
                self._load.hold_back(False)
            if patience.cancelled:
                patience.check(id.key)
            missing = self._load.look(_joined(missing))
            if not came:
                self._stats.add(self._vain, bool(missing))
                for gap in missing:
                    self._load.get(gap, None)
                return


def _joined(spans: Sequence[BlockRange]) -> list[BlockRange]:
    """Ascending ranges, neighbours as one."""
    return geometry.coalesced(spans, 0)
