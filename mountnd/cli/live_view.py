"""What `stats --watch` shows: lines that fill a terminal of any size. Pure: what was answered in, text out.

A line is a sequence of parts, each a text with a style of `terminal.paint`. Text from elsewhere goes through
`foreign_text`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ..foreign_text import line as safe
from ..report.figures import duration, size
from ..report.live import Moment, OpenFile, Rates, open_files
from .layout import cell_len, cut, padded
from .running import RunningMount

Part = tuple[str, str]
Line = list[Part]

_BLOCKS, _PLAIN = "▁▂▃▄▅▆▇█", ".:-=+*#@"
_LABEL, _RATE = 17, 12


class Watched(NamedTuple):
    """One mount.

    Attributes:
        where: its mountpoint; sources: their URLs.
        since: seconds that it has been mounted.
        history: bytes a second, read and fetched, of the moments before, the last one last.
        note: what is wrong; "" for nothing.
    """

    where: str
    sources: str
    since: float
    before: Moment | None
    now: Moment
    rates: Rates
    history: Sequence[tuple[float, float]]
    note: str = ""


def one(mount: Watched, width: int, height: int, *, interval: float, blocks: bool = True) -> list[Line]:
    """A mount with its open files."""
    now, rate = mount.now, mount.rates
    room = max(0, width - _LABEL - _RATE - 22)
    read, fetched = (spark([row[at] for row in mount.history], room, blocks=blocks) for at in (0, 1))
    title = f"{safe(mount.where)}  {safe(mount.sources)}"
    since = duration(mount.since)
    kinds = f"GET {_per_second(rate.gets)}, LIST {_per_second(rate.lists)}, HEAD {_per_second(rate.heads)}"
    hits = f"{percent(rate.memory)} of what was read in memory, {percent(rate.disk)} of the rest on disk"
    ahead = f"{percent(rate.used)} used; in all {size(now.done.prefetched)}, {size(now.done.prefetch_wasted)} unread"
    lines: list[Line] = [
        [(padded(cut(title, width - len(since) - 2), width - len(since)), "head"), (since, "")],
        [(cut(safe(mount.note), width), "bad")] if mount.note else [],
        _flow("read by programs", f"{size(rate.asked)}/s", now.done.asked, read, room),
        _flow("fetched", f"{size(rate.fetched)}/s", now.done.fetched, fetched, room),
        _flow("from the disk", f"{size(rate.from_disk)}/s", now.done.from_disk, "", room),
        _said("requests", _per_second(rate.gets + rate.lists + rate.heads), f"{kinds}{_took(rate.get_ms)}", width),
        _said("prefetched", f"{size(rate.ahead)}/s", ahead, width),
        _said("found", "", hits, width),
        failures(now, width),
        [],
    ]
    foot: list[Line] = [[(cut(f"q ends it; every {interval:g} s", width), "aside")]]
    files = open_files(mount.before, now)
    lines += _files(files, now.open, width, height - len(lines) - len(foot))
    return _fitted(lines, foot, height)


def several(
    found: Sequence[tuple[RunningMount, Watched | None]], width: int, height: int, *, interval: float
) -> list[Line]:
    """A line for each mount."""
    columns = ("read", "fetched", "requests", "memory", "open", "failures")
    room = max(12, width - 12 * 2 - 10 - 8 - 6 - 10)
    lines: list[Line] = [
        [(padded("Mountpoint", room), "head"), (_columns(columns), "head")],
    ]
    for mount, watched in found:
        name = padded(_tail(safe(mount.mountpoint), room - 1), room)
        if watched is None:
            lines.append([(name, ""), (f"  {mount.state}", "bad")])
            continue
        rate, now = watched.rates, watched.now
        failed = now.failures.get("count", 0)
        cells = (
            f"{size(rate.asked)}/s", f"{size(rate.fetched)}/s", _per_second(rate.gets + rate.lists + rate.heads),
            percent(rate.memory), f"{now.open:,}", f"{failed:,}",
        )  # fmt: skip
        lines.append([(name, ""), (_columns(cells), "bad" if failed else "")])
    if not found:
        lines.append([("Nothing is mounted.", "")])
    return _fitted(lines, [[(cut(f"q ends it; every {interval:g} s", width), "aside")]], height)


def as_text(mount: Watched) -> str:
    """One line, for where there is no terminal."""
    rate, now = mount.rates, mount.now
    failed = now.failures.get("count", 0)
    return (
        f"{mount.where}: read {size(rate.asked)}/s, memory {percent(rate.memory)}, fetched {size(rate.fetched)}/s, "
        f"disk {size(rate.from_disk)}/s, requests {_per_second(rate.gets + rate.lists + rate.heads)}, "
        f"open {now.open}, failures {failed}"
    )


def failures(now: Moment, width: int) -> Line:
    """How many there were, and the last one."""
    failed = now.failures.get("count", 0)
    if not failed:
        return [(padded("failures", _LABEL), ""), ("none", "ok")]
    last = now.failures.get("last") or {}
    reasons = ", ".join(f"{count} {reason}" for reason, count in now.failures["by_reason"].items())
    told = f"{reasons}; the last: {last.get('path', '')}" if last else reasons
    return [(padded("failures", _LABEL), ""), (cut(safe(told), width - _LABEL), "bad")]


def spark(values: Sequence[float], width: int, *, blocks: bool = True) -> str:
    """The last `width` values as bars of a character each, the highest of them full."""
    shown = list(values)[-width:] if width > 0 else []
    marks = _BLOCKS if blocks else _PLAIN
    most = max(shown, default=0.0)
    if most <= 0:
        return ""
    return "".join(" " if v <= 0 else marks[min(len(marks) - 1, int(v / most * len(marks)))] for v in shown)


def percent(part: float | None) -> str:
    """A share for people; "-" for one of nothing."""
    return "-" if part is None else f"{100 * part:.0f} %"


def _flow(label: str, rate: str, total: int, bars: str, room: int) -> Line:
    return [
        (padded(label, _LABEL), ""),
        (padded(rate, _RATE, right=True), "head"),
        ("  " + padded(bars, room) if room else "", "ok"),
        (padded(f"{size(total)} in all", 20, right=True), "aside"),
    ]


def _said(label: str, figure: str, text: str, width: int) -> Line:
    if not figure:
        return [(padded(label, _LABEL), ""), (cut(text, width - _LABEL), "")]
    shown = cut(f"  {text}", width - _LABEL - _RATE)
    return [(padded(label, _LABEL), ""), (padded(figure, _RATE, right=True), "head"), (shown, "")]


def _files(files: Sequence[OpenFile], count: int, width: int, room: int) -> list[Line]:
    """The open files, as many as fit `room` lines."""
    if room < 2:
        return []
    head: Line = [(padded("read", 12, right=True), "head"), (padded("at", 6, right=True), "head"),
                  ("  " + padded("how", 9), "head"), (padded("size", 11, right=True), "head"),
                  (f"  open files: {count:,}", "head")]  # fmt: skip
    lines = [head]
    shown = files[: room - 1]
    if len(files) > len(shown) and shown:
        shown = shown[:-1]
    lines += [
        [
            (padded(f"{size(file.rate)}/s" if file.rate else "-", 12, right=True), ""),
            (padded(percent(file.at), 6, right=True), ""),
            (f"  {padded(file.how, 9)}", ""),
            (padded(size(file.size), 11, right=True), ""),
            (f"  {_tail(safe(file.path), width - 42)}", "" if file.rate else "aside"),
        ]
        for file in shown
    ]
    if count > len(shown):
        lines.append([(f"{'':>12}and {count - len(shown):,} more", "aside")])
    return lines


def _tail(text: str, width: int) -> str:
    """The end of a path, which tells more than its beginning, with dots where something is missing."""
    if cell_len(text) <= width:
        return text
    width = max(4, width)
    while cell_len(text) > width - 3:
        text = text[max(1, len(text) - width) if len(text) > 2 * width else 1 :]
    return f"...{text}"


def _columns(cells: Sequence[str]) -> str:
    widths = (12, 12, 10, 8, 6, 10)
    return "".join(padded(cell, width, right=True) for cell, width in zip(cells, widths, strict=True))


def _per_second(n: float) -> str:
    return f"{n:.1f}/s" if n else "0/s"


def _took(ms: float | None) -> str:
    return "" if ms is None else f"; {ms:.0f} ms a GET"


def _fitted(lines: list[Line], foot: list[Line], height: int) -> list[Line]:
    """Exactly `height` lines, the foot at the bottom."""
    room = max(0, height - len(foot))
    body = lines[:room]
    return [*body, *([] for _ in range(room - len(body))), *foot][:height]
