"""`mountnd stats DIR`: what programs read through a mount, and what it fetched for that."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import click

from ...daemon import control, mounts
from ...report.figures import figures, rows, size
from .. import streams, tables
from ..flags import PathArgument

WATCH_S = 1.0


@click.command()
@click.argument("directory", metavar="DIR", type=PathArgument())
@click.option("--json", "as_json", is_flag=True, help="All counters, as JSON.")
@click.option("--watch", is_flag=True, help="Again every second, until Ctrl-C or the mount ends.")
def stats(directory: Path, as_json: bool, watch: bool) -> None:
    """Show what was read through the mount at DIR, where it was served from, and what was fetched.

    Counted since it was mounted. What the kernel serves from its own cache never reaches the mount and is not
    counted.
    """
    mountpoint = mounts.top_of(mounts.resolve(directory))
    while True:
        answer = control.request(mountpoint, "stats")
        if as_json:
            streams.show_json(answer, indent=None if watch else 2)
        else:
            if watch:
                click.clear()
            _table(answer)
        if not watch:
            return
        time.sleep(WATCH_S)


def _table(answer: dict[str, Any]) -> None:
    sources = answer["sources"]
    columns = {"all": answer["total"], **sources} if len(sources) > 1 else {"": answer["total"]}
    shown = [rows(figures(counters)) for counters in columns.values()]
    table = [[line[0][0], *(cell for _, cell in line)] for line in zip(*shown, strict=True)]
    tables.show(["", *columns], table)
    memory = answer["memory"]
    parts = f"{size(memory['blocks'])} for blocks, {size(memory['names'])} for the names of each source"
    streams.show(f"Memory: {parts}; {memory['origin']} is {size(memory['bytes'])}")
