"""A mount's counters as the few figures that a person wants: what was read, from where, and at what price. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

from .. import stats


class Figures(NamedTuple):
    """One source, or a whole mount. Bytes; `gets`, `lists`, `heads`, `failed` and `failed_ahead` are requests."""

    asked: int
    from_memory: int
    from_disk: int
    fetched: int
    gets: int
    get_microseconds: int
    lists: int
    heads: int
    prefetched: int
    prefetch_used: int
    prefetch_wasted: int
    failed: int
    failed_ahead: int

    @property
    def waited(self) -> int:
        """Bytes that readers waited for: what was asked for and not in memory. 0 where a snapshot came between."""
        return max(0, self.asked - self.from_memory)

    @property
    def loaded(self) -> int:
        """Bytes brought into memory."""
        return self.from_disk + self.fetched

    @property
    def amplification(self) -> float | None:
        """Bytes fetched for each byte asked for; None when nothing was."""
        return self.fetched / self.asked if self.asked else None

    @property
    def get_ms(self) -> float | None:
        """Milliseconds that a GET takes, on average; None when there was none that ended well."""
        done = self.gets - self.failed - self.failed_ahead
        return self.get_microseconds / done / 1000 if done > 0 and self.get_microseconds else None


def figures(counters: Mapping[str, int]) -> Figures:
    """The figures in a snapshot of `stats.Stats`."""
    count = counters.get
    return Figures(
        asked=count(stats.BYTES_ASKED, 0),
        from_memory=count(stats.BYTES_FROM_MEMORY, 0),
        from_disk=count(stats.BYTES_FROM_DISK, 0),
        fetched=count(stats.BYTES_FETCHED, 0),
        gets=count(stats.GETS, 0),
        get_microseconds=count(stats.GET_TIME, 0),
        lists=count(stats.LISTS, 0),
        heads=count(stats.HEADS, 0),
        prefetched=count(stats.PREFETCHED, 0),
        prefetch_used=count(stats.PREFETCH_USED, 0),
        prefetch_wasted=count(stats.PREFETCH_WASTED, 0),
        failed=count(stats.GETS_FAILED, 0),
        failed_ahead=count(stats.PREFETCH_FAILED, 0),
    )


def between(old: Figures, new: Figures) -> Figures:
    """What came between two moments of one mount."""
    return Figures(*(max(0, b - a) for a, b in zip(old, new, strict=True)))


def size(n: float) -> str:
    """Bytes for people: "0 B", "1.5 MiB"."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if abs(n) < 1024:
            return f"{n:.0f} {unit}" if unit == "B" or n == int(n) else f"{n:.1f} {unit}"
        n /= 1024
    return f"{n:.1f} TiB"


def byte_unit(n: float) -> tuple[int, str]:
    """The unit in which an axis up to `n` bytes is labelled, and how many bytes it has."""
    power = max((p for p in range(5) if n >= 1024**p), default=0)
    return 1024**power, ("B", "KiB", "MiB", "GiB", "TiB")[power]


def minute(seconds: float) -> str:
    """A moment (since the epoch) for people, by the clock on the wall here: "2026-11-26 07:45"."""
    return datetime.fromtimestamp(seconds).astimezone().strftime("%Y-%m-%d %H:%M")


def count(n: int, what: str) -> str:
    """`1 file`, `2,345 files`. `what` takes an s for many."""
    return f"{n:,} {what}{'' if n == 1 else 's'}"


def duration(seconds: float) -> str:
    """A time for people: "12 s", "3 min", "5 h 20 min", "2 days 3 h"."""
    whole = max(0, int(seconds))
    if whole < 60:
        return f"{whole} s"
    minutes, hours, days = whole // 60, whole // 3600, whole // 86400
    if minutes < 60:
        return f"{minutes} min"
    if hours < 24:
        return f"{hours} h {minutes % 60} min" if minutes % 60 else f"{hours} h"
    many = count(days, "day")
    return f"{many} {hours % 24} h" if hours % 24 else many


class Line(NamedTuple):
    """One line of `mountnd stats`.

    Attributes:
        label: what it is; indented where it is a part of the line above.
        value: bytes, or a number of requests; None where there is none yet.
        text: the value for people.
        has_rate: a second's worth of it means something.
        is_bad: it counts failures, and there are some.
    """

    label: str
    value: float | None
    text: str
    has_rate: bool = True
    is_bad: bool = False

    def rate(self, seconds: float) -> str:
        """The value by the second, "" where that means nothing."""
        if not self.has_rate or self.value is None or seconds <= 0:
            return ""
        if self.text.endswith("B"):
            return f"{size(self.value / seconds)}/s"
        return f"{self.value / seconds:.1f}/s" if self.value else "0/s"


def lines(f: Figures) -> list[Line]:
    """The figures in the order in which they are shown. What is indented adds up to the line above it."""
    ratio, ms = f.amplification, f.get_ms

    def bytes_(label: str, n: int) -> Line:
        return Line(label, n, size(n))

    def requests(label: str, n: int, *, is_bad: bool = False) -> Line:
        return Line(label, n, f"{n:,}", is_bad=is_bad)

    return [
        bytes_("read by programs", f.asked),
        bytes_("  at once, from memory", f.asked - f.waited),
        bytes_("  after waiting for it", f.waited),
        bytes_("brought into memory", f.loaded),
        bytes_("  from the disk cache", f.from_disk),
        bytes_("  fetched from the source", f.fetched),
        Line("fetched for each byte read", ratio, "-" if ratio is None else f"{ratio:.2f}", has_rate=False),
        bytes_("fetched ahead of readers", f.prefetched),
        bytes_("  of that, read by now", f.prefetch_used),
        bytes_("  of that, dropped unread", f.prefetch_wasted),
        requests("requests", f.gets + f.lists + f.heads),
        requests("  for bytes (GET)", f.gets),
        requests("  for names (LIST)", f.lists),
        requests("  for names (HEAD)", f.heads),
        Line("time of a GET, on average", ms, "-" if ms is None else f"{ms:.0f} ms", has_rate=False),
        requests("failed GETs, seen by programs", f.failed, is_bad=f.failed > 0),
        requests("failed GETs, ahead of readers", f.failed_ahead),
    ]
