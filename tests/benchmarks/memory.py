"""The memory of a mount with its usual settings while 200 large files are read at once, behind the network.

    python -m tests.benchmarks memory

Processes hold 25 files open each and read them on in turns, 128 KiB at a time, some MiB from each. What the daemon had
resident is looked at all the while; its peak is the kernel's own (VmHWM).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..support.threads import run_together
from . import data
from .goals import MEMORY_REST_MB
from .mount import Mount
from .peers import BY_NAME, OURS
from .place import DATA, REPOSITORY, RESULTS, WORK
from .processes import tree
from .run import alone
from .work import KIB, MIB, Work
from .world import World

HANDLES, PROCESSES, THREADS = 200, 8, 5
STEP = 128 * KIB
EACH = 16 * MIB
LIMIT_S = 120
BUCKET = "many"


def resident_mb(pid: int) -> int:
    """MiB that a process has resident now, with its children."""
    pages = 0
    for each in tree(pid):
        try:
            pages += int(Path(f"/proc/{each}/statm").read_text().split()[1])
        except OSError:
            continue
    return pages * os.sysconf("SC_PAGESIZE") >> 20


def read(mnt: str, first: str, count: str) -> None:
    """Hold `count` files open from the `first` on and read them in turns; the start of each MiB is compared."""
    work = Work(DATA / BUCKET, LIMIT_S)
    keys = data.many()[int(first) : int(first) + int(count)]
    handles = {key: os.open(Path(mnt, key), os.O_RDONLY) for key in keys}

    def job(mine: list[str]) -> None:
        buffer = bytearray(STEP)
        for offset in range(0, EACH, STEP):
            for key in mine:
                if os.preadv(handles[key], [buffer], offset) != STEP:
                    raise AssertionError(f"short: {key} at {offset}")
                if offset % MIB == 0:
                    work.same(key, offset, memoryview(buffer)[:4096])
            work.due()

    run_together([lambda k=k: job(keys[k::THREADS]) for k in range(THREADS)], None)  # type: ignore[misc]


@contextmanager
def readers(mnt: Path) -> Iterator[list[subprocess.Popen[bytes]]]:
    share = HANDLES // PROCESSES
    made: list[subprocess.Popen[bytes]] = []
    try:
        for n in range(PROCESSES):
            argv = [sys.executable, "-m", "tests.benchmarks.memory", str(mnt), str(n * share), str(share)]
            made.append(subprocess.Popen(argv, cwd=REPOSITORY))
        yield made
    finally:
        for process in made:
            process.kill()
            process.wait()


def measured(world: World, name: str, options: str) -> dict[str, Any]:
    """One run of `ours` with these options: MiB before and at most, and what it took."""
    peer = replace(BY_NAME[OURS], command=f"{BY_NAME[OURS].command} {options}")
    cache = WORK / f"memory-{name}"
    mount = Mount(peer, world, BUCKET, WORK / "mnt-memory", cache, WORK / "memory.log")
    try:
        before, seen = resident_mb(mount.process.pid), []
        cpu, begun = mount.cpu(), time.perf_counter()
        with readers(mount.mnt) as processes:
            while any(process.poll() is None for process in processes):
                seen.append(resident_mb(mount.process.pid))
                time.sleep(0.05)
                if time.perf_counter() - begun > LIMIT_S + 20:
                    raise RuntimeError("the readers do not end")
            if any(process.returncode for process in processes):
                raise RuntimeError(f"a reader failed: see above, and {WORK}/memory.log")
        wall = time.perf_counter() - begun
        return {"before_mb": before, "peak_mb": mount.peak(), "seen_mb": max(seen), "wall": wall,
                "cpu": mount.cpu() - cpu, "bytes": HANDLES * EACH}  # fmt: skip
    finally:
        mount.close()
        subprocess.run(["rm", "-rf", cache], check=True)


def run(rtt: float | None, port: int) -> None:
    """Print a table, and keep it and the figures in `results/`."""
    data.link_many(HANDLES)
    records = []
    with World(rtt=rtt, port=port) as world, alone():
        for mib, options in ((512, ""), (128, "--memory 128M")):
            records.append({"memory_mb": mib, "handles": HANDLES, **measured(world, str(mib), options)})
            print(json.dumps(records[-1]), flush=True)
    (RESULTS / "memory.json").write_text(json.dumps(records, indent=1))
    shown = table(records)
    (RESULTS / "memory.md").write_text(shown + "\n")
    print(f"\n{shown}\n")


def table(records: list[dict[str, Any]]) -> str:
    """Markdown, with the verdicts."""
    out = [
        f"| {HANDLES} files open and read at once | resident before | at most | beside `--memory` | read | verdict |",
        "|---|--:|--:|--:|--:|---|",
    ]
    for r in records:
        beside = r["peak_mb"] - r["memory_mb"]
        verdict = "held" if beside <= MEMORY_REST_MB else "**missed**"
        read_ = f"{r['bytes'] / 1e9:.1f} GB in {r['wall']:.1f} s"
        cells = (f"{r['before_mb']} MiB", f"{r['peak_mb']} MiB", f"{beside:+d} MiB", read_)
        out.append(f"| `--memory {r['memory_mb']}M` | {' | '.join(cells)} | {verdict} ({MEMORY_REST_MB} MiB) |")
    return "\n".join(out)


if __name__ == "__main__":
    read(*sys.argv[1:])
