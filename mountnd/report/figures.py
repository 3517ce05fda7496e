"""A mount's counters as the few figures that a person wants: what was read, from where, and at what price. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from .. import stats


class Figures(NamedTuple):
    """One source, or a whole mount. Bytes, but `gets`, `lists`, `heads` and `failed` are requests."""

    asked: int
    from_memory: int
    from_disk: int
    fetched: int
    gets: int
    lists: int
    heads: int
    prefetched: int
    prefetch_used: int
    prefetch_wasted: int
    failed: int

    @property
    def amplification(self) -> float | None:
        """Bytes fetched for each byte asked for; None when nothing was."""
        return self.fetched / self.asked if self.asked else None


def figures(counters: Mapping[str, int]) -> Figures:
    """The figures in a snapshot of `stats.Stats`."""
    count = counters.get
    return Figures(
        asked=count(stats.BYTES_ASKED, 0),
        from_memory=count(stats.BYTES_FROM_MEMORY, 0),
        from_disk=count(stats.BYTES_FROM_DISK, 0),
        fetched=count(stats.BYTES_FETCHED, 0),
        gets=count(stats.GETS, 0),
        lists=count(stats.LISTS, 0),
        heads=count(stats.HEADS, 0),
        prefetched=count(stats.PREFETCHED, 0),
        prefetch_used=count(stats.PREFETCH_USED, 0),
        prefetch_wasted=count(stats.PREFETCH_WASTED, 0),
        failed=count(stats.GETS_FAILED, 0),
    )


def size(n: float) -> str:
    """Bytes for people: "0 B", "1.5 MiB"."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if abs(n) < 1024:
            return f"{n:.0f} {unit}" if unit == "B" or n == int(n) else f"{n:.1f} {unit}"
        n /= 1024
    return f"{n:.1f} TiB"


def rows(f: Figures) -> list[tuple[str, str]]:
    """What each figure is called, and its text, in the order in which they are shown."""
    ratio = f.amplification
    return [
        ("requested by programs, beyond the kernel's own cache", size(f.asked)),
        ("  served from memory", size(f.from_memory)),
        ("  served from the disk cache", size(f.from_disk)),
        ("fetched from the source", size(f.fetched)),
        ("  for each byte requested", "-" if ratio is None else f"{ratio:.2f}"),
        ("requests: GET / LIST / HEAD", f"{f.gets} / {f.lists} / {f.heads}"),
        ("  GETs that failed", str(f.failed)),
        ("prefetched", size(f.prefetched)),
        ("  and then read", size(f.prefetch_used)),
        ("  and dropped unread", size(f.prefetch_wasted)),
    ]
