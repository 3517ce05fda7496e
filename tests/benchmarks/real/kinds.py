"""The kinds of the rows R..., their goals, and how a run does: how long programs wait, beside the best peer.

What a row measures is the wait: the time that a program takes through a mount, less what it takes on a local copy in
the same run. Its ratio is our wait over the shortest of a peer's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import exp, log

from ..peers import BY_NAME, LOCAL, OURS
from ..report import Key, Record, fetched_mb, usable
from .jobs import JOBS, Job

# A wait is at least this many seconds.
LEAST_S = 0.01
# Without this family a row says nothing: it is the fastest peer in most of them.
NEEDED = "geesefs"
# All rows together: their geometric mean; and each must be ahead.
ALL_RATIO = 0.5


@dataclass(frozen=True)
class Kind:
    """Attributes: ratio: what the geometric mean of its rows' ratios may be at most."""

    what: str
    ratio: float


KINDS = {
    1: Kind("first volume of a large .nii.gz", 0.8),
    2: Kind("whole .nii.gz", 0.8),
    3: Kind("many small HDF5 and NWB files", 0.5),
    4: Kind("DICOM tree", 0.2),
    5: Kind("tar, cp, rsync, grep, md5sum of a BIDS data set", 0.3),
    6: Kind("one voxel, one slice through 600 volumes", 0.7),
    7: Kind("BIDSLayout, bids-validator", 0.5),
    8: Kind("HDF5 and zarr: one chunk, many", 0.6),
}


@dataclass(frozen=True, kw_only=True)
class Row:
    """One row's outcome.

    Attributes:
        local_record: of the local copy; empty when it did not run.
        ours: our record; None when we did not run.
        best: name of the judged peer with the shortest wait; "" when none ended.
        complete: whether the peer without which a row says nothing took part.
    """

    job: Job
    local_record: Record
    ours: Record | None
    best: str
    best_record: Record | None
    complete: bool

    @property
    def local(self) -> float | None:
        """Seconds on the local copy."""
        return self.local_record["wall"] if usable(self.local_record) else None

    def wait(self, record: Record | None) -> float | None:
        """Seconds over the local copy; None where that cannot be told."""
        if record is None or self.local is None or not usable(record):
            return None
        return max(float(record["wall"]) - self.local, LEAST_S)

    @property
    def lost_in_noise(self) -> bool:
        """Whether the local runs differ by more than the best peer's wait: then neither wait is known."""
        best = self.wait(self.best_record)
        return best is not None and max(self.local_record.get("wall_spread", 0), LEAST_S) > best

    @property
    def ratio(self) -> float | None:
        ours, best = self.wait(self.ours), self.wait(self.best_record)
        return ours / best if ours is not None and best is not None and not self.lost_in_noise else None

    @property
    def faults(self) -> list[str]:
        """Why it is missed, whatever its kind's goal says."""
        if self.ours is None or not usable(self.ours):
            return [f"{self.job.name} failed"]
        if self.local is None:
            return [f"{self.job.name} has no local run"]
        found = []
        if self.lost_in_noise:
            found.append(f"{self.job.name} lost in the noise of its local runs")
        if not self.complete:
            found.append(f"{self.job.name} without {NEEDED}")
        if self.job.mb is not None and fetched_mb(self.ours) > self.job.mb:
            found.append(f"{self.job.name} {fetched_mb(self.ours):.0f} > {self.job.mb:g} MB")
        return found

    @property
    def ahead(self) -> bool:
        """No faults, and not behind the best peer; where no peer ended, we did."""
        return not self.faults and (self.ratio or 0) <= 1


def rows(middle: Mapping[Key, Record]) -> list[Row]:
    """The rows R... that these medians tell of, cold."""
    found = []
    for job in JOBS:
        cold = {peer: record for (name, peer, phase), record in middle.items() if (name, phase) == (job.name, "cold")}
        if not cold:
            continue
        judged = {n: r for n, r in cold.items() if n in BY_NAME and BY_NAME[n].judged and usable(r)}
        best = min(judged, key=lambda name: float(judged[name]["wall"]), default="")
        found.append(
            Row(
                job=job,
                local_record=cold.get(LOCAL, {}),
                ours=cold.get(OURS),
                best=best,
                best_record=judged.get(best),
                complete=any(name in BY_NAME and BY_NAME[name].family == NEEDED for name in cold),
            )
        )
    return found


def geometric_mean(ratios: Iterable[float]) -> float | None:
    """None of none."""
    logs = [log(ratio) for ratio in ratios]
    return exp(sum(logs) / len(logs)) if logs else None


def mean_ratio(some: Iterable[Row]) -> float | None:
    """The geometric mean of the ratios, each row once."""
    return geometric_mean(row.ratio for row in some if row.ratio is not None)


def judge(middle: Mapping[Key, Record]) -> str:
    """Markdown: each kind's goal, and that of all rows together; "" without rows R..."""
    every = rows(middle)
    if not every:
        return ""
    out = ["| kind | rows | ratio of waits | goal | verdict |", "|---|---|--:|--:|---|"]
    for number, kind in KINDS.items():
        mine = [row for row in every if row.job.kind == number]
        if mine:
            names = ", ".join(f"{row.job.name.partition('-')[2]} {shown(row.ratio)}" for row in mine)
            out.append(f"| R{number} {kind.what} | {names} | {verdict(mine, kind.ratio)} |")
    ahead = [row for row in every if row.ahead]
    behind = ", ".join(row.job.name for row in every if not row.ahead)
    said = f"ahead on {len(ahead)} of {len(every)}" + (f"; not on {behind}" if behind else "")
    out.append(f"| all | {said} | {verdict(every, ALL_RATIO)} |")
    return "\n".join(out)


def verdict(some: Sequence[Row], goal: float) -> str:
    """The last three cells: the mean, the goal, and whether it holds."""
    mean = mean_ratio(some)
    faults = [fault for row in some for fault in row.faults]
    if mean is None and not faults:
        said = "not judged: every peer is absent"
    elif faults or (mean is not None and mean > goal):
        said = "**missed**" + (": " if faults else "") + ", ".join(faults)
    else:
        said = "held"
    return f"{shown(mean)} | {goal:g} x | {said}"


def shown(ratio: float | None) -> str:
    return "-" if ratio is None else f"{ratio:.2f}"
