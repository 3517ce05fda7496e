"""`mountnd stats [DIR]`: what programs read through a mount, and what it fetched for that."""

from __future__ import annotations

import time
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import click

from ...daemon import control, rundir
from ...report.figures import Figures, between, duration, figures, lines, minute, size
from .. import running, streams, tables
from ..flags import MountArgument, json_option
from ..tables import Cell

WATCH_S = 1.0


@click.command()
@click.argument("directory", metavar="[DIR]", type=MountArgument(), required=False)
@json_option("All counters, and failures.")
@click.option("--watch", is_flag=True, help="Again every second, until Ctrl-C or the mount ends.")
def stats(directory: Path | None, as_json: bool, watch: bool) -> None:
    """Show what was read through the mount that DIR is or lies inside, what was fetched for that, and what failed.

    Without DIR: all of your mounts, as `mountnd ls` lists them. Counted since it was mounted.
    What the kernel serves from its own cache never reaches the mount and is not
    counted.
    """
    mountpoint = running.mount_of(directory) if directory is not None else None
    before: Moment | None = None
    while True:
        if mountpoint is None:
            _all(as_json, watch)
        else:
            before = _one(mountpoint, as_json, watch, before)
        if not watch:
            return
        time.sleep(WATCH_S)


def _all(as_json: bool, watch: bool) -> None:
    found = running.running()
    if as_json:
        streams.show_json([mount.as_json() for mount in found], indent=None if watch else 2)
        return
    if watch:
        click.clear()
    running.show(found)


class Moment(NamedTuple):
    """What a mount had done at a time, in monotonic seconds."""

    time: float
    figures: Figures


def _one(mountpoint: Path, as_json: bool, watch: bool, before: Moment | None) -> Moment:
    answer = control.request(mountpoint, "stats")
    now = Moment(time.monotonic(), figures(answer["total"]))
    if as_json:
        streams.show_json({"mountpoint": str(mountpoint), **answer}, indent=None if watch else 2)
        return now
    if watch:
        click.clear()
    _table(answer, mountpoint, now, before)
    _failures(answer.get("failures") or {})
    return now


def _failures(failures: dict[str, Any]) -> None:
    if not failures.get("count"):
        return
    reasons = ", ".join(f"{count} {reason}" for reason, count in failures["by_reason"].items())
    streams.show("")
    streams.show(f"Failures: {reasons}", style="bad")
    if last := failures.get("last"):
        at = datetime.fromtimestamp(last["at"]).astimezone().strftime("%H:%M:%S")
        request = f" [request {last['request_id']}]" if last["request_id"] else ""
        streams.show(f"The last, at {at}: {last['path']}: {last['message']}{request}")


def _table(answer: dict[str, Any], mountpoint: Path, now: Moment, before: Moment | None) -> None:
    """All figures since it was mounted, and by the second: on average since then, or since the moment `before`."""
    record = rundir.find(mountpoint)
    seconds = time.time() - record.since if record else 0.0
    if record:
        shown = ", ".join(url for _, url in record.sources)
        rate = "on average since then" if before is None else "in the last second"
        streams.show(
            f"{mountpoint} shows {shown}, since {minute(record.since)} ({duration(seconds)}); per second: {rate}", ""
        )
    sources = answer["sources"]
    columns = {"all": answer["total"], **sources} if len(sources) > 1 else {"since then": answer["total"]}
    parts = [lines(figures(counters)) for counters in columns.values()]
    if before is None:
        rated, span = parts[0], seconds
    else:
        rated, span = lines(between(before.figures, now.figures)), now.time - before.time
    rows: list[tables.Row] = [
        [label.label, *(Cell(part[at].text, "bad" if part[at].is_bad else "") for part in parts), rated[at].rate(span)]
        for at, label in enumerate(parts[0])
    ]
    tables.show(["", *columns, "per second"], rows, right=range(1, len(columns) + 2))
    memory = answer["memory"]
    streams.show("")
    held = f"{size(memory['blocks'])} for blocks, {size(memory['names'])} for the names of each source"
    tables.details(
        [
            ("memory", f"{held}; {memory['origin']} is {size(memory['bytes'])}"),
            ("metrics", answer.get("metrics") or ""),
        ]
    )
