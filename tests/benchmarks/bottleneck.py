"""Is the daemon a bottleneck? A sequential read of one object that lies in the memory of whoever serves it.

Before each run the kernel's pages are dropped, so that every byte comes from the daemon; all mounts have the same
`read_ahead_kb`; the runs take turns. Beside mountnd: rclone with `--vfs-cache-mode full`, warm, its cache on a
tmpfs; and `floor`, a plain tuned server of the same bytes.
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from statistics import median

from .data import BIG, MIB
from .mount import Mount
from .peers import BY_NAME, OURS, Peer
from .place import DATA, WORK
from .run import alone
from .world import World

READ_AHEAD_KB = 1024
STEP = 128 << 10  # what cat reads at once
KEY = "big/bold_00.nii"
RCLONE_GOAL, FLOOR_GOAL = 2.0, 0.8
# rclone saves what it has of a file to its cache some seconds after the last close; 5 is its default.
RCLONE_SAVES_S = 6


def read_through(path: Path) -> float:
    """MB/s of reading the file once from the start."""
    buffer = bytearray(STEP)
    n = 0
    begun = time.perf_counter()
    fd = os.open(path, os.O_RDONLY)
    try:
        while k := os.readv(fd, [buffer]):
            n += k
    finally:
        os.close(fd)
    if n != BIG:
        raise AssertionError(f"{path}: {n} bytes of {BIG}")
    return n / (time.perf_counter() - begun) / 1e6


def same_readahead(mnt: Path) -> None:
    device = os.stat(mnt).st_dev
    Path(f"/sys/class/bdi/{os.major(device)}:{os.minor(device)}/read_ahead_kb").write_text(str(READ_AHEAD_KB))


def drop_pages() -> None:
    Path("/proc/sys/vm/drop_caches").write_text("1\n")


@contextmanager
def tmpfs(place: Path) -> Iterator[Path]:
    place.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={2 * BIG // MIB}m", "mountnd-bench", place], check=True)
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", place], check=True)


def candidates(floor_command: str) -> list[tuple[Peer, str]]:
    """The mounts, with the path of the object in each."""
    floor = Peer(name="floor", command=floor_command, judged=False)
    rclone = replace(
        BY_NAME["rclone"], command=BY_NAME["rclone"].command + " --vfs-cache-mode full --max-read-ahead 1Mi"
    )
    return [(BY_NAME[OURS], KEY), (rclone, KEY), (floor, Path(KEY).name)]


def run(floor_command: str, runs: int, say: Callable[[str], None] = print) -> tuple[dict[str, list[float]], str]:
    """MB/s of each candidate and run, and a Markdown table with the verdicts."""
    rates: dict[str, list[float]] = {}
    with World(rtt=None) as world, ExitStack() as stack, alone():
        files: dict[str, Path] = {}
        for peer, key in candidates(floor_command):
            if not peer.available:
                say(f"left out, program not found: {peer.name}")
                continue
            cache = stack.enter_context(tmpfs(WORK / f"cache-{peer.name}"))
            mnt = WORK / f"mnt-{peer.name}"
            mount = Mount(peer, world, "neuro", mnt, cache, WORK / f"{peer.name}.log")
            stack.callback(mount.close)
            same_readahead(mnt)
            files[peer.name] = mnt / key
            read_through(mnt / key)
            if peer.name == "rclone":
                time.sleep(RCLONE_SAVES_S)
                read_through(mnt / key)
        for _ in range(runs):
            for name, path in files.items():
                drop_pages()
                world.mark()
                rates.setdefault(name, []).append(read_through(path))
                say(f"{name:8} {rates[name][-1]:7.0f} MB/s, {world.since()['get']:.0f} GETs")
    return rates, table(rates)


def table(rates: dict[str, list[float]]) -> str:
    ours = median(rates[OURS])
    out = [
        "| sequential read from the daemon's memory | MB/s (median) | ours | goal | verdict |",
        "|---|--:|--:|--:|---|",
    ]
    out.append(f"| {OURS} | {ours:.0f} | | | |")
    for name, goal in (("rclone", RCLONE_GOAL), ("floor", FLOOR_GOAL)):
        if name in rates:
            ratio = ours / median(rates[name])
            verdict = "held" if ratio >= goal else "**missed**"
            out.append(f"| {name} | {median(rates[name]):.0f} | {ratio:.2f} x | {goal} x | {verdict} |")
    return "\n".join(out)


def floor_command() -> str:
    import sys

    return f"{sys.executable} -m tests.benchmarks.floor {DATA}/neuro/{KEY} {{mnt}}"
