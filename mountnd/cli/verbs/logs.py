"""`mountnd logs [DIR]`: what a mount's daemon has to say: each failed read with its path, reason and request id."""

from __future__ import annotations

import os
import re
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

import click

from ...daemon import mounts, rundir
from ...errors import MountError, UsageError
from ...regular_file import Untrusted, open_regular
from .. import streams
from ..flags import MountArgument, json_option
from ..running import mount_of

# How often a log that is followed is looked at.
_POLL_S = 0.25
# `logs._FORMAT` of the daemon.
_LINE = re.compile(r"(?P<time>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d),\d+ (?P<level>[A-Z]+) +(?P<rest>.*)")


@click.command()
@click.argument("directory", metavar="[DIR]", type=MountArgument(), required=False)
@click.option("-f", "--follow", is_flag=True, help="Go on with what comes, until Ctrl-C or the mount ends.")
@click.option("-n", "--lines", type=click.IntRange(0), default=100, metavar="N", help="The last N lines [100].")
@json_option("One object a line: time, level, message.")
def logs(directory: Path | None, follow: bool, lines: int, as_json: bool) -> None:
    """Show the log of the mount at DIR, or that DIR lies in; also of one that has ended, for a week.

    Each file that could not be read stands there once, with path, reason and the provider's request id. Without DIR:
    the log of your only mount.
    """
    mountpoint = mount_of(directory) if directory is not None else _only_mount()
    record = rundir.find(mountpoint)
    path = _log_of(mountpoint, record)
    try:
        file = _open(path)
    except FileNotFoundError:
        raise MountError(f"{mountpoint} has no log: {path} is not there (`mountnd ls` shows your mounts)") from None
    except Untrusted as e:
        raise MountError(f"{path}: {e.strerror}") from None
    with file:
        for line in deque(file, maxlen=lines):
            _show(line, as_json)
        if follow and record is not None:
            for line in _following(file, path, record):
                _show(line, as_json)


def _only_mount() -> Path:
    found = [Path(record.mountpoint) for record in rundir.records() if record.alive()]
    if len(found) == 1:
        return found[0]
    if not found:
        raise MountError("nothing is mounted; for the log of a mount that has ended: mountnd logs DIR")
    raise UsageError(f"say which: mountnd logs DIR; mounted are {', '.join(map(str, found))}")


def _log_of(mountpoint: Path, record: rundir.Record | None) -> Path:
    if record is not None and not record.log:
        raise MountError(f"{mountpoint} runs in the foreground, and its log is on the terminal where it was started")
    if record is not None:
        return Path(record.log)
    name = f"{rundir.stem(mountpoint)}.log"
    places = [place / name for place in rundir.candidates(os.environ, os.getuid()) if rundir.open_place(place)]
    return next((path for path in places if path.exists()), rundir.run_dir() / name)


def _following(file: TextIO, path: Path, record: rundir.Record) -> Iterator[str]:
    """Lines that are written from now on, also after the log was moved away, until the daemon has ended."""
    part = ""
    while True:
        alive = record.alive()
        while piece := file.readline():
            part += piece
            if part.endswith("\n"):
                yield part
                part = ""
        if not alive:
            return
        mounts.wait_exit(record.pid, _POLL_S)
        if _moved(path, file):
            yield from file
            file.close()
            file = _open(path)


def _open(path: Path) -> TextIO:
    return os.fdopen(open_regular(path), encoding="utf-8", errors="replace")


def _moved(path: Path, file: TextIO) -> bool:
    """Whether another file is at `path` now."""
    try:
        return not os.path.samestat(os.stat(path), os.fstat(file.fileno()))
    except OSError:
        return False  # not made again yet


def _show(line: str, as_json: bool) -> None:
    text = line.rstrip("\n")
    if not as_json:
        streams.show(text)
        return
    found = _LINE.fullmatch(text)
    told = {"time": found["time"], "level": found["level"].lower(), "message": found["rest"]} if found else None
    streams.show_json(told or {"time": None, "level": None, "message": text})
