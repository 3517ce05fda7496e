"""Many mounts of one node: a job array whose jobs read the same data at once, over one disk cache.

    python -m tests.benchmarks nodes --mounts 8 --mib 1024
    python -m tests.benchmarks nodes --peer-cmd "before=/tmp/before/.venv/bin/python -P -m mountnd s3://{bucket} {mnt}
        --endpoint-url {url} --anonymous -f --cache-dir {cache}"       the commit before, in the same run

Each candidate's mounts, all with the same cache directory, are made before their readers start together: each reads
the whole file through its own mount. What is fetched is counted by the server. One mount alone comes first, which
leases must cost nothing.
"""

from __future__ import annotations

import json
import shlex
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from . import data
from .data import MIB
from .mount import Mount
from .peers import BY_NAME, OURS, Peer
from .place import DATA, RESULTS, WORK
from .run import alone
from .world import World

BUCKET, KEY = "nodes", "sub-01_bold.nii"
# At most so many bytes may be fetched for each byte of the file, by all mounts together.
GOAL = 1.05
LIMIT_S = 240


def make(mib: int) -> None:
    """The bucket: one file of so many MiB."""
    path = DATA / BUCKET / KEY
    if not path.exists() or path.stat().st_size != mib * MIB:
        data.incompressible(path, mib * MIB, data.nifti_header((64, 64, 32, mib * 4)), 7)
    (DATA / f"{BUCKET}.index").write_text(data.indexed(DATA / BUCKET))


@contextmanager
def mounts(peer: Peer, world: World, count: int) -> Iterator[list[Mount]]:
    """So many mounts of a candidate that share an empty cache directory."""
    home = WORK / "nodes"
    subprocess.run(["rm", "-rf", home], check=True)
    home.mkdir(mode=0o700, parents=True)
    with ExitStack() as stack:
        made = []
        for n in range(count):
            at = home / f"mnt-{n}"
            one = Mount(peer, world, BUCKET, at, home / "cache", home / f"{n}.log")
            stack.callback(one.close)
            made.append(one)
        yield made
    subprocess.run(["rm", "-rf", home], check=True)


def read_at_once(at: Sequence[Path]) -> float:
    """Seconds until all of them are read, each by a process of its own."""
    begun = time.perf_counter()
    readers = [subprocess.Popen(["dd", f"if={path / KEY}", "of=/dev/null", "bs=1M", "status=none"]) for path in at]
    try:
        for reader in readers:
            if reader.wait(LIMIT_S):
                raise RuntimeError(f"a reader failed: {shlex.join(reader.args)}")  # type: ignore[arg-type]
        return time.perf_counter() - begun
    finally:
        for reader in readers:
            reader.kill()
            reader.wait()


def measured(peer: Peer, world: World, count: int, mib: int) -> dict[str, Any]:
    """One run of `count` mounts of a candidate."""
    with mounts(peer, world, count) as made:
        cpu = [mount.cpu() for mount in made]
        world.mark()
        seconds = read_at_once([mount.mnt for mount in made])
        used = sum(mount.cpu() - before for mount, before in zip(made, cpu, strict=True))
        did = world.since()
    return {
        "peer": peer.name, "mounts": count, "mib": mib, "seconds": seconds, "cpu": used, "gets": did["get"],
        "sent_mib": did["sent"] / MIB,
    }  # fmt: skip


def run(rtt: float | None, port: int, *, link_mb: float, count: int, mib: int, runs: int, given: Sequence[str]) -> None:
    """Print a table, and keep it and the figures in `results/`."""
    peers = [BY_NAME[OURS]]
    peers += [Peer(name=name, command=command, judged=False) for name, _, command in (g.partition("=") for g in given)]
    records = []
    with World(rtt=rtt, port=port, link_mb=link_mb) as world, alone():
        for _ in range(runs):
            for n in (1, count):
                for peer in peers:
                    records.append(measured(peer, world, n, mib))
                    print(json.dumps(records[-1]), flush=True)
    (RESULTS / "nodes.json").write_text(json.dumps(records, indent=1))
    shown = table(records)
    (RESULTS / "nodes.md").write_text(shown + "\n")
    print(f"\n{shown}\n")


def table(records: Sequence[dict[str, Any]]) -> str:
    """Markdown, with the verdicts: of each kind of run the one in the middle by what it fetched."""
    size = records[0]["mib"]
    out = [
        f"| mounts that read {size} MiB at once | fetched | for each byte | seconds | CPU | GETs | verdict |",
        "|---|--:|--:|--:|--:|--:|---|",
    ]
    kinds = list(dict.fromkeys((record["mounts"], record["peer"]) for record in records))
    for mounts_, peer in kinds:
        same = [r for r in records if (r["mounts"], r["peer"]) == (mounts_, peer)]
        r = sorted(same, key=lambda record: record["sent_mib"])[len(same) // 2]
        ratio = r["sent_mib"] / r["mib"]
        verdict = "" if peer != OURS else "held" if ratio <= GOAL else "**missed**"
        cells = (f"{r['sent_mib']:.0f} MiB", f"{ratio:.3f}", f"{r['seconds']:.1f}", f"{r['cpu']:.1f} s")
        out.append(f"| {mounts_} x {peer} | {' | '.join(cells)} | {r['gets']:.0f} | {verdict} |")
    return "\n".join(out)
