"""`python -m tests.benchmarks trace ROWS [-o DIR]`: records what the programs of these rows ask of a mount.

The mount is ours, over a server on loopback; calls are written down as they reach its vfs (recorder.py). The kernel
reads ahead of a program, so for the recording it is told to do that by a page only, and reads that follow each other
without a gap count as one: what is left is what the program asked for, in whole pages.
"""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from ...support.traces import Event, Trace, save
from ..mount import Mount
from ..peers import Peer
from ..place import DATA, WORK
from ..world import World
from . import jobs

PAGE_KB = os.sysconf("SC_PAGESIZE") >> 10
LIMIT_S = 120


def record(rows: Sequence[str], out: Path, port: int) -> None:
    """Record each row to `out`/ROW.jsonl.gz."""
    with World(rtt=None, port=port) as world:
        for row in rows:
            trace = recorded(jobs.BY_NAME[row], world)
            path = out / f"{row}.jsonl.gz"
            save(trace, path)
            opens = sum(event[0] == "open" for event in trace.events)
            print(f"{path}: {path.stat().st_size} bytes, {len(trace.tree)} files, {opens} opens", flush=True)


def recorded(job: jobs.Job, world: World) -> Trace:
    raw, mnt = WORK / "trace.jsonl", WORK / "mnt"
    raw.unlink(missing_ok=True)
    command = (
        f"{sys.executable} -m tests.benchmarks.real.recorder {raw} s3://{{bucket}} {{mnt}} --endpoint-url {{url}} "
        "--anonymous -f --cache-size 0"
    )
    mount = Mount(Peer(name="recorder", command=command), world, jobs.BUCKET, mnt, WORK / "cache", WORK / "trace.log")
    try:
        read_ahead(mnt, PAGE_KB)
        argv = [sys.executable, "-m", "tests.benchmarks.workloads", job.name, str(mnt), str(DATA / jobs.BUCKET)]
        done = subprocess.run([*argv, str(LIMIT_S)], capture_output=True, text=True, check=True)
        told = json.loads(done.stdout)
        if told.get("error") or told.get("late"):
            raise RuntimeError(f"{job.name}: {told.get('error', 'late')}")
    finally:
        mount.close()
    events = merged(json.loads(line) for line in raw.read_text().splitlines())
    return Trace(job.name, job.what, seen(events), events)


def read_ahead(mnt: Path, kilobytes: int) -> None:
    """Set how far the kernel reads ahead on a mount, once mountnd has set it."""
    device = os.stat(mnt).st_dev
    knob = Path(f"/sys/class/bdi/{os.major(device)}:{os.minor(device)}/read_ahead_kb")
    before = time.monotonic()
    while knob.read_text().strip() == "128" and time.monotonic() < before + 2:
        time.sleep(0.02)
    knob.write_text(str(kilobytes))


def merged(calls: Iterable[Sequence[object]]) -> list[Event]:
    """The calls with handles that count from 1, and with neighbouring reads as one."""
    events: list[Event] = []
    numbers: dict[object, int] = {}
    count = itertools.count(1)
    for call in calls:
        kind, rest = call[0], list(call[1:])
        if kind == "open":
            numbers[rest[0]] = next(count)  # a number that was used before is another file's now
        if kind != "list":
            rest[0] = numbers[rest[0]]
        event: Event = (kind, *rest)
        joined = adjacent(events[-1], event) if events else None
        if joined:
            events[-1] = joined
        else:
            events.append(event)
    return events


def adjacent(one: Event, other: Event) -> Event | None:
    """Two reads as one, if they are of the same handle and touch."""
    if one[0] != "read" or other[0] != "read" or one[1] != other[1]:
        return None
    (start, size), (second, length) = one[2:], other[2:]
    if start + size < second or second + length < start:
        return None
    first = min(start, second)
    return "read", one[1], first, max(start + size, second + length) - first


def seen(events: Sequence[Event]) -> dict[str, int]:
    """Sizes of the bucket's files in the top directories that the events came to."""
    paths = [event[1] if event[0] == "list" else event[2] for event in events if event[0] in ("list", "open")]
    tops = {path.partition("/")[0] for path in paths}
    rows = (line.split("\t") for line in (DATA / f"{jobs.BUCKET}.index").read_text().splitlines())
    return {key: int(size) for key, size, _ in rows if key.partition("/")[0] in tops}
