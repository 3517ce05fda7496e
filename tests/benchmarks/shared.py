"""Nodes over a shared directory: what leaves the source, for each byte of the data, whatever their number.

    python -m tests.benchmarks shared --mounts 8 --mib 256

Each node is a mount with a disk cache of its own; all have the same `--shared-cache`, which is empty at the start.
Their readers start together, and each reads the whole file through its own mount. What is fetched is counted by the
server. Beside it the same without the shared directory. All nodes share this host's cores, so times are remarks only.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from .data import MIB
from .mount import Mount
from .nodes import BUCKET, read_at_once
from .peers import BY_NAME, OURS
from .place import RESULTS, WORK
from .run import alone
from .world import World

# At most so many bytes may leave the source for each byte of the data.
GOAL = 1.05


@contextmanager
def nodes(world: World, count: int, *, shared: bool = True) -> Iterator[list[Mount]]:
    """So many mounts of ours of the bucket `nodes.BUCKET`, each with a cache of its own, over an empty directory."""
    home = WORK / "shared-nodes"
    subprocess.run(["rm", "-rf", home], check=True)
    (directory := home / "shared").mkdir(parents=True)
    directory.chmod(0o2770)
    ours = BY_NAME[OURS]
    peer = replace(ours, command=f"{ours.command} --shared-cache {directory}") if shared else ours
    with ExitStack() as stack:
        made = []
        for n in range(count):
            cache = home / f"cache-{n}"
            cache.mkdir(mode=0o700)
            one = Mount(peer, world, BUCKET, home / f"mnt-{n}", cache, home / f"{n}.log")
            stack.callback(one.close)
            made.append(one)
        yield made
    subprocess.run(["rm", "-rf", home], check=True)


def measured(world: World, count: int, mib: int, *, shared: bool = True) -> dict[str, Any]:
    """One run: `nodes`, `shared`, `mib` of the file, `sent_mib` by the server, `ratio` of these, `gets`, `lists`,
    `seconds` until the last reader has ended, `cpu` seconds of all daemons."""
    with nodes(world, count, shared=shared) as made:
        cpu = [mount.cpu() for mount in made]
        world.mark()
        seconds = read_at_once([Path(mount.mnt) for mount in made])
        used = sum(mount.cpu() - before for mount, before in zip(made, cpu, strict=True))
        did = world.since()
    sent = did["sent"] / MIB
    return {
        "nodes": count, "shared": shared, "mib": mib, "sent_mib": sent, "ratio": sent / mib, "gets": did["get"],
        "lists": did.get("list", 0), "seconds": seconds, "cpu": used,
    }  # fmt: skip


def run(rtt: float | None, port: int, *, link_mb: float, most: int, mib: int) -> None:
    """1, 2, 4, ... `most` nodes; print a table, and keep it and the figures in `results/`."""
    counts = [count for count in (1, 2, 4, 8, 16, 32) if count < most] + [most]
    records = []
    with World(rtt=rtt, port=port, link_mb=link_mb) as world, alone():
        for shared in (True, False):
            for count in counts:
                records.append(measured(world, count, mib, shared=shared))
                print(json.dumps(records[-1]), flush=True)
    (RESULTS / "shared.json").write_text(json.dumps(records, indent=1))
    shown = table(records)
    (RESULTS / "shared.md").write_text(shown + "\n")
    print(f"\n{shown}\n")


def table(records: Sequence[dict[str, Any]]) -> str:
    """Markdown, with the verdicts."""
    out = [
        f"| nodes that read {records[0]['mib']} MiB | left the source | for each byte | GETs | seconds | verdict |",
        "|---|--:|--:|--:|--:|---|",
    ]
    for r in records:
        name = f"{r['nodes']}, {'a shared directory' if r['shared'] else 'each for itself'}"
        verdict = ("held" if r["ratio"] <= GOAL else "**missed**") if r["shared"] else ""
        cells = (f"{r['sent_mib']:.0f} MiB", f"{r['ratio']:.3f}", f"{r['gets']:.0f}", f"{r['seconds']:.1f}")
        out.append(f"| {name} | {' | '.join(cells)} | {verdict} |")
    return "\n".join(out)
