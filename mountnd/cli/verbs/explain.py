"""`mountnd explain PATH...`: what a mount knows of a path, what of it is cached, and what a read would do now."""

from __future__ import annotations

import os
import shlex
import time
from pathlib import Path
from typing import Any

import click

from ...daemon import control
from ...errors import MountError
from ...report.explanation import lines
from .. import running, streams, tables
from ..flags import PathArgument, json_option

# A look-up is waited for as long as the mount's own time-out lets it take, which is at most a day.
_ASK_S = 86_400.0


@click.command()
@click.argument("paths", metavar="PATH...", type=PathArgument(), nargs=-1, required=True)
@click.option("--ask", is_flag=True, help="Look up first what is not known yet, as `stat PATH` does.")
@json_option("One object a path, a line each.")
def explain(paths: tuple[Path, ...], ask: bool, as_json: bool) -> None:
    """Say what is behind PATH in a mount, and what reading it would do now.

    Its key and version in the source, since when its name is known, how much of it is cached, how the programs that
    have it open read it, what failed last, and whether the next read comes from memory, disk or the source.

    Nothing is asked or fetched for that, and nothing changes. What the kernel has cached of a file it gives to programs
    without asking the mount, which does not know of it.
    """
    failed = False
    for at, path in enumerate(paths):
        try:
            told = _told(path, ask)
        except MountError as e:
            if len(paths) == 1:
                raise
            streams.say(f"mountnd: {e}")
            failed = True
            continue
        if as_json:
            streams.show_json(told)
        else:
            _show(told, first=not at)
    if failed:
        raise click.exceptions.Exit(1)


def _told(path: Path, ask: bool) -> dict[str, Any]:
    """What the mount says of a path, and where that is."""
    place = running.inside(path)
    told = control.request(place.mountpoint, "explain", path=place.below)
    if ask and told["kind"] != "refused" and not (told["names"] or {"believed": True})["believed"]:
        with streams.waiting(f"{place.path}: being looked up"):
            told = control.request(place.mountpoint, "explain", path=place.below, ask=True, seconds=_ASK_S)
    return {"path": os.fspath(place.path), "mountpoint": os.fspath(place.mountpoint), **told}


def _show(told: dict[str, Any], *, first: bool) -> None:
    if not first:
        streams.show("")
    streams.show(told["path"], style="head")
    tables.details((line.label, tables.Cell(line.text, line.style)) for line in lines(told, time.time()))
    if told["kind"] == "unknown" and not (told["offline"] or told["asking_failed"]):
        streams.show("")
        tables.remedy("To have it looked up", f"mountnd explain --ask {shlex.quote(told['path'])}")
