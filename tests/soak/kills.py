"""kill -9 of the daemon at random moments: the remount is not refused, and what was fetched more than 2 s before the
kill is served without a request.

    python -m tests.soak.kills read MNT WORLD SEED      reads at random; prints `TIME KEY START STOP` of each read
    python -m tests.soak.kills check MNT WORLD          reads again what stdin names so, and prints its tally
"""

from __future__ import annotations

import contextlib
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tests.support.servers import ROOT

from . import place
from .checking import Mount
from .parts import MORE_S, TIMEOUT_S, Report, Scale
from .tally import AFTER_A_KILL, Tally
from .world import World

OLD_S = 2.0
READERS, RUNS_S = 3, (2.5, 6.0)
CHECK_S = 120.0


class Extent(NamedTuple):
    """What was read, and when that had come (monotonic seconds)."""

    at: float
    key: str
    start: int
    stop: int


def read(mnt: str, world: str, seed: str) -> None:
    """Read at random until the mount is gone."""
    mount, dice = Mount(mnt, World.from_json(world), Tally()), random.Random(int(seed))
    keys = [*mount.world.below("volumes"), *mount.world.below("small")]
    while not any(AFTER_A_KILL & outcomes.keys() for outcomes in mount.tally.counts.values()):
        key = dice.choice(keys)
        if file := mount.open(key, "read before the kill", os.O_DIRECT):
            for _ in range(4):
                size = min(mount.world.size(key), dice.choice((4096, 100_000, 300_000)))
                start = dice.randrange(mount.world.size(key) - size + 1)
                if file.read(start, size):
                    print(time.monotonic(), key, start, start + size, flush=True)
            with contextlib.suppress(OSError):
                file.close()
        time.sleep(0.02)
    print(mount.tally.to_json(), flush=True)


def check(mnt: str, world: str) -> None:
    """Read extents again."""
    mount = Mount(mnt, World.from_json(world), Tally())
    for line in sys.stdin:
        extent = parsed(line)
        if file := mount.open(extent.key, "read after the remount", os.O_DIRECT):
            file.read(extent.start, extent.stop - extent.start)
            file.close()
    print(mount.tally.to_json())


def parsed(line: str) -> Extent:
    at, key, start, stop = line.split()
    return Extent(float(at), key, int(start), int(stop))


def kill_nine(where: Path, times: int, seed: int, scale: Scale) -> Report:
    """`times` kills, each of them at a random moment of a mount that is read, and remounts on what is left."""
    begun, world, dice = time.monotonic(), scale.world, random.Random(seed)
    tally, violations, old, replaced = Tally(), list[str](), 0, 0
    with place.server(world, seed=seed) as at:
        options = ("--timeout", f"{TIMEOUT_S:g}", "--memory", "64M", "--cache-size", "2G")
        with place.mount(where, at, *options) as mounted:
            for turn in range(times):
                extents, told = _until_killed(mounted, world, seed * 100 + turn, dice.uniform(*RUNS_S))
                tally.merge(told)
                at.report()
                try:
                    replaced += "died" in mounted.start()
                except AssertionError as why:
                    violations.append(f"kill {turn + 1}: the remount was {why}")
                    break
                tally.merge(_checked(mounted, world, extents))
                asked = at.report()["gets"]
                old += len(extents)
                again = [e for e in extents if any(k == e.key and a < e.stop and e.start < b for k, a, b in asked)]
                if again:
                    text = (
                        f"kill {turn + 1}: {len(again)} of {len(extents)} old extents were fetched again, as {again[0]}"
                    )
                    violations.append(text)
    violations += tally.judge(AFTER_A_KILL, TIMEOUT_S + MORE_S + scale.slack)
    violations += [] if old else ["nothing was fetched more than 2 s before a kill"]
    figures = [f"{times} kills, {replaced} dead mounts replaced; {old} extents older than {OLD_S:g} s read again"]
    return Report("kill -9", time.monotonic() - begun, tally, violations, figures)


def _until_killed(mounted: place.Mounted, world: World, seed: int, seconds: float) -> tuple[list[Extent], Tally]:
    """Read for so long, kill the daemon; what was read more than `OLD_S` before that, and how the reading went."""
    with _reading(mounted, world, seed) as started:
        time.sleep(seconds)
        killed = time.monotonic()
        mounted.kill()
        extents, tally = list[Extent](), Tally()
        for process in started:
            try:
                out, err = process.communicate(timeout=TIMEOUT_S + MORE_S + 30)
            except subprocess.TimeoutExpired:
                tally.violations.append("a reader hangs after the kill")
                continue
            if process.returncode:
                tally.violations.append(f"a reader ended with {process.returncode}: {err[-300:]}")
                continue
            *lines, last = out.splitlines()
            tally.merge(Tally.from_json(last))
            extents += [extent for extent in map(parsed, lines) if extent.at < killed - OLD_S]
    return extents, tally


@contextlib.contextmanager
def _reading(mounted: place.Mounted, world: World, seed: int) -> Iterator[list[subprocess.Popen[str]]]:
    started: list[subprocess.Popen[str]] = []
    try:
        for n in range(READERS):
            argv = [sys.executable, "-m", "tests.soak.kills", "read", str(mounted.path), world.to_json()]
            pipe = subprocess.PIPE
            argv.append(str(seed * 10 + n))
            started.append(subprocess.Popen(argv, cwd=ROOT, text=True, stdout=pipe, stderr=pipe))
        yield started
    finally:
        for process in started:
            if process.poll() is None:
                process.kill()
                process.communicate(timeout=place.START_S)


def _checked(mounted: place.Mounted, world: World, extents: list[Extent]) -> Tally:
    lines = "".join(f"{e.at} {e.key} {e.start} {e.stop}\n" for e in extents)
    argv = [sys.executable, "-m", "tests.soak.kills", "check", str(mounted.path), world.to_json()]
    try:
        done = subprocess.run(argv, cwd=ROOT, text=True, input=lines, capture_output=True, timeout=CHECK_S, check=False)
    except subprocess.TimeoutExpired:
        return Tally(violations=["reading again after a remount hangs"])
    return Tally.from_json(done.stdout) if done.returncode == 0 else Tally(violations=[done.stderr[-300:]])


if __name__ == "__main__":
    {"read": read, "check": check}[sys.argv[1]](*sys.argv[2:])
