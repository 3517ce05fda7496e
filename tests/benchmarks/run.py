"""Runs peers through workloads and writes one record a phase.

For each peer and workload, a cold start (empty cache directory, fresh mount), then the phases
    cold     the first run
    warm     the same again on the same mount, the kernel's page cache and the peer's own as they are
    dropped  the same again, the kernel's page cache dropped
    restart  unmount, mount again with the same cache directory, run again
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .mount import LocalCopy, Mount
from .peers import LOCAL, Peer
from .place import DATA, LOCK, REPOSITORY, WORK
from .processes import busy_seconds
from .real import jobs
from .report import line
from .world import World

PHASES = ("cold", "warm", "restart")
Record = dict[str, Any]

# After mounting, before the clock starts: what a peer does at its start is not what is compared.
SETTLE_S = 0.3

# How often a row runs on the local copy each time: what it takes there is taken from every peer's seconds.
LOCAL_TIMES = 3


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What to run. `limit`: seconds after which a run is called late, and its later phases and repeats are left out."""

    peers: Sequence[Peer]
    workloads: Sequence[str]
    phases: Sequence[str] = PHASES
    repeat: int = 3
    limit: float = 30
    bucket: str = "neuro"
    everywhere: bool = False


@contextmanager
def alone() -> Iterator[None]:
    """Hold the machine: two measurements at once would measure each other."""
    with LOCK.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def run(plan: Plan, world: World, about: Record, out: Path) -> list[Record]:
    """All of the plan, the repeats outermost so that a slow minute of the machine meets every peer.

    Each record begins with `about` (round trip, TLS, ...). They are written to `out` as they come.
    """
    records: list[Record] = []
    hopeless: set[tuple[str, str]] = set()
    for number in range(plan.repeat):
        # And their order turns: who comes first pays for memory that the machine had given back meanwhile.
        turn = number * len(plan.peers) // plan.repeat
        for workload in plan.workloads:
            for peer in [*plan.peers[turn:], *plan.peers[:turn]]:
                wanted = peer.fits(workload) or (plan.everywhere and peer.name != LOCAL)
                if (peer.name, workload) in hopeless or not wanted:
                    continue
                for record in phases(plan, world, peer, workload):
                    record = {"peer": peer.name, "workload": workload, "run": number, **about, **record}
                    records.append(record)
                    print(line(record), flush=True)
                    if record.get("late") or record.get("error"):
                        hopeless.add((peer.name, workload))
                out.write_text(json.dumps(records, indent=1))
    return records


def phases(plan: Plan, world: World, peer: Peer, workload: str) -> Iterator[Record]:
    mnt, cache, log = WORK / "mnt", WORK / "cache", WORK / f"{peer.name}.log"
    shutil.rmtree(cache, ignore_errors=True)
    bucket = jobs.BUCKET if workload in jobs.BY_NAME else plan.bucket
    mount: Mount | LocalCopy | None = None
    try:
        for phase in plan.phases if peer.name != LOCAL else ("cold",) * LOCAL_TIMES:
            if phase == "restart" and not peer.persistent:
                continue
            record: Record = {"phase": phase}
            with alone():
                try:
                    if mount is None or phase == "restart":
                        if mount:
                            mount.close()
                            mount = None
                        world.mark()
                        if peer.name == LOCAL:
                            mount = LocalCopy(DATA / bucket)
                        else:
                            mount = Mount(peer, world, bucket, mnt, cache, log)
                            time.sleep(SETTLE_S)
                        record["mount_s"] = mount.seconds
                        record |= {f"mount_{k}": v for k, v in world.since().items() if k in ("req", "list")}
                    elif phase == "dropped":
                        Path("/proc/sys/vm/drop_caches").write_text("1\n")
                    record |= measured(plan, world, mount, workload, DATA / bucket)
                    if peer.counts_mount and "mount_s" in record:
                        record["wall"] += record["mount_s"] + SETTLE_S
                    record["cache_mb"] = on_disk(cache) >> 20
                except Exception as error:
                    record["error"] = repr(error)[:200]
            yield record
            if record.get("late") or record.get("error"):
                break  # the later phases would say nothing
    finally:
        if mount:
            mount.close()
        shutil.rmtree(cache, ignore_errors=True)


def measured(plan: Plan, world: World, mount: Mount | LocalCopy, workload: str, source: Path) -> Record:
    """One run of a workload in a process of its own, with what the mount and the server did for it."""
    argv = [sys.executable, "-m", "tests.benchmarks.workloads", workload, str(mount.mnt), str(source)]
    mount.reset_peak()
    world.mark()
    before, busy, begun = mount.cpu(), busy_seconds(), time.perf_counter()
    record: Record = {}
    try:
        done = subprocess.run(
            [*argv, str(plan.limit)],
            cwd=REPOSITORY,
            capture_output=True,
            text=True,
            timeout=plan.limit + 25,
            check=False,
        )
        record |= json.loads(done.stdout) if done.stdout else {"error": done.stderr[-200:]}
    except subprocess.TimeoutExpired:
        record |= {"late": True, "wall": plan.limit + 25, "error": "stuck"}
    record["cpu"] = mount.cpu() - before
    busy, took = busy_seconds() - busy, time.perf_counter() - begun
    record["rss_mb"] = mount.peak()
    record |= {f"srv_{name}": value for name, value in world.since().items()}
    own = record["cpu"] + record["srv_server_cpu"] + record.get("app_cpu", 0)
    record["others_cores"] = round(max(0.0, busy - own) / took, 2)
    return record


def on_disk(directory: Path) -> int:
    """Bytes that a directory's files take on disk."""
    total = 0
    for place, _, names in os.walk(directory):
        for name in names:
            try:
                total += os.lstat(os.path.join(place, name)).st_blocks * 512
            except OSError:
                pass
    return total
