"""The mounts of this user that run, or were left behind: what `mountnd ls` shows, and what verbs take for a mount."""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from .. import stats
from ..daemon import control, mounts, rundir
from ..errors import MountError
from ..report.figures import minute, size
from . import streams, tables

# A daemon in good health answers in milliseconds; `ls` must not keep anybody waiting for one that is not.
_ANSWER_S = 3.0
_AT_ONCE = 8

_HEAD = ["Mountpoint", "Source", "Since", "Read", "Fetched", "State"]

# State -> what it means, and where something is to be done the command for it, for all but "ok".
_ADVICE = {
    "starting": ("it is just being mounted", ""),
    "ending": ("it is unmounted here, and its daemon (pid {pid}) has not ended yet", ""),
    "stopped": ("its daemon is stopped; to let it go on", "kill -CONT {pid}"),
    "silent": ("its daemon does not answer; to end it", "mountnd umount --lazy {where}"),
    "dead": ("its daemon is gone and left the mount behind; to remove it", "mountnd umount {where}"),
}
# States that pass.
_PASSING = ("starting", "ending")


class RunningMount(NamedTuple):
    """One mount.

    Attributes:
        state: "ok", or a word of `_ADVICE`.
        record: what its daemon wrote, None where that is gone.
        source: what the kernel shows as mounted, where there is no record.
        counters: what its daemon counts (`assembly.Mount.counters`); empty where it did not answer.
    """

    mountpoint: Path
    state: str
    record: rundir.Record | None
    source: str
    counters: dict[str, Any]

    def as_json(self) -> dict[str, Any]:
        """The keys of `mountnd ls --json`; they stand in help/commands.md."""
        record, total = self.record, self.counters.get("total", {})
        answered = bool(self.counters)
        return {
            "mountpoint": str(self.mountpoint),
            "state": self.state,
            "sources": [{"name": name, "url": url} for name, url in record.sources]
            if record
            else [{"name": None, "url": self.source}],
            "since": _iso(record.since) if record else None,
            "pid": record.pid if record else None,
            "log": record.log or None if record else None,
            "bytes_read": total.get(stats.BYTES_ASKED, 0) if answered else None,
            "bytes_fetched": total.get(stats.BYTES_FETCHED, 0) if answered else None,
            "failures": self.counters.get("failures", {}).get("count", 0) if answered else None,
        }


def running() -> list[RunningMount]:
    """All mounts of this user, in the order of their mountpoints. Looks into none of them: one might hang."""
    uid = os.getuid()
    here = {m.path: m for m in mounts.mounts() if m.fstype == mounts.FSTYPE and m.user_id in (None, uid)}
    records: dict[Path, rundir.Record] = {}
    for record in sorted(rundir.records(), key=lambda r: (r.alive(), r.since)):
        records[Path(record.mountpoint)] = record
    paths = sorted({*here, *(path for path, record in records.items() if record.alive())})
    if not paths:
        return []
    with ThreadPoolExecutor(min(len(paths), _AT_ONCE)) as pool:
        return list(pool.map(lambda path: _look_at(path, here.get(path), records.get(path)), paths))


def _look_at(path: Path, mounted: mounts.Mount | None, record: rundir.Record | None) -> RunningMount:
    state, counters = "ok", dict[str, Any]()
    if record is None or not record.alive():
        state = "dead"
    elif mounted is None:
        state = "ending" if record.device else "starting"
    elif mounts.is_stopped(record.pid):
        state = "stopped"
    else:
        try:
            counters = control.request(path, "stats", seconds=_ANSWER_S)
        except MountError:
            state = "silent"
    return RunningMount(path, state, record, mounted.source if mounted else "", counters)


def show(found: Sequence[RunningMount]) -> None:
    """The mounts as a table, or some lines each where that is too wide (a path must not be broken, to be copied); and
    what to do about those that are not well."""
    if not found:
        streams.show("Nothing is mounted. To mount something: mountnd openneuro DIR (`mountnd presets` lists names)")
        return
    rows = [_row(mount) for mount in found]
    if tables.fits(_HEAD, rows):
        tables.show(
            _HEAD,
            [[*row[:-1], tables.Cell(row[-1], _style(mount))] for row, mount in zip(rows, found, strict=True)],
            right={3, 4},
        )
    else:
        for (where, source, since, read, fetched, state), mount in zip(rows, found, strict=True):
            streams.show(f"{where}: {state}", style=_style(mount))
            streams.show(f"    {source}", f"    since {since}, {read} read, {fetched} fetched")
    for mount in found:
        if mount.state in _ADVICE:
            pid, where = mount.record.pid if mount.record else 0, shlex.quote(str(mount.mountpoint))
            what, typed = (text.format(pid=pid, where=where) for text in _ADVICE[mount.state])
            tables.remedy(f"{mount.mountpoint}: {what}", typed)


def _style(mount: RunningMount) -> str:
    """How its state stands out."""
    if mount.state == "ok":
        return "warn" if mount.as_json()["failures"] else "ok"
    return "warn" if mount.state in _PASSING else "bad"


def _row(mount: RunningMount) -> list[str]:
    told, record = mount.as_json(), mount.record
    sources = ", ".join(url for _, url in record.sources) if record else mount.source
    since = minute(record.since) if record else "?"
    amounts = ["?" if told[key] is None else size(told[key]) for key in ("bytes_read", "bytes_fetched")]
    failed = told["failures"]
    return [str(mount.mountpoint), sources, since, *amounts, mount.state + (f", {failed} failures" if failed else "")]


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds).astimezone().isoformat(timespec="seconds")


class Place(NamedTuple):
    """A path in a mount: `path` is resolved, `below` is it from the mountpoint on, "" for the mountpoint itself."""

    path: Path
    mountpoint: Path
    below: str


def inside(path: Path) -> Place:
    """Where in which mount a path is. Raises MountError where it is in none."""
    path = mounts.resolve(path)
    top = mounts.top_of(path)
    mounted = mounts.mount_at(top)
    if mounted is None or mounted.fstype != mounts.FSTYPE:
        raise MountError(f"{path} is not inside a mountnd mount (mountnd ls lists yours)")
    return Place(path, top, os.fspath(path.relative_to(top)) if path != top else "")


def mount_of(path: Path) -> Path:
    """The mountpoint of the mount that `path` is, or lies inside; `path` itself (resolved) where that is none."""
    return mounts.top_of(mounts.resolve(path))
