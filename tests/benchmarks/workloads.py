"""The work, each in a process of its own: `python -m tests.benchmarks.workloads NAME MNT SOURCE LIMIT` prints JSON.

A workload is a function of a `Work` and a mount point, registered by `@workload`. What it reads is compared with the
source files: wrong bytes are an error, not a time.
"""

from __future__ import annotations

import json
import mmap
import os
import random
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from ..support.threads import run_together
from .real import jobs
from .work import KIB, MIB, Late, Work, cat, pread, start

HEADER = 348  # bytes of a NIfTI-1 header
Function = Callable[["Work", Path], None]
ALL: dict[str, Function] = {}
WHAT: dict[str, str] = {}


def workload(name: str, what: str) -> Callable[[Function], Function]:
    def register(function: Function) -> Function:
        ALL[name], WHAT[name] = function, what
        return function

    return register


@workload("W1-cat256", "`cat` of one 256 MiB file")
def w1(w: Work, mnt: Path) -> None:
    w.total = 1
    cat(w, mnt, "big/bold_00.nii")


@workload("W2-cat4x256", "four 256 MiB files at once, a thread each")
def w2(w: Work, mnt: Path) -> None:
    w.total = 4
    run_together([lambda i=i: cat(w, mnt, f"big/bold_{i:02d}.nii") for i in range(1, 5)], None)  # type: ignore[misc]


@workload("W3-hdr200", "348-byte headers of 200 small images in 200 directories, one after the other")
def w3(w: Work, mnt: Path) -> None:
    w.total = 200
    for s in range(200):
        start(w, mnt, f"sub-{s:03d}/ses-0/anat/sub-{s:03d}_ses-0_T1w.nii", HEADER)


@workload("W3b-hdrbig", "348-byte headers of 61 large files (10 of 256 MiB, 50 of 10 MiB, one of 2 GiB)")
def w3b(w: Work, mnt: Path) -> None:
    keys = (
        [f"big/bold_{i:02d}.nii" for i in range(10)] + [f"gz/img_{i:02d}.nii.gz" for i in range(50)] + ["big/huge.nii"]
    )
    w.total = len(keys)
    for key in keys:
        start(w, mnt, key, HEADER)


def scattered(w: Work, mnt: Path, threads: int, seed: int) -> None:
    key, n = "big/huge.nii", 64 * KIB
    size = (w.source / key).stat().st_size
    rng = random.Random(seed)
    offsets = [rng.randrange(size - n) for _ in range(200)]
    w.total = len(offsets)

    def job(mine: Sequence[int]) -> None:
        fd = os.open(mnt / key, os.O_RDONLY)
        try:
            for offset in mine:
                pread(w, fd, key, offset, n)
        finally:
            os.close(fd)

    run_together([lambda i=i: job(offsets[i::threads]) for i in range(threads)], None)  # type: ignore[misc]


@workload("W4-rand1", "200 random reads of 64 KiB in a 2 GiB file, one thread")
def w4_one(w: Work, mnt: Path) -> None:
    scattered(w, mnt, 1, 41)


@workload("W4-rand8", "200 random reads of 64 KiB in a 2 GiB file, eight threads")
def w4_eight(w: Work, mnt: Path) -> None:
    scattered(w, mnt, 8, 42)


def walk(w: Work, argv: Sequence[str], counted: Callable[[bytes], int]) -> None:
    w.total = sum(len(files) for _, _, files in os.walk(w.source))
    w.begun = time.perf_counter()
    try:
        out = subprocess.run(argv, capture_output=True, timeout=w.limit, check=False)
    except subprocess.TimeoutExpired:
        raise Late from None
    w.done = counted(out.stdout)
    if w.done != w.total:
        raise AssertionError(f"{w.done} of {w.total} files {out.stderr[:100]!r}")


@workload("W5-find", "`find -type f` over 2,000 directories with 5,000 files")
def w5_find(w: Work, mnt: Path) -> None:
    walk(w, ["find", str(mnt), "-type", "f"], lambda out: out.count(b"\n"))


@workload("W5-lsR", "`ls -lR` over the same")
def w5_ls(w: Work, mnt: Path) -> None:
    walk(w, ["ls", "-lR", str(mnt)], lambda out: sum(row.startswith(b"-") for row in out.splitlines()))


@workload("W6-slice", "64 KiB of every MiB through a 256 MiB file: one slice of each volume")
def w6(w: Work, mnt: Path) -> None:
    key, n = "big/bold_05.nii", 64 * KIB
    offsets = range(352 + (300 << 10), (w.source / key).stat().st_size - n, MIB)
    w.total = len(offsets)
    fd = os.open(mnt / key, os.O_RDONLY)
    try:
        for offset in offsets:
            pread(w, fd, key, offset, n)
    finally:
        os.close(fd)


def slices_mapped(w: Work, mnt: Path, read_ahead_kb: int | None) -> None:
    """As W6, by page faults: what is asked of the mount is what the kernel reads ahead around each."""
    if read_ahead_kb is not None:
        device = os.stat(mnt).st_dev
        knob = Path(f"/sys/class/bdi/{os.major(device)}:{os.minor(device)}/read_ahead_kb")
        knob.write_text(str(read_ahead_kb))
    key, n = "big/bold_05.nii", 64 * KIB
    offsets = range(352 + (300 << 10), (w.source / key).stat().st_size - n, MIB)
    w.total = len(offsets)
    w.begun = time.perf_counter()
    with (mnt / key).open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        for offset in offsets:
            begun = time.perf_counter()
            data = mapped[offset : offset + n]
            w.tick(n, time.perf_counter() - begun)
            w.same(key, offset, data)
            w.due()


@workload("W6m-slice", "the same by mmap, at the mount's own read_ahead_kb")
def w6m(w: Work, mnt: Path) -> None:
    slices_mapped(w, mnt, None)


@workload("W6m-slice-128", "the same by mmap at read_ahead_kb 128, the kernel's default and an ordinary user's")
def w6m_128(w: Work, mnt: Path) -> None:
    slices_mapped(w, mnt, 128)


@workload("W6m-slice-1024", "the same by mmap at read_ahead_kb 1024")
def w6m_1024(w: Work, mnt: Path) -> None:
    slices_mapped(w, mnt, 1024)


@workload("W8-gz20", "twenty .nii.gz of 10 MiB whole, one after the other")
def w8(w: Work, mnt: Path) -> None:
    w.total = 20
    for i in range(20):
        cat(w, mnt, f"gz/img_{i:02d}.nii.gz")


@workload("W9-small400", "400 small .json whole, eight threads")
def w9(w: Work, mnt: Path) -> None:
    keys = [
        f"sub-{s:03d}/ses-{e}/func/sub-{s:03d}_ses-{e}_task-rest_bold.json" for s in range(67, 200) for e in range(3)
    ]
    keys = keys[:400]
    w.total = len(keys)

    def job(mine: Sequence[str]) -> None:
        for key in mine:
            start(w, mnt, key)

    run_together([lambda i=i: job(keys[i::8]) for i in range(8)], None)  # type: ignore[misc]


for job in jobs.JOBS:
    workload(job.name, job.what)(lambda w, mnt, job=job: jobs.run(w, mnt, job))  # type: ignore[misc]


def matching(words: str) -> list[str]:
    """The workloads of a list with commas: names, or the beginnings of names: "W1-cat256", "W5", "R". [] for none."""
    names: list[str] = []
    for word in words.split(","):
        names += [word] if word in ALL else [name for name in ALL if name.startswith(word)]
    return list(dict.fromkeys(names))


def main(name: str, mnt: str, source: str, limit: str) -> None:
    w = Work(Path(source), float(limit))
    record: dict[str, object] = {}
    try:
        ALL[name](w, Path(mnt))
    except Late:
        record["late"] = True
    except BaseException as error:
        record["error"] = repr(error)[:200]
    record["wall"] = (w.ended or time.perf_counter()) - w.begun
    usage = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    record |= {"bytes": w.bytes, "done": w.done, "total": w.total}
    record["app_cpu"] = sum(u.ru_utime + u.ru_stime for u in usage)
    if w.seconds:
        ordered = sorted(w.seconds)
        record |= {"p50": ordered[len(ordered) // 2], "p99": ordered[int(len(ordered) * 0.99)], "max": ordered[-1]}
    print(json.dumps(record), flush=True)
    os._exit(0)  # threads may still sit in a read of a mount that hangs


if __name__ == "__main__":
    main(*sys.argv[1:])
