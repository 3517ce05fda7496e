"""The rows R... of a run as tables: how long each program waits, with whom, and what that cost."""

from __future__ import annotations

from collections.abc import Iterable

from ..peers import LOCAL
from ..report import Record, fetched_mb, medians, seconds, usable
from .kinds import Row, rows, shown

COLUMNS = (
    "row",
    "what",
    "local s",
    "ours: wait (wall) s",
    "best peer: wait (wall) s",
    "ratio",
    "requests",
    "MB",
    "CPU s",
    "RSS MB",
    "others",
)


def table(records: Iterable[Record]) -> str:
    """Markdown: each row with our figures and the best peer's wait, then all peers' waits; "" without rows R..."""
    middle = medians(records)
    every = rows(middle)
    if not every:
        return ""
    out = [f"| {' | '.join(COLUMNS)} |", "|---|---|" + "--:|" * (len(COLUMNS) - 2), *map(line, every)]
    out += ["", "Others: cores that other programs used meanwhile; where that is much, waits say little."]
    peers = dict.fromkeys(p for w, p, phase in middle if phase == "cold" and p != LOCAL and w.startswith("R"))
    out += ["", "Waits in seconds:", "", f"| row | {' | '.join(peers)} |", "|---|" + "--:|" * len(peers)]
    for row in every:
        waits = [wait(row, middle.get((row.job.name, peer, "cold"))) for peer in peers]
        out.append(f"| {row.job.name} | {' | '.join(waits)} |")
    return "\n".join(out)


def line(row: Row) -> str:
    ours = row.ours or {}
    best = f"{wait(row, row.best_record)} ({seconds(row.best_record)}) {row.best}" if row.best else "-"
    local = "-" if row.local is None else f"{row.local:.2f}"
    what = row.job.what.replace("|", "\\|")
    cells = [row.job.name, what, local, f"{wait(row, row.ours)} ({seconds(row.ours)})", best, shown(row.ratio)]
    cells += [f"{ours.get('srv_req', 0):.0f}", f"{fetched_mb(ours):.1f}"]
    cells += [f"{ours.get('cpu', 0):.2f}", f"{ours.get('rss_mb', 0):.0f}"]
    cells.append(f"{max(r.get('others_cores', 0) for r in (ours, row.best_record or {}, row.local_record)):.1f}")
    return f"| {' | '.join(cells)} |"


def wait(row: Row, record: Record | None) -> str:
    """A peer's wait; where it failed, was late, or there is no local run, what there is to say."""
    found = row.wait(record)
    if found is not None:
        return f"{found:.2f}"
    return "" if record is None else seconds(record) if not usable(record) else "-"
