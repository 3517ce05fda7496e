"""What Python programs get without FUSE: `mountnd://` of fsspec beside s3fs, by the rows of `python_job`.

Each row and peer runs in a process of its own with an empty cache, in turns, and medians are shown.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from statistics import median
from typing import Any

from .place import REPOSITORY, RESULTS, WORK
from .python_job import PEERS, ROWS
from .run import alone
from .world import World

LIMIT_S = 120
Record = dict[str, Any]


def run(rtt: float | None, port: int, *, runs: int, only: str = "") -> None:
    """Measure, print a table, and keep it and the records in `results/`."""
    rows = [row for row in ROWS if row.startswith(only)]
    with World(rtt=rtt, port=port) as world:
        records = [one(world, row, peer, n) for n in range(runs) for row in rows for peer in PEERS]
    (RESULTS / "python.json").write_text(json.dumps(records, indent=1))
    shown = table(records)
    (RESULTS / "python.md").write_text(shown + "\n")
    print(f"\n{shown}")


def one(world: World, row: str, peer: str, n: int) -> Record:
    """One row by one peer."""
    cache = WORK / "python-cache"
    shutil.rmtree(cache, ignore_errors=True)
    argv = [sys.executable, "-P", "-m", "tests.benchmarks.python_job", row, peer, world.url, str(cache)]
    with alone():
        world.mark()
        done = subprocess.run(
            [*world.client, *argv], cwd=REPOSITORY, env=_environment(), capture_output=True, text=True, timeout=LIMIT_S,
            check=False,
        )  # fmt: skip
        counted = world.since()
    told = json.loads(done.stdout) if done.returncode == 0 else {"error": done.stderr.strip()[-300:]}
    record = {"row": row, "peer": peer, "run": n, **told, "mb": round(counted["net"] / 1e6, 1), "req": counted["req"]}
    print(json.dumps(record), flush=True)
    return record


def _environment() -> dict[str, str]:
    kept = {
        name: value
        for name, value in os.environ.items()
        if name == "MOUNTND_BENCH" or not name.startswith(("AWS_", "MOUNTND_"))
    }
    return {**kept, "AWS_EC2_METADATA_DISABLED": "true", "PYTHONPATH": str(REPOSITORY)}


def table(records: list[Record]) -> str:
    """Medians, ours beside s3fs as it comes, by which it is judged, and with more connections: a Markdown table."""
    heads = ("row", "ours", "s3fs", "ratio", "goal", "s3fs-64", "ratio", "again: ours, s3fs, s3fs-64")
    used = ("ours: MB, requests, CPU", "s3fs's")
    lines = [f"| {' | '.join((*heads, *used))} |", "|---" + "|--:" * 9 + "|"]
    for row, about in ROWS.items():
        of_row = [record for record in records if record["row"] == row]
        middle = {peer: _median(of_row, peer, "cold") for peer in PEERS}
        if not of_row or None in middle.values():
            lines += [f"| {row} | failed |"] if of_row else []
            continue
        ours, plain, tuned = (seconds or 0.0 for seconds in middle.values())
        held = "held" if ours <= about.goal * plain else "missed"
        again = ", ".join(f"{_median(of_row, peer, 'again') or 0.0:.2f}" for peer in PEERS)
        lines.append(
            f"| {row}: {about.about} | {ours:.2f} s | {plain:.2f} s | {ours / plain:.2f} | {about.goal:.2f}, {held} "
            f"| {tuned:.2f} s | {ours / tuned:.2f} | {again} s | {_used(of_row, 'mountnd')} | {_used(of_row, 's3fs')} |"
        )
    wrong = [record for record in records if not record.get("right")]
    return "\n".join(lines + [f"wrong or failed: {record}" for record in wrong])


def _median(records: list[Record], peer: str, what: str) -> float | None:
    values = [record[what] for record in records if record["peer"] == peer and what in record]
    return median(values) if values else None


def _used(records: list[Record], peer: str) -> str:
    mb, requests, cpu = (_median(records, peer, what) or 0 for what in ("mb", "req", "cpu"))
    return f"{mb:.0f}, {requests:.0f}, {cpu:.2f} s"
