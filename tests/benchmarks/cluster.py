"""A cluster on one host: nodes as network namespaces, each with a mount and a cache, that read the same data.

    python -m tests.benchmarks cluster --rtt 30 --mib 256
    python -m tests.benchmarks cluster --only peers --mounts 4     one kind of row (KINDS, and `changes`), fewer nodes

Each node reads all files, compares every byte, and has an empty disk cache of its own. What leaves the server is
counted there: by mounts that know nothing of each other, by a ring of caches (`--via`), one on each node, by a
directory that all share where there is that option; by other programs; with a node killed in the middle; and when one
joins or leaves. Times are remarks: all nodes share the cores of this host.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from mountnd.config.options import BY_NAME as OPTIONS

from . import data, juicefs
from .cluster_table import Record, table
from .data import MIB
from .lan import OURS_ON_NODE, Lan, Node, via
from .peers import BY_NAME as PEERS
from .peers import Peer
from .place import DATA, RESULTS, WORK
from .world import World

BUCKET, FILE_MIB = "cluster", 16
COUNTS = (1, 2, 4, 8, 16)
LIMIT_S = 400
# Programs that know nothing of each other, each with its own cache.
OTHERS = (PEERS["rclone-full"], PEERS["geesefs"])

# Prints how many files it could not read, and how many were wrong: MNT DATA NAME...
READER = """
import sys
failed = wrong = 0
for name in sys.argv[3:]:
    try:
        with open(f"{sys.argv[1]}/{name}", "rb") as got, open(f"{sys.argv[2]}/{name}", "rb") as true:
            while piece := got.read(1 << 20):
                wrong += piece != true.read(len(piece))
            wrong += true.read(1) != b""
    except OSError as e:
        print(name, e, file=sys.stderr)
        failed += 1
print(failed, wrong)
"""


def make(mib: int) -> None:
    """The bucket: files of 16 MiB, so many MiB together."""
    for number in range(mib // FILE_MIB):
        path = DATA / BUCKET / name_of(number)
        if not path.exists():
            head = data.nifti_header((64, 64, 32, FILE_MIB * 4))
            data.incompressible(path, FILE_MIB * MIB, head, 1000 + number)
    (DATA / f"{BUCKET}.index").write_text(data.indexed(DATA / BUCKET))
    if juicefs.available():
        juicefs.make(DATA / BUCKET)


def name_of(number: int) -> str:
    return f"sub-{number:02d}_bold.nii"


class Cluster:
    """Nodes and their server."""

    def __init__(self, world: World, lan: Lan, mib: int) -> None:
        self.world, self.nodes, self.mib = world, lan.nodes, mib
        self._names = [name_of(number) for number in range(mib // FILE_MIB)]

    @staticmethod
    def home(node: Node) -> Path:
        return WORK / "cluster" / str(node.number)

    @contextmanager
    def ring(self, nodes: Sequence[Node]) -> Iterator[None]:
        """Caches on these nodes, with nothing in them."""
        empty()
        try:
            for node in nodes:
                node.start_cache(BUCKET, self.home(node))
            yield
        finally:
            for node in nodes:
                node.stop_cache()

    def read(
        self,
        what: str,
        readers: Sequence[Node],
        options: str = "",
        *,
        peer: Peer = OURS_ON_NODE,
        meanwhile: Callable[[], None] | None = None,
    ) -> Record:
        """Have these nodes read everything at once, each through a fresh mount.

        Args:
            meanwhile: called when a part of it was read.

        Raises:
            RuntimeError: it cannot be mounted.
            subprocess.TimeoutExpired: a reader has not come to its end.
        """
        self.world.mark()  # a mount reads a byte of the source before it is ready
        with ExitStack() as stack:
            mounts = []
            for node in readers:
                subprocess.run(["rm", "-rf", self.home(node) / "mount-cache"], check=True)
                mounts.append(node.mount(peer, BUCKET, self.home(node), options))
                stack.callback(mounts[-1].close)
            begun = time.monotonic()
            words = [str(DATA / BUCKET), *self._names]
            jobs = [
                subprocess.Popen(
                    [sys.executable, "-c", READER, str(mount.mnt), *words], stdout=subprocess.PIPE, text=True
                )
                for mount in mounts
            ]
            try:
                if meanwhile is not None:
                    self._await_bytes(0.3)
                    meanwhile()
                said = [job.communicate(timeout=LIMIT_S)[0].split() for job in jobs]
            finally:
                for job in jobs:
                    job.kill()
                    job.wait()
            seconds = time.monotonic() - begun
        did = self.world.since()
        failed, wrong = (sum(int(numbers[at]) if len(numbers) == 2 else 1 for numbers in said) for at in (0, 1))
        record = {
            "what": what, "nodes": len(readers), "data_mib": self.mib, "read_mib": self.mib * len(readers),
            "origin_mib": did["sent"] / MIB, "gets": did["get"], "failed": failed, "wrong": wrong, "seconds": seconds,
        }  # fmt: skip
        print(json.dumps(record), flush=True)
        return record

    def _await_bytes(self, part: float) -> None:
        """Wait until the server has sent a part of the data."""
        end = time.monotonic() + LIMIT_S
        while self.world.since()["sent"] < part * self.mib * MIB and time.monotonic() < end:
            time.sleep(0.02)


def empty() -> None:
    """Forget what was cached, by whom ever."""
    subprocess.run(["rm", "-rf", WORK / "cluster"], check=True)


def separate(cluster: Cluster, count: int) -> list[Record]:
    empty()
    return [cluster.read("separate mounts", cluster.nodes[:count])]


def ring(cluster: Cluster, count: int) -> list[Record]:
    nodes = cluster.nodes[:count]
    with cluster.ring(nodes):
        return [cluster.read("ring", nodes, via(nodes)), cluster.read("ring, again", nodes, via(nodes))]


def shared(cluster: Cluster, count: int) -> list[Record]:
    """By a directory that all share; nothing where mountnd has no such option."""
    if "shared_cache" not in OPTIONS:
        return []
    empty()
    (directory := WORK / "cluster" / "shared").mkdir(parents=True)
    directory.chmod(0o2770)
    return [cluster.read("shared directory", cluster.nodes[:count], f"--shared-cache {directory}")]


def peers(cluster: Cluster, count: int) -> list[Record]:
    """By other programs, with a cache on each node; by JuiceFS also with one cache directory for all."""
    nodes = cluster.nodes[:count]
    empty()
    alone = [peer for peer in OTHERS if peer.available] + [juicefs.peer()] * juicefs.available()
    records = [tried(cluster, f"{peer.family}, a cache each", nodes, peer) for peer in alone]
    if juicefs.available():
        one = "JuiceFS, one cache directory"
        for options, names in (("", (one, f"{one}, again")), (juicefs.LOOKS_EACH_TIME, (f"{one}, looked up",))):
            empty()
            peer = juicefs.peer(WORK / "cluster" / "shared", options)
            records += [tried(cluster, name, nodes, peer) for name in names]
    return records


def tried(cluster: Cluster, what: str, nodes: Sequence[Node], peer: Peer) -> Record:
    """What another program did, or why it did nothing."""
    try:
        return cluster.read(what, nodes, peer=peer)
    except (RuntimeError, subprocess.TimeoutExpired) as e:
        return {"what": what, "nodes": len(nodes), "data_mib": cluster.mib, "why_not": str(e)}


def killed(cluster: Cluster, count: int) -> list[Record]:
    """A node's cache is killed while all read."""
    nodes = cluster.nodes[:count]
    with cluster.ring(nodes):
        return [cluster.read("ring, a node killed", nodes, via(nodes), meanwhile=nodes[-1].kill_cache)]


def joined_and_left(cluster: Cluster, count: int) -> list[Record]:
    """A ring of one less is filled; one joins; another one leaves."""
    nodes = cluster.nodes[:count]
    with cluster.ring(nodes):
        return [
            cluster.read("ring, filled", nodes, via(nodes[:-1])),
            cluster.read("ring, one has joined", nodes, via(nodes)),
            cluster.read("ring, one has left", nodes, via(nodes[1:])),
        ]


KINDS = {"separate": separate, "ring": ring, "shared": shared, "peers": peers}


def run(rtt: float | None, port: int, *, link_mb: float, mib: int, most: int, only: str = "") -> None:
    """Print a table, and keep it and the figures in `results/`. `only`: one of KINDS, or "changes"; "": all."""
    if only not in ("", *KINDS, "changes"):
        sys.exit(f"no such kind of row: {only}; there are {', '.join(KINDS)}, changes")
    if most < 2 and only == "changes":
        sys.exit("one node has nobody to join and to leave: --mounts 2 or more")
    records: list[Record] = []
    with World(rtt=rtt or 30, port=port, link_mb=link_mb) as world, Lan(world, most) as lan:
        cluster = Cluster(world, lan, mib)
        for count in [count for count in COUNTS if count < most] + [most]:
            for kind, measured in KINDS.items():
                records += measured(cluster, count) if only in ("", kind) else []
        if most > 1 and only in ("", "changes"):
            records += killed(cluster, most) + joined_and_left(cluster, most)
    empty()
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "cluster.json").write_text(json.dumps(records, indent=1))
    shown = table(records)
    (RESULTS / "cluster.md").write_text(shown + "\n")
    print(f"\n{shown}\n")
