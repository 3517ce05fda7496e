"""Names at scale: a walk of a tree of very many keys, and what each costs the daemon.

    python -m tests.benchmarks names --keys 1000000
    python -m tests.benchmarks names --peer-cmd "before=/tmp/before/.venv/bin/python -P -m mountnd s3://{bucket} {mnt}
        --endpoint-url {url} --anonymous -f --cache-dir {cache}"       the commit before, in the same run

The server (names_server.py) is a process of its own, without a delay: what is measured is CPU. Candidates take turns.
Where other work goes on beside, the same call takes up to twice the CPU, so the least of the runs is shown.
Memory is the daemon's peak during each command; what the kernel holds of a tree is not in it.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..support.servers import module_server
from .mount import MOUNT_LIMIT_S, mounted
from .peers import BY_NAME, OURS
from .place import REPOSITORY, RESULTS, WORK
from .processes import cpu_seconds, peak_mb, reset_peak, tree

# What is typed, {at} being the mountpoint; the first one is cold.
COMMANDS = {
    "find": "find {at} -type f | wc -l",
    "find again": "find {at} -type f | wc -l",
    "ls -lR": "ls -lR {at} | grep -c ^-",
}
GOAL_US = {"find": 15.0, "find again": 8.0}


@contextmanager
def mount(command: str, url: str, bucket: str) -> Iterator[tuple[Path, int]]:
    """The mountpoint and the process of a candidate with an empty cache. Raises RuntimeError when it does not mount."""
    home = WORK / "names"
    subprocess.run(["rm", "-rf", home], check=True)
    at, cache = home / "mnt", home / "cache"
    home.mkdir(mode=0o700, parents=True)
    at.mkdir()
    cache.mkdir()
    own = {name: str(home) for name in ("XDG_CACHE_HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME", "MOUNTND_RUN_DIR")}
    argv = shlex.split(command.format(url=url, bucket=bucket, mnt=at, cache=cache, ca=None))
    with (WORK / "names.log").open("ab") as log:
        process = subprocess.Popen(argv, cwd=REPOSITORY, env=os.environ | own, stdout=log, stderr=log)
    try:
        begun = time.monotonic()
        while not mounted(at):
            if process.poll() is not None or time.monotonic() - begun > MOUNT_LIMIT_S:
                raise RuntimeError(f"it did not mount: see {WORK}/names.log")
            time.sleep(0.01)
        yield at, process.pid
    finally:
        subprocess.run(["fusermount3", "-u", at], check=False, capture_output=True)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def measured(command: str, url: str, bucket: str) -> Iterator[dict[str, Any]]:
    """What each of `COMMANDS` cost, in one mount."""
    keys = int(bucket.rpartition("-")[2])
    with mount(command, url, bucket) as (at, pid):
        for what, typed in COMMANDS.items():
            reset_peak(tree(pid))
            begun, used = time.monotonic(), cpu_seconds(tree(pid))
            out = subprocess.run(["sh", "-c", typed.format(at=at)], check=True, capture_output=True, text=True).stdout
            wall, used = time.monotonic() - begun, cpu_seconds(tree(pid)) - used
            if int(out) != keys:
                raise AssertionError(f"{what}: {out.strip()} names of {keys}")
            yield {"bucket": bucket, "what": what, "keys": keys, "wall": round(wall, 2), "cpu": round(used, 2),
                   "us": round(used * 1e6 / keys, 2), "peak_mb": peak_mb(tree(pid))}  # fmt: skip


def run(keys: int, flat: int, runs: int, others: Sequence[str]) -> None:
    """Print a table, and keep it and the figures in `results/`. `others`: further candidates, NAME=COMMAND."""
    commands = {OURS: f"{BY_NAME[OURS].command} --ttl indefinite"}
    commands |= {name: command for name, _, command in (other.partition("=") for other in others)}
    records: list[dict[str, Any]] = []
    with module_server("tests.benchmarks.names_server") as port:
        url = f"http://127.0.0.1:{port}"
        for _ in range(runs):
            for bucket in [f"bids-{keys}"] * bool(keys) + [f"flat-{flat}"] * bool(flat):
                for name, command in commands.items():
                    for record in measured(command, url, bucket):
                        records.append({"peer": name, **record})
                        print(json.dumps(records[-1]), flush=True)
    (RESULTS / "names.json").write_text(json.dumps(records, indent=1))
    shown = table(records)
    (RESULTS / "names.md").write_text(shown + "\n")
    print(f"\n{shown}\n")


def table(records: list[dict[str, Any]]) -> str:
    """Markdown: the least of the runs, as others use the machine too, with the verdicts on trees."""
    out = [
        "| keys | command | candidate | wall | daemon's CPU a key | resident at most | verdict |",
        "|---|---|---|--:|--:|--:|---|",
    ]
    rows = dict.fromkeys((r["bucket"], r["what"], r["peer"]) for r in records)
    for bucket, what, peer in sorted(rows, key=lambda row: (row[0], list(COMMANDS).index(row[1]))):
        same = [r for r in records if (r["bucket"], r["what"], r["peer"]) == (bucket, what, peer)]
        wall, us, peak = (min(r[field] for r in same) for field in ("wall", "us", "peak_mb"))
        goal = GOAL_US.get(what) if bucket.startswith("bids") and peer == OURS else None
        verdict = "" if goal is None else f"{'held' if us <= goal else '**missed**'} ({goal:g} us)"
        out.append(f"| {bucket} | `{what}` | {peer} | {wall:.1f} s | {us:.1f} us | {peak:.0f} MiB | {verdict} |")
    return "\n".join(out)
