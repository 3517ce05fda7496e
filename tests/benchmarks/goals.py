"""The goals: what mountnd must reach beside the best setting of every peer in the same run, as data and a judgement."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from .peers import BY_NAME, OURS, Peer
from .real import kinds
from .report import Key, Record, fetched_mb, medians, usable

# A peer that receives more than this many times our bytes for scattered reads downloads the file instead.
WASTEFUL = 3
# Keys a second that are parsed of listings on one core (parse.py).
PARSE_GOAL, PARSE_AIM = 150_000, 400_000
# MiB that 200 open handles may cost beside `--memory` (memory.py).
MEMORY_REST_MB = 200


@dataclass(frozen=True, kw_only=True)
class Goal:
    """Ahead in one row: our seconds at most `ratio` times the best judged peer's.

    Attributes:
        against: only this peer, or this family of settings, counts ("" every one).
        needs: the family without which the row is not judged, as no other is fast in it.
        mb: at most this many MB received; requests, gets: at most so many at the server.
        frugal: peers that received more than `WASTEFUL` times our bytes do not count.
    """

    workload: str
    ratio: float
    phase: str = "cold"
    against: str = ""
    needs: str = ""
    mb: float | None = None
    requests: int | None = None
    gets: int | None = None
    frugal: bool = False


BYTES = [
    Goal(workload="W1-cat256", ratio=1.0),
    Goal(workload="W2-cat4x256", ratio=1.0),
    Goal(workload="W3-hdr200", ratio=0.25, needs="geesefs"),
    Goal(workload="W3b-hdrbig", ratio=0.4, mb=16, needs="geesefs"),
    Goal(workload="W4-rand1", ratio=1.0, against="geesefs", needs="geesefs", mb=45, frugal=True),
    Goal(workload="W4-rand8", ratio=0.95, needs="geesefs", mb=45, frugal=True),
    Goal(workload="W6-slice", ratio=1.3, against="rclone*", mb=45),
    Goal(workload="W8-gz20", ratio=0.7),
    Goal(workload="W9-small400", ratio=0.5, needs="geesefs"),
    Goal(workload="W1-cat256", phase="warm", ratio=0.5),
    Goal(workload="W1-cat256", phase="restart", ratio=0.8, gets=0),
]
NAMES = [
    Goal(workload="W5-find", ratio=0.6, needs="geesefs"),
    Goal(workload="W5-lsR", ratio=0.4, needs="geesefs"),
    Goal(workload="W5-find", phase="warm", ratio=0.7, requests=0),
    Goal(workload="W5-find", phase="restart", ratio=0.4, requests=2, needs="geesefs"),
]
TLS = [
    Goal(workload="W1-cat256", ratio=1.0),
    Goal(workload="W2-cat4x256", ratio=1.0),
    Goal(workload="W8-gz20", ratio=1.0),
    Goal(workload="W3b-hdrbig", ratio=0.6, needs="geesefs"),
    Goal(workload="W9-small400", ratio=0.7, needs="geesefs"),
]
# No cold row may take longer than this times the throw-away prototype of the design, where that takes part.
PROTOTYPE, PROTOTYPE_RATIO = "prototype", 1.15


def judge(records: Iterable[Record]) -> str:
    """Markdown: each goal that the records can tell of, with held, missed or not judged."""
    records = list(records)
    middle = medians(records)
    goals = TLS if any(r.get("tls") for r in records) else BYTES + NAMES
    out = ["| row | ours | best peer | goal | verdict |", "|---|--:|--:|--:|---|"]
    for goal in goals:
        ours = middle.get((goal.workload, OURS, goal.phase))
        if ours is None:
            continue
        rivals = {name: record for name, record in _phase(middle, goal).items() if counts(goal, name, record, ours)}
        out.append(_row(goal, ours, rivals))
    named = {goal.workload for goal in goals}
    for (workload, peer, phase), record in middle.items():
        ours = middle.get((workload, OURS, "cold"))
        if workload in named and peer == PROTOTYPE and phase == "cold" and ours and "wall" in record:
            cell = f"{_wall(ours)} | {record['wall']:.2f} s {PROTOTYPE} | {PROTOTYPE_RATIO} x"
            out.append(
                f"| {workload} beside the prototype | {cell} | {_verdict(ours, record['wall'] * PROTOTYPE_RATIO)} |"
            )
    return "\n\n".join(filter(None, ["\n".join(out) if len(out) > 2 else "", kinds.judge(middle)]))


def _phase(middle: Mapping[Key, Record], goal: Goal) -> dict[str, Record]:
    """The peers' records of the goal's row. One that keeps nothing over a restart is as slow then as cold."""
    found: dict[str, Record] = {}
    for (workload, name, phase), record in middle.items():
        forgets = goal.phase == "restart" and phase == "cold" and name in BY_NAME and not BY_NAME[name].persistent
        if workload == goal.workload and (phase == goal.phase or forgets):
            found[name] = record
    return found


def counts(goal: Goal, name: str, record: Record, ours: Record) -> bool:
    """Whether a peer's record is one to be ahead of."""
    peer: Peer | None = BY_NAME.get(name)
    if peer is None or not peer.judged or not usable(record):
        return False
    if goal.against and name != goal.against and f"{peer.family}*" != goal.against:
        return False
    return not (goal.frugal and fetched_mb(record) > WASTEFUL * fetched_mb(ours))


def _row(goal: Goal, ours: Record, rivals: dict[str, Record]) -> str:
    title = f"{goal.workload} {goal.phase}"
    wanted = [f"{goal.ratio} x"] + [
        f"{value:g} {unit}"
        for value, unit in ((goal.mb, "MB"), (goal.requests, "requests"), (goal.gets, "GETs"))
        if value is not None
    ]
    present = {BY_NAME[name].family for name in rivals}
    if not rivals or (goal.needs and goal.needs not in present):
        absent = goal.needs or "every peer"
        return f"| {title} | {_wall(ours)} | - | {', '.join(wanted)} | not judged: {absent} is absent |"
    name, best = min(rivals.items(), key=lambda item: float(item[1]["wall"]))
    shown = f"{best['wall']:.2f} s {name}"
    verdict = _verdict(ours, best["wall"] * goal.ratio, goal)
    return f"| {title} | {_wall(ours)} | {shown} | {', '.join(wanted)} | {verdict} |"


def _wall(record: Record) -> str:
    if not usable(record):
        return "failed"
    return f"{record['wall']:.2f} s, {fetched_mb(record):.1f} MB, {record.get('srv_req', 0):.0f} requests"


def _verdict(ours: dict[str, Any], limit: float, goal: Goal | None = None) -> str:
    if not usable(ours):
        return "**missed**: failed"
    missed = [] if ours["wall"] <= limit else [f"{ours['wall']:.2f} > {limit:.2f} s"]
    if goal is not None:
        for bound, value, unit in (
            (goal.mb, fetched_mb(ours), "MB"),
            (goal.requests, ours.get("srv_req", 0), "requests"),
            (goal.gets, ours.get("srv_get", 0), "GETs"),
        ):
            if bound is not None and value > bound:
                missed.append(f"{value:.0f} > {bound:g} {unit}")
    return "**missed**: " + ", ".join(missed) if missed else f"held ({limit:.2f} s)"
