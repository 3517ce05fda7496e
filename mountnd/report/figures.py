"""A mount's counters as the few figures a person wants: what was read, from where, and at what price. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class Figures(NamedTuple):
    """One source, or a whole mount. Bytes unless the name says otherwise; `amplification` is fetched / asked."""

    asked: int
    memory: int
    disk: int
    fetched: int
    gets: int
    lists: int
    heads: int
    ahead: int
    ahead_used: int
    ahead_wasted: int
    failed: int

    @property
    def amplification(self) -> float | None:
        return self.fetched / self.asked if self.asked else None


def figures(counters: Mapping[str, int]) -> Figures:
    """The figures in a snapshot of `stats.Stats`."""
    count = counters.get
    return Figures(
        asked=count("bytes.asked", 0),
        memory=count("bytes.memory", 0),
        disk=count("bytes.disk", 0),
        fetched=count("bytes.fetched", 0),
        gets=count("get.requests", 0),
        lists=count("names.list.requests", 0),
        heads=count("names.head.requests", 0),
        ahead=count("prefetch.bytes", 0),
        ahead_used=count("prefetch.used.bytes", 0),
        ahead_wasted=count("prefetch.wasted.bytes", 0),
        failed=count("get.failed.requests", 0),
    )


def size(n: float) -> str:
    """Bytes for people: "0 B", "1.5 MiB"."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if abs(n) < 1024:
            return f"{n:.0f} {unit}" if unit == "B" or n == int(n) else f"{n:.1f} {unit}"
        n /= 1024
    return f"{n:.1f} TiB"


def rows(f: Figures) -> list[tuple[str, str]]:
    """What each figure is called, and its text, in the order they are shown."""
    ratio = f.amplification
    return [
        ("asked for by programs, beyond the kernel's own cache", size(f.asked)),
        ("  served from memory", size(f.memory)),
        ("  served from the disk cache", size(f.disk)),
        ("fetched from the source", size(f.fetched)),
        ("  for each byte asked for", "-" if ratio is None else f"{ratio:.2f}"),
        ("requests: GET / LIST / HEAD", f"{f.gets} / {f.lists} / {f.heads}"),
        ("  GETs that failed", str(f.failed)),
        ("fetched ahead", size(f.ahead)),
        ("  and then read", size(f.ahead_used)),
        ("  and dropped unread", size(f.ahead_wasted)),
    ]
