"""Compressed images read through `--view nii`, beside the same files as they are stored, and beside a local ratarmount.

    python -m tests.benchmarks views

Each row is read by nibabel in a process of its own, whose imports do not count, of a mount of its own whose cache is
empty, in turns. "warm" has the seek points and sizes of a mount before, and no bytes. Whole files also by `cat` and
`gzip -dc`. Medians, and the CPU seconds of mount and reader together.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

from .data import indexed, nifti_header
from .mount import MOUNT_LIMIT_S, Mount, mounted
from .peers import Peer
from .place import DATA, REPOSITORY, RESULTS, WORK, program
from .processes import cpu_seconds, tree
from .run import alone
from .world import World

Record = dict[str, Any]
PLACE = WORK / "views"
LIMIT_S = 300
SUBJECTS = 40
SHAPE, VOLUMES = (96, 96, 60), 320  # 354 MB of int16, some 180 MB compressed
BOLD = "bold.nii.gz"
# What nibabel does; `path(name)` gives where it lies.
JOBS = {
    "volume": ("a volume near the end", "load(path('bold')).dataobj[..., -5]"),
    "series": ("one voxel's time series", "load(path('bold')).dataobj[48, 48, 30, :]"),
    "slices": (f"a slice of {SUBJECTS} subjects", "[load(path(f'sub-{n:02d}')).dataobj[:, :, 90] for n in range(40)]"),
    "whole": ("all of it", "asarray(load(path('bold')).dataobj).max()"),
}  # fmt: skip
# Those of ratarmount: a cold one has made its index while it was mounted, which stands beside the seconds.
SETTINGS = ("view, cold", "view, warm", ".nii.gz", "ratarmount, cold", "ratarmount, warm")
GOALS = (
    ("volume", "view, warm", ".nii.gz", 0.1),
    ("whole", "view, cold", ".nii.gz", 1.2),
    ("stream", "view, cold", ".nii.gz", 1.2),
)
_MOUNTND = (
    f"{sys.executable} -P -m mountnd s3://{{bucket}} {{mnt}} --endpoint-url {{url}} --anonymous -f "
    "--cache-dir {cache}"
)
_JOB = """
import sys, time
from nibabel import load
from numpy import asarray
path = lambda name: sys.argv[1].replace("NAME", name)
begun = time.perf_counter()
got = %s
print(time.perf_counter() - begun)
"""


def make(root: Path = DATA) -> None:
    """Make the bucket `views` below `root`; does nothing when it is there."""
    import numpy as np

    index, base = root / "views.index", root / "views"
    if index.exists():
        return
    base.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(15)
    x, y, z = np.ogrid[: SHAPE[0], : SHAPE[1], : SHAPE[2]]
    inside = (x - 48) ** 2 / 40**2 + (y - 48) ** 2 / 44**2 + (z - 30) ** 2 / 27**2 < 1
    brain = (inside * (700 + 200 * np.sin(x / 7) * np.cos(y / 9))).astype(np.int16)
    with subprocess_gzip(base / BOLD) as out:
        out.write(nifti_header((*SHAPE, VOLUMES)))
        for _ in range(VOLUMES):
            noise = rng.normal(0, 12, SHAPE).astype(np.int16)
            out.write((brain + noise * inside + (noise >> 2)).tobytes(order="F"))
    shape = (192, 192, 160)
    one = rng.normal(0, 9, shape).astype(np.int16)
    one[:, :, :40] = 0
    for n in range(SUBJECTS):
        with subprocess_gzip(base / f"sub-{n:02d}.nii.gz") as out:
            out.write(nifti_header(shape) + np.roll(one, n, 0).tobytes(order="F"))
    index.write_text(indexed(base))


@contextmanager
def subprocess_gzip(path: Path) -> Iterator[Any]:
    """A pipe into `gzip -6`, as scanners' converters compress (pigz)."""
    with path.open("wb") as file:
        process = subprocess.Popen(["gzip", "-6"], stdin=subprocess.PIPE, stdout=file)
        assert process.stdin is not None
        try:
            yield process.stdin
        finally:
            process.stdin.close()
            process.wait()


def run(rtt: float | None, port: int, *, runs: int, only: str = "") -> None:
    """Measure, print a table, and keep it and the records in `results/`."""
    rows = [row for row in (*JOBS, "stream") if row.startswith(only)]
    settings = [one for one in SETTINGS if not one.startswith("rat") or shutil.which(program("ratarmount"))]
    shutil.rmtree(PLACE, ignore_errors=True)
    records = []
    with World(rtt=rtt, port=port) as world:
        learn(world)
        for number in range(runs):
            for row in rows:
                turn = number % len(settings)
                for setting in [*settings[turn:], *settings[:turn]]:
                    if row != "stream" or setting in ("view, cold", "view, warm", ".nii.gz"):
                        records.append(one(world, row, setting, number))
                        print(json.dumps(records[-1]), flush=True)
    (RESULTS / "views.json").write_text(json.dumps(records, indent=1))
    shown = table(records)
    (RESULTS / "views.md").write_text(shown + "\n")
    print(f"\n{shown}")


def learn(world: World) -> None:
    """Leave what a warm mount has: sizes and seek points, by a mount that reads everything."""
    with view_of(world, PLACE / "learnt", "--view nii") as mnt:
        for path in sorted(mnt.iterdir()):
            subprocess.run(["cat", path], stdout=subprocess.DEVNULL, timeout=LIMIT_S, check=True)
    shutil.rmtree(PLACE / "learnt/cache/blocks")


@contextmanager
def view_of(world: World, place: Path, options: str) -> Iterator[Path]:
    """A mount of the bucket, with its cache in `place`."""
    peer = Peer(name="ours", command=f"{_MOUNTND} {options}")
    mount = Mount(peer, world, "views", place / "mnt", place / "cache", PLACE / "log")
    try:
        (PLACE / "pid").write_text(str(mount.process.pid))
        yield place / "mnt"
    finally:
        mount.close()


@contextmanager
def ratarmount(place: Path, *, warm: bool) -> Iterator[tuple[Path, float]]:
    """The local copy below ratarmount, and the seconds until it was mounted: it makes its indexes before."""
    mnt, index = place / "mnt", place / "index"
    mnt.mkdir(parents=True, exist_ok=True)
    local = place / "local"
    local.mkdir(exist_ok=True)
    for path in (DATA / "views").glob("*.gz"):
        if not (local / path.name).exists():
            os.link(path, local / path.name) if path.stat().st_dev == local.stat().st_dev else shutil.copy(path, local)
    if not warm:
        shutil.rmtree(index, ignore_errors=True)
    index.mkdir(exist_ok=True)
    argv = [program("ratarmount"), "-f", "-r", "--index-folders", str(index), str(local), str(mnt)]
    begun = time.perf_counter()
    with (PLACE / "log").open("ab") as log:
        process = subprocess.Popen(argv, stdout=log, stderr=log)
    try:
        while not mounted(mnt) and process.poll() is None and time.perf_counter() - begun < 4 * MOUNT_LIMIT_S:
            time.sleep(0.01)
        (PLACE / "pid").write_text(str(process.pid))
        yield mnt, time.perf_counter() - begun
    finally:
        subprocess.run(["fusermount3", "-u", str(mnt)], check=False, capture_output=True)
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def one(world: World, row: str, setting: str, number: int) -> Record:
    """One row of one setting."""
    place = PLACE / "place"
    with alone():
        if setting.startswith("ratarmount"):
            with ratarmount(PLACE / "ratarmount", warm=setting.endswith("warm")) as (mnt, mounting):
                told = read(world, row, f"{mnt}/NAME.nii.gz/NAME.nii", local=True)
                return {"row": row, "setting": setting, "run": number, "mounting": round(mounting, 2), **told}
        shutil.rmtree(place, ignore_errors=True)
        if setting == "view, warm":
            shutil.copytree(PLACE / "learnt/cache", place / "cache")
        view = setting.startswith("view")
        with view_of(world, place, "--view nii" if view else "") as mnt:
            return {
                "row": row,
                "setting": setting,
                "run": number,
                **read(world, row, f"{mnt}/NAME{'.nii' if view else '.nii.gz'}"),
            }


def read(world: World, row: str, where: str, *, local: bool = False) -> Record:
    """Seconds, CPU seconds, and what came from the server."""
    pid = int((PLACE / "pid").read_text())
    before = cpu_seconds(tree(pid))
    if not local:
        world.mark()
    if row == "stream":
        argv = [*(["gzip", "-dc"] if where.endswith(".gz") else ["cat"]), where.replace("NAME", "bold")]
    else:
        argv = [sys.executable, "-c", _JOB % JOBS[row][1], where]
    begun, used = time.perf_counter(), os.times()
    output = subprocess.DEVNULL if row == "stream" else subprocess.PIPE
    done = subprocess.run(argv, stdout=output, stderr=subprocess.PIPE, cwd=REPOSITORY, timeout=LIMIT_S, check=False)
    if done.returncode:
        return {"error": done.stderr.decode()[-200:]}
    took = time.perf_counter() - begun if row == "stream" else float(done.stdout)
    now = os.times()
    cpu = cpu_seconds(tree(pid)) - before + now.children_user + now.children_system
    cpu -= used.children_user + used.children_system
    counted = {} if local else world.since()
    return {
        "seconds": round(took, 3), "cpu": round(cpu, 2),
        "mb": round(counted.get("sent", 0) / 1e6, 1), "req": counted.get("req", 0),
    }  # fmt: skip


def table(records: list[Record]) -> str:
    """Medians of each row and setting, and the goals: Markdown."""
    about = {**{row: what for row, (what, _) in JOBS.items()}, "stream": "all of it, `cat` and `gzip -dc`"}
    lines = [f"| | {' | '.join(SETTINGS)} |", "|---" + "|--:" * len(SETTINGS) + "|"]
    for row, what in about.items():
        cells = []
        for setting in SETTINGS:
            of = [r for r in records if (r["row"], r["setting"]) == (row, setting) and "seconds" in r]
            mounting = f" (mounting {median(r['mounting'] for r in of):.1f} s)" if of and "mounting" in of[0] else ""
            cells.append(f"{median(r['seconds'] for r in of):.2f} s, {median(r['mb'] for r in of):.0f} MB, "
                         f"CPU {median(r['cpu'] for r in of):.1f}{mounting}" if of else "-")  # fmt: skip
        lines.append(f"| {what} | {' | '.join(cells)} |")
    for row, ours, other, goal in GOALS:
        a, b = (
            [r["seconds"] for r in records if (r["row"], r["setting"]) == (row, one) and "seconds" in r]
            for one in (ours, other)
        )
        if a and b:
            ratio = median(a) / median(b)
            lines.append(
                f"{row}: {ours} takes {ratio:.2f} of {other}; goal {goal}: {'held' if ratio <= goal else 'missed'}"
            )
    lines += [f"failed: {record}" for record in records if "error" in record]
    return "\n".join(lines)
