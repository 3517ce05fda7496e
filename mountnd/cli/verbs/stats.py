"""`mountnd stats [DIR]`: what programs read through a mount, and what it fetched for that."""

from __future__ import annotations

import time
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from ...daemon import control
from ...report.figures import figures, rows, size
from .. import running, streams, tables
from ..flags import MountArgument, json_option

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
    while True:
        if watch and not as_json:
            click.clear()
        indent = None if watch else 2
        if directory is None:
            _all(as_json, indent)
        else:
            _one(running.mount_of(directory), as_json, indent)
        if not watch:
            return
        time.sleep(WATCH_S)


def _all(as_json: bool, indent: int | None) -> None:
    found = running.running()
    if as_json:
        streams.show_json([mount.as_json() for mount in found], indent=indent)
    else:
        running.show(found)


def _one(mountpoint: Path, as_json: bool, indent: int | None) -> None:
    answer = control.request(mountpoint, "stats")
    if as_json:
        streams.show_json({"mountpoint": str(mountpoint), **answer}, indent=indent)
        return
    _table(answer)
    _failures(answer.get("failures") or {})


def _failures(failures: dict[str, Any]) -> None:
    if not failures.get("count"):
        return
    reasons = ", ".join(f"{count} {reason}" for reason, count in failures["by_reason"].items())
    streams.show(f"Failures: {reasons}")
    if last := failures.get("last"):
        at = datetime.fromtimestamp(last["at"]).astimezone().strftime("%H:%M:%S")
        request = f" [request {last['request_id']}]" if last["request_id"] else ""
        streams.show(f"The last, at {at}: {last['path']}: {last['message']}{request}")


def _table(answer: dict[str, Any]) -> None:
    sources = answer["sources"]
    columns = {"all": answer["total"], **sources} if len(sources) > 1 else {"": answer["total"]}
    shown = [rows(figures(counters)) for counters in columns.values()]
    table = [[line[0][0], *(cell for _, cell in line)] for line in zip(*shown, strict=True)]
    tables.show(["", *columns], table)
    memory = answer["memory"]
    parts = f"{size(memory['blocks'])} for blocks, {size(memory['names'])} for the names of each source"
    streams.show(f"Memory: {parts}; {memory['origin']} is {size(memory['bytes'])}")
