"""What `cluster` has measured, as a table: a row for each way to read, a column for each number of nodes."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

# One run. `what` was measured by how many `nodes` on `data_mib` of data; and either `why_not`, or `origin_mib` and
# `gets` that left the server, files that `failed`, pieces that were `wrong`, and `seconds`.
Record = dict[str, Any]

# What may leave the server for each byte of the data, however many nodes read it. What a killed node had fetched may
# come anew: there it counts only that no read fails.
GOALS = {"ring": 1.02, "shared directory": 1.05, "ring, a node killed": float("inf")}


def table(records: Sequence[Record]) -> str:
    """Markdown: what left the server for each byte of the data, by the number of nodes, with the verdicts."""
    counts = sorted({r["nodes"] for r in records})
    titles = [f"nodes that read {records[0]['data_mib']} MiB each", *map(str, counts), f"GETs by {counts[-1]}"]
    titles += ["failed", "wrong", f"s, {counts[-1]}", "verdict"]
    out = [f"| {' | '.join(titles)} |", "|---" + "|--:" * (len(titles) - 2) + "|---|"]
    for what in dict.fromkeys(r["what"] for r in records):
        runs = {r["nodes"]: r for r in records if r["what"] == what and "why_not" not in r}
        cells = [f"{ratio(runs[count]):.3f}" if count in runs else "" for count in counts]
        cells.append(f"{runs[counts[-1]]['gets']:.0f}" if counts[-1] in runs else "")
        cells += [str(sum(r[fault] for r in runs.values())) for fault in ("failed", "wrong")]
        cells.append(f"{runs[counts[-1]]['seconds']:.0f}" if counts[-1] in runs else "")
        out.append(f"| {what} | {' | '.join(cells)} | {verdict(what, runs.values())} |")
    out += [f"\n{r['nodes']} x {r['what']}: {r['why_not']}" for r in records if "why_not" in r]
    return "\n".join(out)


def ratio(record: Record) -> float:
    return record["origin_mib"] / record["data_mib"]


def verdict(what: str, runs: Collection[Record]) -> str:
    """Of ours alone, and where something is promised."""
    if what not in GOALS:
        return ""
    good = all(not r["failed"] and not r["wrong"] and ratio(r) <= GOALS[what] for r in runs)
    return "held" if good else "**missed**"
