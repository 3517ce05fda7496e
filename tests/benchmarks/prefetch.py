"""`mountnd prefetch` beside programs that copy, and beside raw sockets: the same objects over one link, in turns.

    python -m tests.benchmarks prefetch --link-mb 125

Each begins with nothing of its own on disk; what it has fetched is counted by the server. The raw sockets know every
range in advance and write nothing; theirs is the best of some numbers of connections. Beside the seconds of the whole
command, its start included, stands the share of the link that it used: the raw sockets' seconds by its own.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from statistics import median
from typing import NamedTuple
from urllib.parse import urlsplit

from . import limit
from .place import DATA, REPOSITORY, RESULTS, WORK, program
from .processes import cpu_seconds, tree
from .run import alone
from .world import World

PLACE = WORK / "prefetch"
LIMIT_S = 120.0
RAW = "raw sockets"
# `mountnd prefetch` takes at most the raw sockets' seconds by this (issue 14).
GOAL = 0.9
_KEYS = {
    "AWS_ACCESS_KEY_ID": "x",
    "AWS_SECRET_ACCESS_KEY": "x",
    "AWS_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "1",
}


class Set(NamedTuple):
    """Objects to fetch: what is told of them, where they lie in the bucket, how each program names them."""

    what: str
    below: str
    mountnd: str
    rclone: str
    s5cmd: str
    aws: str

    @property
    def is_many(self) -> bool:
        """Whether it is a matter of round trips."""
        return self.below == "sub-*"

    def sizes(self) -> dict[str, int]:
        """Keys and sizes."""
        found = {}
        for path in sorted((DATA / "neuro").glob(self.below)):
            for file in [path] if path.is_file() else path.rglob("*"):
                if file.is_file():
                    found[str(file.relative_to(DATA / "neuro"))] = file.stat().st_size
        return found


SETS = (
    Set("50 x 10 MiB", "gz", "s3://neuro/gz", "/gz/**", "gz/*", "gz/*"),
    Set("2 x 256 MiB", "big/bold_0[1-2].nii", "s3://neuro/big --include bold_01.nii --include bold_02.nii",
        "/big/bold_0{{1,2}}.nii", "", "big/bold_0[12].nii"),
    Set("4,800 small files in 2,000 directories", "sub-*", "s3://neuro --include sub-*", "/sub-*/**", "sub-*", "sub-*"),
)  # fmt: skip
_RCLONE = (
    program("rclone") + " copy :s3:neuro {out} --config /dev/null --s3-provider Other --s3-endpoint {url} "
    "--include {rclone} --no-check-certificate --s3-no-check-bucket --ignore-checksum "
)
COMMANDS = {
    "mountnd prefetch": f"{sys.executable} -P -m mountnd prefetch {{mountnd}} --endpoint-url {{url}} --anonymous "
    "--cache-dir {out} --cache-size 20G --json",
    "rclone copy": _RCLONE,
    "rclone copy, 32 at once": _RCLONE + "--transfers 32 --checkers 32 --multi-thread-streams 16 --fast-list",
    "s5cmd cp": program("s5cmd") + " --endpoint-url {url} --no-sign-request --log error cp s3://neuro/{s5cmd} {out}/",
    "aws s3 cp": program("aws") + " s3 cp --endpoint-url {url} --no-sign-request --only-show-errors --recursive "
    "s3://neuro/ {out} --exclude * --include {aws}",
}  # fmt: skip


class Run(NamedTuple):
    """One run: seconds, CPU seconds of the program, bytes and requests by the server's log; of the seconds those that
    mountnd took between the first byte and the last, 0 for others."""

    seconds: float
    cpu: float
    sent: float
    requests: float
    fetching: float = 0.0


def run(rtt: float | None, link_mb: float, conn_mb: float, port: int, runs: int, only: str) -> None:
    """Measure all sets whose title holds `only`; results as Markdown and JSON in `results/`."""
    results: dict[str, dict[str, list[Run]]] = {}
    with World(rtt=rtt, conn_mb=conn_mb, link_mb=link_mb, port=port) as world, alone():
        for number in range(runs):
            for one in SETS:
                if only not in one.what:
                    continue
                for name, command in _turn({RAW: "", **COMMANDS}, number):
                    if name != RAW and not shutil.which(shlex.split(command)[0]):
                        continue
                    if (name.startswith("s5cmd") and not one.s5cmd) or (name == "rclone copy" and one.is_many):
                        continue  # it has no such pattern; a minute for 4,800 files, four at once
                    taken = _raw(world, one) if name == RAW else _command(world, command, one)
                    results.setdefault(one.what, {}).setdefault(name, []).append(taken)
                    print(json.dumps({"set": one.what, "name": name, **taken._asdict()}), flush=True)
    about = f"{rtt:g} ms, {conn_mb:g} MB/s a connection, {link_mb or 'any'} MB/s the link" if rtt else "loopback"
    shown = table(results, about)
    name = f"prefetch-{link_mb:g}"
    (RESULTS / f"{name}.md").write_text(shown + "\n")
    (RESULTS / f"{name}.json").write_text(
        json.dumps({k: {n: list(v) for n, v in r.items()} for k, r in results.items()})
    )
    print(shown)


def _turn(commands: Mapping[str, str], number: int) -> Iterator[tuple[str, str]]:
    """The commands, another one first each time: whoever comes first pays for what the machine has to wake up."""
    names = list(commands)
    at = number % len(names)
    return ((name, commands[name]) for name in [*names[at:], *names[:at]])


def _raw(world: World, one: Set) -> Run:
    """The best of some numbers of connections."""
    best: Run | None = None
    for connections in (16, 32, 64):
        argv = [*world.client, sys.executable, "-m", "tests.benchmarks.prefetch", world.url, one.what, str(connections)]
        world.mark()
        done = subprocess.run(argv, cwd=REPOSITORY, capture_output=True, text=True, timeout=LIMIT_S, check=True)
        seconds, cpu = json.loads(done.stdout)
        since = world.since()
        if best is None or seconds < best.seconds:
            best = Run(seconds, cpu, since["sent"], since["req"])
    assert best is not None
    return best


def _command(world: World, command: str, one: Set) -> Run:
    out = PLACE / "out"
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    words = {"url": world.url, "out": str(out), "rclone": one.rclone.format(), "s5cmd": one.s5cmd, "aws": one.aws}
    argv: list[str] = []
    for word in shlex.split(command):
        argv += one.mountnd.split() if word == "{mountnd}" else [word.format(**words)]
    world.mark()
    begun = time.perf_counter()
    with (PLACE / "log").open("wb") as log:
        process = subprocess.Popen(
            [*world.client, *argv], env={**os.environ, **_KEYS}, cwd=REPOSITORY, stdout=log, stderr=log
        )
        cpu = 0.0
        while process.poll() is None:
            cpu = max(cpu, cpu_seconds(tree(process.pid)))
            time.sleep(0.01)
            if time.perf_counter() - begun > LIMIT_S:
                process.kill()
    seconds = time.perf_counter() - begun
    if process.returncode:
        sys.exit(f"{argv[0]} ended with {process.returncode}: {(PLACE / 'log').read_text()[-500:]}")
    since, wanted = world.since(), sum(one.sizes().values())
    if since["sent"] < wanted:
        sys.exit(f"{command.split()[0]} fetched {since['sent']} of {wanted} bytes")
    shutil.rmtree(out, ignore_errors=True)
    fetching = 0.0
    if "--json" in argv:
        fetching = json.loads((PLACE / "log").read_text())["jobs"][0]["fetching_seconds"]
    return Run(seconds, cpu, since["sent"], since["req"], fetching)


def table(results: Mapping[str, Mapping[str, Sequence[Run]]], about: str) -> str:
    """Medians, in Markdown."""
    rows = ["| what | program | seconds | of the link | CPU | requests | MB |", "|---|---|--:|--:|--:|--:|--:|"]
    for what, by_name in results.items():
        raw = median(one.seconds for one in by_name[RAW])
        for name, runs in by_name.items():
            taken = median(one.seconds for one in runs)
            alone = median(one.fetching for one in runs)
            share = f"{raw / taken:.2f}" + (f" ({raw / alone:.2f} without its start)" if alone else "")
            cells = [f"{taken:.2f}", share, f"{median(one.cpu for one in runs):.2f}"]
            cells += [f"{median(one.requests for one in runs):.0f}", f"{median(one.sent for one in runs) / 1e6:.0f}"]
            rows.append(f"| {what} | {name} | {' | '.join(cells)} |")
    return "\n".join([f"Medians; {about}.", "", *rows])


def client(url: str, what: str, connections: str) -> None:
    """The raw sockets, in a process of their own: seconds and CPU seconds as JSON."""
    one = next(one for one in SETS if one.what == what)
    jobs: list[limit.Job] = []
    for key, size in one.sizes().items():
        jobs += limit.pieces(key, size, 4 << 20)
    parts = urlsplit(url)
    seconds, n = limit.fetch(parts.hostname or "", parts.port or 80, jobs, int(connections))
    assert n == sum(one.sizes().values()), n
    print(json.dumps([seconds, time.process_time()]))


if __name__ == "__main__":
    client(*sys.argv[1:])
