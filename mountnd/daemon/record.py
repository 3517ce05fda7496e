"""The record of one mount: what stands in its file in the run directory, and whether its daemon lives."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

_KINDS = {"mountpoint": str, "pid": int, "started": int, "made": bool, "log": str, "device": str}


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One mount.

    Attributes:
        mountpoint: absolute, resolved.
        pid: of the daemon.
        started: field 22 of its /proc/PID/stat (clock ticks after boot): a reused pid does not match.
        since: seconds since the epoch when it was mounted.
        sources: names and URLs.
        made: mountnd made the mountpoint, and removes it when the mount ends.
        log: where the daemon logs, "" for the terminal.
        device: "major:minor" of what it mounted, "" until it has.
    """

    mountpoint: str
    pid: int
    started: int
    since: float
    sources: tuple[tuple[str, str], ...] = ()
    made: bool = False
    log: str = ""
    device: str = ""

    def alive(self) -> bool:
        """Whether the daemon that wrote it still runs."""
        return started(self.pid) == self.started or _is_hidden(self.pid)


def parse(text: bytes) -> Record | None:
    """The record that a file holds; None for what this version has not written. Pure."""
    with suppress(ValueError, TypeError, KeyError, OverflowError, RecursionError):
        fields = json.loads(text)
        fields["sources"] = tuple((str(name), str(url)) for name, url in fields["sources"])
        record = Record(**fields)
        right = all(type(getattr(record, name)) is kind for name, kind in _KINDS.items()) and record.pid > 0
        right = right and "\0" not in record.mountpoint + record.log + record.device
        return replace(record, since=float(record.since)) if right else None
    return None


def started(pid: int) -> int | None:
    """When process `pid` started, in clock ticks after boot; None where there is none, or only its zombie."""
    try:
        text = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return None
    # The name (field 2) is in brackets and may hold anything, brackets too: count from the last one.
    fields = text[text.rindex(b")") + 2 :].split()
    return None if fields[0] in (b"Z", b"X") else int(fields[19])


def _is_hidden(pid: int) -> bool:
    """Whether there is a process of ours that /proc does not show: mounted with hidepid=2, it shows none that hides its
    memory, as daemons do."""
    if pid <= 0 or os.path.exists(f"/proc/{pid}"):
        return False
    try:
        os.kill(pid, 0)
    except (OSError, OverflowError):
        return False
    return True
