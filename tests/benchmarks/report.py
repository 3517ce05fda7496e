"""What was measured, for people: lines while it runs, and tables of medians."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from statistics import median, quantiles
from typing import Any

from .workloads import WHAT

Record = dict[str, Any]
Key = tuple[str, str, str]  # workload, peer, phase
COLUMNS = (
    "peer",
    "cold s",
    "MB fetched",
    "requests (GET HEAD LIST)",
    "connections",
    "CPU s",
    "RSS MB",
    "p50/p99 ms",
    "warm s",
    "restart s",
)


def fetched_mb(record: Record) -> float:
    """MB that reached the client: what its interface received; on loopback what the server sent, which for a request
    that was given up includes what was left in socket buffers."""
    return float(record.get("srv_net") or record.get("srv_sent", 0)) / 1e6


def usable(record: Record) -> bool:
    """Whether it tells how fast a peer is: it ended in time, with the right bytes."""
    return "wall" in record and not record.get("late") and not record.get("error")


def line(r: Record) -> str:
    head = f"{r['peer']:18}{r['workload']:18}{r['phase']:8}"
    if "wall" not in r:
        return f"{head} {r.get('error')}"
    mb = r.get("bytes", 0) / 1e6
    text = f"{head}{'>' if r.get('late') else ' '}{r['wall']:7.3f} s"
    text += f" {mb / r['wall']:6.0f} MB/s" if mb > 50 else f" {r.get('done', 0):5d}/{r.get('total', 0):<5d}"
    text += f" fetched {fetched_mb(r):7.1f} MB, {requests(r)} requests, {r.get('srv_conns', 0)} connections"
    text += f", cpu {r.get('cpu', 0):.2f} s, rss {r.get('rss_mb', 0)} MB"
    if "p50" in r:
        text += f", p50 {r['p50'] * 1e3:.1f} p99 {r['p99'] * 1e3:.1f} ms"
    return text + (f" ERROR {r['error']}" if r.get("error") else "")


def requests(r: Record) -> str:
    kinds = " ".join(f"{kind[0].upper()}{r.get(f'srv_{kind}', 0):.0f}" for kind in ("get", "head", "list"))
    return f"{r.get('srv_req', 0):.0f} ({kinds})"


def medians(records: Iterable[Record]) -> dict[Key, Record]:
    """One record for each workload, peer and phase: the median of each number over the repeats.

    Runs that were late or wrong stand as they are: a peer that failed once has failed.
    """
    groups: dict[Key, list[Record]] = defaultdict(list)
    for record in records:
        groups[record["workload"], record["peer"], record["phase"]].append(record)
    result = {}
    for key, group in groups.items():
        bad = next((r for r in group if r.get("late") or r.get("error")), None)
        walls = [r["wall"] for r in group if "wall" in r]
        result[key] = bad or {**group[0], **_middle(group), "runs": len(group), "wall_spread": spread(walls)}
    return result


def spread(values: list[float]) -> float:
    """How far values lie apart: twice the width of their middle half, which of three is from least to greatest."""
    if len(values) < 2:
        return 0
    low, _, high = quantiles(values, n=4, method="inclusive")
    return 2 * (high - low)


def _middle(group: list[Record]) -> Record:
    numbers = [k for k, v in group[0].items() if isinstance(v, int | float) and not isinstance(v, bool)]
    return {k: median(r[k] for r in group if k in r) for k in numbers}


def seconds(record: Record | None) -> str:
    if record is None:
        return ""
    if "wall" not in record:
        return "error"
    if record.get("late"):
        return f">{record['wall']:.0f}"
    return f"{record['wall']:.2f}" + (" (error)" if record.get("error") else "")


def table(records: Iterable[Record]) -> str:
    """Markdown: one table a workload, one row a peer."""
    middle = medians(records)
    out = []
    for workload in dict.fromkeys(w for w, _, _ in middle):
        out += [
            f"\n**{workload}**: {WHAT.get(workload, '')}\n",
            f"| {' | '.join(COLUMNS)} |",
            "| --- |" + " --: |" * (len(COLUMNS) - 1),
        ]
        for peer in dict.fromkeys(p for w, p, _ in middle if w == workload):
            cold = middle.get((workload, peer, "cold"), {})
            shown = (
                peer,
                seconds(cold),
                f"{fetched_mb(cold):.1f}",
                requests(cold),
                f"{cold.get('srv_conns', 0):.0f}",
                f"{cold.get('cpu', 0):.2f}",
                f"{cold.get('rss_mb', 0):.0f}",
                f"{cold['p50'] * 1e3:.0f}/{cold['p99'] * 1e3:.0f}" if "p50" in cold else "",
                seconds(middle.get((workload, peer, "warm"))),
                seconds(middle.get((workload, peer, "restart"))),
            )
            out.append("| " + " | ".join(shown) + " |")
    return "\n".join(out)


def overview(records: Iterable[Record]) -> str:
    """Markdown: peers down, workloads across, seconds cold / warm / restart; rows R... have a table of their own."""
    middle = {key: record for key, record in medians(records).items() if not key[0].startswith("R")}
    workloads = list(dict.fromkeys(w for w, _, _ in middle))
    if not workloads:
        return ""
    out = ["| peer | " + " | ".join(workloads) + " |", "|---|" + "--:|" * len(workloads)]
    for peer in dict.fromkeys(p for _, p, _ in middle):
        cells = []
        for workload in workloads:
            found = [seconds(middle.get((workload, peer, phase))) for phase in ("cold", "warm", "restart")]
            cells.append(" / ".join(cell for cell in found if cell))
        out.append(f"| {peer} | " + " | ".join(cells) + " |")
    return "\n".join(out)
