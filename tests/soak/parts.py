"""Three parts of the soak: readers under faults, a disk that is full, bits that flip in the cache."""

from __future__ import annotations

import contextlib
import os
import random
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from mountnd.stats import DISK_DAMAGED, DISK_SKIPPED
from tests.functional.stress.cache_files import damage

from . import monitor, place
from .tally import WHILE_FAULTS_LAST, Tally
from .world import World

# One operation may take that long, and read(2) 5 s more.
TIMEOUT_S, MORE_S = 8.0, 5.0
KEY_PERIOD_S = 30
# Shares of the readers, of 64; "holding" keeps 1,000 files open.
MIX = {"sequential": 12, "random": 12, "mapped": 8, "header": 8, "whole": 8, "walking": 8, "changing": 7, "holding": 1}
FAULT_RATE = 0.05


@dataclass
class Report:
    """What a part has come to. `figures`: further ones, for people."""

    name: str
    seconds: float
    tally: Tally
    violations: list[str]
    figures: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Scale:
    """How large a run is.

    Args:
        readers: processes; `every`: seconds between two looks at the daemon.
        slack: seconds that a busy machine may add to a promised wait.
    """

    readers: int = 64
    pause: float = 0.05
    every: float = 2.0
    slack: float = 0.0
    flat: bool = True
    world: World = field(default_factory=lambda: World(begin=int(time.time())))


def mixed(n: int) -> list[str]:
    """`n` kinds of readers in the shares of `MIX`, at least one of each where there are enough."""
    kinds = [kind for kind, share in MIX.items() for _ in range(max(1, share * n // 64))]
    return (kinds + ["random"] * n)[:n]


def under_faults(where: Path, seconds: float, seed: int, scale: Scale) -> Report:
    """Readers of all kinds, 1,000 open files, replaced objects and expiring keys on a server that fails."""
    begun, world = time.monotonic(), scale.world
    with contextlib.ExitStack() as stack:
        at = stack.enter_context(place.server(world, seed=seed, key_period=KEY_PERIOD_S))
        env = place.changing_keys(where, KEY_PERIOD_S)
        options = ("--timeout", f"{TIMEOUT_S:g}", "--ttl", "5", "--memory", "128M", "--cache-size", "300M")
        mounted = stack.enter_context(place.mount(where, at, *options, env=env))
        samples = stack.enter_context(monitor.watched(mounted.pid, scale.every, where / "daemon.tsv"))
        started = stack.enter_context(
            place.readers(mixed(scale.readers), mounted, world, seed=seed, seconds=seconds, pause=scale.pause)
        )
        at.set_rate(FAULT_RATE)
        by = time.monotonic() + seconds + 20 * (TIMEOUT_S + MORE_S + scale.slack)
        tally = place.together(started, by)
        report = at.report()
        log = (where / "log").read_text(errors="replace")
    violations = tally.judge(WHILE_FAULTS_LAST, TIMEOUT_S + MORE_S + scale.slack)
    violations += monitor.growth(samples) if scale.flat else []
    violations += ["a traceback in the log"] if "Traceback" in log else []
    picture = monitor.draw(samples, where / "daemon.png")
    faults = ", ".join(f"{n} {name}" for name, n in sorted(report["faults"].items()))
    figures = [
        f"{report['requests']:,} requests, of which failed: {faults}",
        f"{tally.bytes / 1e9:.1f} GB compared",
        f"daemon, second half (least-median-most): {monitor.summary(samples)}",
        f"samples: {where / 'daemon.tsv'}" + (f", drawn in {where / 'daemon.png'}" if picture else ""),
    ]
    return Report(f"{scale.readers} readers under faults", time.monotonic() - begun, tally, violations, figures)


def disk_full(where: Path, seconds: float, seed: int, scale: Scale) -> Report:
    """The cache directory is a disk of 16 MiB, which somebody else fills up, empties, and fills up again."""
    begun, world = time.monotonic(), scale.world
    with small_disk(where / "cache"), place.server(world, seed=seed) as at:
        options = ("--timeout", f"{TIMEOUT_S:g}", "--memory", "16M", "--cache-size", "1G")
        kinds = mixed(8)[:-1]
        with (
            place.mount(where, at, *options) as mounted,
            place.readers(kinds, mounted, world, seed=seed, seconds=seconds, pause=scale.pause) as started,
        ):
            ballast, end = where / "cache" / "ballast", time.monotonic() + seconds
            while time.monotonic() < end:
                with ballast.open("ab", buffering=0) as file, contextlib.suppress(OSError):
                    file.write(bytes(1 << 20))
                time.sleep(0.1)
                if ballast.stat().st_size > 24 << 20 or time.monotonic() > end - seconds / 4:
                    os.truncate(ballast, 0)
            tally = place.together(started, end + 5 * (TIMEOUT_S + MORE_S + scale.slack))
            skipped = mounted.counters().get(DISK_SKIPPED, 0)
    violations = tally.judge(("ESTALE",), TIMEOUT_S + MORE_S + scale.slack)
    violations += [] if skipped else ["the disk was never full"]
    return Report("disk full", time.monotonic() - begun, tally, violations, [f"{skipped >> 20} MiB not cached"])


def bit_flips(where: Path, seconds: float, seed: int, scale: Scale) -> Report:
    """Files of the cache are damaged while they are read."""
    begun, world, dice = time.monotonic(), scale.world, random.Random(seed)
    ways: dict[str, int] = {}
    with place.server(world, seed=seed) as at:
        options = ("--timeout", f"{TIMEOUT_S:g}", "--memory", "12M", "--cache-size", "200M")
        kinds = ["random"] * 4 + ["sequential", "mapped", "whole"]
        with (
            place.mount(where, at, *options) as mounted,
            place.readers(kinds, mounted, world, seed=seed, seconds=seconds, pause=scale.pause) as started,
        ):
            end = time.monotonic() + seconds
            while time.monotonic() < end:
                way = damage(where / "cache" / "blocks", dice)
                ways[way] = ways.get(way, 0) + 1
                time.sleep(0.02)
            tally = place.together(started, end + 5 * (TIMEOUT_S + MORE_S + scale.slack))
            met = mounted.counters().get(DISK_DAMAGED, 0)
    violations = tally.judge((), TIMEOUT_S + MORE_S + scale.slack)
    violations += [] if met else ["no damaged block was met"]
    done = ", ".join(f"{n} {way}" for way, n in sorted(ways.items()) if way)
    return Report("bits that flip", time.monotonic() - begun, tally, violations, [f"{done}; met {met} damaged blocks"])


@contextlib.contextmanager
def small_disk(path: Path) -> Iterator[None]:
    """A disk of 16 MiB at `path`. Needs root."""
    path.mkdir(mode=0o700)
    options = ["-o", "size=16m,mode=0700", "mountnd-soak", str(path)]
    subprocess.run(["mount", "-t", "tmpfs", *options], check=True, timeout=20)
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(path)], check=True, timeout=20)
