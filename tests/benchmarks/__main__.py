"""`python -m tests.benchmarks`: everything, or with a verb one part of it."""

from __future__ import annotations

import argparse
import fcntl
import json
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from . import (
    bottleneck,
    cluster,
    data,
    goals,
    limit,
    memory,
    names,
    nodes,
    parse,
    plot,
    prefetch,
    python,
    report,
    ring_shares,
    shared,
    startup,
    views,
)
from . import run as runner
from .peers import BY_NAME, LOCAL, OURS, Peer
from .place import HOME, LOCK, REPOSITORY, RESULTS, WORK
from .real import data as real_data
from .real import jobs, trace
from .real import report as real_report
from .workloads import ALL, matching
from .world import World

TRACES = "tests/unit/vfs/prefetch/traces"


def main() -> None:
    a = arguments().parse_args()
    unknown = [word for word in a.workloads.split(",") if not matching(word)]
    if unknown:
        sys.exit(f"no such workload: {', '.join(unknown)}; there are {', '.join(ALL)}")
    if a.verb == "show":
        records = [record for path in a.results for record in json.loads(Path(path).read_text())]
        print("\n\n".join(texts(records)))
        if a.plot:
            plot.draw(records, a.plot, "mountnd and its peers")
        return
    for place in (WORK, RESULTS):
        place.mkdir(parents=True, exist_ok=True)
    LOCK.touch()
    with only_one():
        measure(a)


@contextmanager
def only_one() -> Iterator[None]:
    """Two runs would share a mountpoint and a network, and measure each other."""
    with (HOME / "run.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            sys.exit(f"another benchmark runs in {HOME}: wait for it, or set MOUNTND_BENCH to another folder")
        yield


def measure(a: argparse.Namespace) -> None:
    """What the verb says."""
    if a.verb in ("all", "parse"):
        parse.run()
        if a.verb == "parse":
            return
    if a.verb == "names":
        names.run(a.keys, a.flat, a.runs, a.peer_cmd)
    if a.verb == "startup":
        startup.run(a.rtt, a.port, tls=a.tls, runs=max(a.runs, 9), given=a.command, only=a.only)
        return
    if a.verb == "nodes":
        with data.at_hand(lambda: nodes.make(a.mib)):
            nodes.run(a.rtt, a.port, link_mb=a.link_mb, count=a.mounts, mib=a.mib, runs=a.repeat, given=a.peer_cmd)
        return
    if a.verb == "ring":
        ring_shares.run(a.slices, [int(a.only)] if a.only else ring_shares.SIZES)
        return
    if a.verb == "cluster":
        with data.at_hand(lambda: cluster.make(a.mib)):
            cluster.run(a.rtt, a.port, link_mb=a.link_mb, mib=a.mib, most=a.mounts, only=a.only)
        return
    if a.verb == "shared":
        with data.at_hand(lambda: nodes.make(a.mib)):
            shared.run(a.rtt, a.port, link_mb=a.link_mb, most=a.mounts, mib=a.mib)
        return
    if a.verb == "views":
        with data.at_hand(views.make):
            views.run(a.rtt, a.port, runs=min(a.runs, 3), only=a.only)
        return
    if a.verb == "data":
        data.mount()
        data.make()
        real_data.make()
        print(data.DATA)
        return
    if a.verb == "trace":
        with data.at_hand(real_data.make):
            trace.record(wanted(a.results), a.out, a.port)
        return
    with data.at_hand(*makers(a)):
        if a.verb == "limit":
            limit.run(a.rtt)
        if a.verb == "prefetch":
            prefetch.run(a.rtt, a.link_mb, a.conn_mb, a.port, min(a.runs, 3), a.only)
        if a.verb == "python":
            python.run(a.rtt, a.port, runs=a.runs, only=a.only)
        if a.verb == "memory":
            memory.run(a.rtt, a.port)
        if a.verb in ("all", "bottleneck"):
            rates, shown = bottleneck.run(a.floor or bottleneck.floor_command(), a.runs)
            (RESULTS / "bottleneck.json").write_text(json.dumps(rates, indent=1))
            (RESULTS / "bottleneck.md").write_text(shown + "\n")
            print(f"\n{shown}\n")
        if a.verb in ("all", "run"):
            compare(a)


def wanted(words: Sequence[str]) -> list[str]:
    """The rows R... that are named, or whose names begin so; all of them without words."""
    return [name for name in matching(",".join(words or ["R"])) if name in jobs.BY_NAME]


def makers(a: argparse.Namespace) -> list[Callable[[], None]]:
    """What makes the data that the verb needs."""
    if a.verb not in ("all", "run"):
        return [data.make]
    names = matching(a.workloads)
    synthetic = a.verb == "all" or any(name not in jobs.BY_NAME for name in names)
    real = any(name in jobs.BY_NAME for name in names)
    return [data.make] * synthetic + [real_data.make, jobs.forget] * real


def compare(a: argparse.Namespace) -> None:
    """Run peers beside each other; results as JSON, tables and a plot in `results/`."""
    peers = chosen(a)
    plan = runner.Plan(
        peers=peers,
        workloads=matching(a.workloads),
        phases=a.phases.split(","),
        repeat=a.repeat,
        limit=a.limit,
        everywhere=a.everywhere,
    )
    name = a.name or ("loopback" if a.rtt is None else f"{a.rtt:g}ms") + ("-tls" if a.tls else "")
    about = {"rtt": a.rtt, "conn_mb": a.conn_mb, "tls": a.tls}
    with World(rtt=a.rtt, conn_mb=a.conn_mb, link_mb=a.link_mb, tls=a.tls, port=a.port) as world:
        records = runner.run(plan, world, about, RESULTS / f"{name}.json")
    said = "\n\n".join(texts(records))
    (RESULTS / f"{name}.md").write_text(said + "\n")
    print(said)
    try:
        plot.draw(records, RESULTS / f"{name}.svg", f"mountnd and its peers, {name}")
    except ImportError:
        print("no plot: matplotlib is missing (pip install 'mountnd[bench]')")


def texts(records: list[runner.Record]) -> list[str]:
    """What is said of a run, in Markdown."""
    parts = [report.overview(records), goals.judge(records), real_report.table(records), report.table(records)]
    return [part for part in parts if part]


def chosen(a: argparse.Namespace) -> list[Peer]:
    peers = dict(BY_NAME)
    for given in a.peer_cmd:
        name, _, command = given.partition("=")
        peers[name] = Peer(name=name, command=command, judged=False)
    names = a.peers.split(",") if a.peers else [name for name, peer in peers.items() if peer.available]
    if LOCAL not in names and any(name in jobs.BY_NAME for name in matching(a.workloads)):
        names.insert(0, LOCAL)  # what the rows R... are measured from
    names += [given.partition("=")[0] for given in a.peer_cmd if given.partition("=")[0] not in names]
    unknown = [name for name in names if name not in peers]
    if unknown:
        sys.exit(f"no such peer: {', '.join(unknown)}; there are {', '.join(peers)}")
    absent = [name for name in names if not peers[name].available]
    if absent:
        print("left out, program not found:", ", ".join(absent))
    return [peers[name] for name in names if name not in absent]


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument(
        "verb",
        nargs="?",
        default="all",
        choices=(
            *(
                "all",
                "run",
                "bottleneck",
                "parse",
                "names",
                "memory",
                "nodes",
                "cluster",
                "ring",
                "shared",
                "startup",
                "limit",
                "prefetch",
                "python",
                "views",
            ),
            *("data", "trace", "show"),
        ),
        help="all: parse, bottleneck and run; parse: listing pages on one core; names: find and ls -lR through very "
        "many keys; memory: of the daemon with 200 files open; nodes: mounts with one disk cache that read the same at "
        "once; cluster: nodes of a network that do, by a ring of caches; ring: how evenly that shares; "
        "shared: nodes over a shared directory that do; startup: until the first `ls` answers; "
        "limit: raw sockets on the same link; "
        "prefetch: `mountnd prefetch` beside programs that copy; data: make the buckets and keep them; "
        "python: mountnd:// beside s3fs, without FUSE; views: --view nii beside .nii.gz and ratarmount; "
        "trace: record what the programs of rows R... "
        "ask of a mount; show: tables of saved results",
    )
    parser.add_argument("results", nargs="*", help="show: JSON files of earlier runs; trace: rows")
    parser.add_argument("-o", "--out", type=Path, default=REPOSITORY / TRACES, help="trace: where to write")
    parser.add_argument("--rtt", type=float, default=30, help="round trip in ms (default 30)")
    parser.add_argument("--loopback", dest="rtt", action="store_const", const=None, help="no delay, no limits")
    parser.add_argument("--tls", action="store_true", help="https, as S3 is, with an authority of its own")
    parser.add_argument("--port", type=int, default=9200, help="of the server; names its network too")
    parser.add_argument("--conn-mb", type=float, default=90, help="MB/s one connection may reach, 0: no limit")
    parser.add_argument("--link-mb", type=float, default=0, help="MB/s of the link, 0: no limit")
    parser.add_argument("--peers", help=f"default: {OURS} and every peer whose program is here")
    parser.add_argument("--peer-cmd", action="append", default=[], metavar="NAME=COMMAND", help="a further candidate")
    parser.add_argument("--workloads", default=",".join(ALL), help="names, or how they begin: W5,R")
    parser.add_argument("--phases", default=",".join(runner.PHASES), help="of cold, warm, dropped, restart")
    parser.add_argument("--repeat", type=int, default=3, help="runs, of which medians are shown")
    parser.add_argument("--limit", type=float, default=30, help="seconds after which a run is called late")
    parser.add_argument("--everywhere", action="store_true", help="also settings that do not suit a workload")
    parser.add_argument("--name", help="of the result files (default: by the network)")
    parser.add_argument(
        "--runs",
        type=int,
        default=5,
        help="bottleneck, startup (9 at least): runs, of which medians are shown; names: the least",
    )
    parser.add_argument("--keys", type=int, default=1_000_000, help="names: keys of the tree; 0: none")
    parser.add_argument("--flat", type=int, default=100_000, help="names: keys of the one directory; 0: none")
    parser.add_argument("--command", action="append", default=[], metavar="NAME=COMMAND",
                        help="startup: a further mountnd, such as that of another checkout")  # fmt: skip
    only = "startup, prefetch: rows whose title holds this; python, views: rows that begin so; cluster: one kind of row"
    parser.add_argument("--only", default="", metavar="TEXT", help=only)
    parser.add_argument("--mounts", type=int, default=8, help="nodes, cluster, shared: how many")
    parser.add_argument("--mib", type=int, default=1024, help="nodes, cluster, shared: MiB that each reads")
    parser.add_argument("--slices", type=int, default=1_000_000, help="ring: how many are shared")
    parser.add_argument("--floor", help="bottleneck: another floor than floor.py, as a command with {mnt}")
    parser.add_argument("--plot", type=Path, help="show: also draw to this file")
    return parser


if __name__ == "__main__":
    if os.geteuid() != 0:
        sys.exit("the benchmark makes network namespaces and drops the page cache: run it as root")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # unwind: nothing stays mounted or running
    main()
