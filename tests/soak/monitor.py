"""Descriptors, threads and resident memory of a daemon over time: a TSV, a picture of it, and whether they are flat."""

from __future__ import annotations

import contextlib
import os
import statistics
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

MIB = 1 << 20
# Growth from the second quarter of the time to the last that counts as none: a part, and as much in any case.
GROWTH, FEW_DESCRIPTORS, FEW_THREADS, LITTLE_MEMORY = 0.10, 16, 16, 32 * MIB


class Sample(NamedTuple):
    """Seconds since the start; numbers; bytes."""

    seconds: float
    descriptors: int
    threads: int
    resident: int


def look(pid: int, seconds: float) -> Sample | None:
    """None where the process has ended."""
    try:
        fields = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
        descriptors = len(os.listdir(f"/proc/{pid}/fd"))
        return Sample(seconds, descriptors, int(fields["Threads"]), int(fields["VmRSS"].split()[0]) << 10)
    except (OSError, KeyError):
        return None


@contextlib.contextmanager
def watched(pid: int, every: float, file: Path) -> Iterator[list[Sample]]:
    """Samples of a process, one each `every` seconds, written to `file` as they come."""
    samples: list[Sample] = []
    over, begun = threading.Event(), time.monotonic()

    def run() -> None:
        with file.open("w") as tsv:
            print(*Sample._fields, sep="\t", file=tsv)
            while not over.is_set():
                sample = look(pid, round(time.monotonic() - begun, 1))
                if sample is None:
                    return
                samples.append(sample)
                print(*sample, sep="\t", file=tsv, flush=True)
                over.wait(every)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield samples
    finally:
        over.set()
        thread.join()


def growth(samples: Sequence[Sample]) -> list[str]:
    """What grew, as sentences; nothing where all is flat. The first quarter is for warming up."""
    if len(samples) < 8:
        return [f"only {len(samples)} samples of the daemon"]
    quarter = len(samples) // 4
    found = []
    for name, little in (("descriptors", FEW_DESCRIPTORS), ("threads", FEW_THREADS), ("resident", LITTLE_MEMORY)):
        values = [getattr(sample, name) for sample in samples]
        early, late = statistics.median(values[quarter : 2 * quarter]), statistics.median(values[-quarter:])
        if late > early + max(little, GROWTH * early):
            found.append(f"the daemon's {name} grew from {early:.0f} to {late:.0f}")
    return found


def summary(samples: Sequence[Sample]) -> str:
    """Least, median and most of each, in the second half of the time."""
    half = samples[len(samples) // 2 :]
    parts = []
    for name, unit, scale in (("descriptors", "", 1), ("threads", "", 1), ("resident", " MiB", MIB)):
        values = [getattr(sample, name) / scale for sample in half]
        parts.append(f"{name} {min(values):.0f}-{statistics.median(values):.0f}-{max(values):.0f}{unit}")
    return ", ".join(parts)


def draw(samples: Sequence[Sample], file: Path) -> bool:
    """A picture of it, where matplotlib is installed."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        return False
    figure = Figure(figsize=(8, 6), layout="constrained")
    rows = figure.subplots(3, 1, sharex=True)
    seconds = [sample.seconds for sample in samples]
    for row, name, scale in zip(rows, ("descriptors", "threads", "resident"), (1, 1, MIB), strict=True):
        row.plot(seconds, [getattr(sample, name) / scale for sample in samples])
        row.set_ylabel(name if scale == 1 else f"{name} / MiB")
        row.set_ylim(bottom=0)
    rows[-1].set_xlabel("s")
    figure.savefig(file)
    return True
