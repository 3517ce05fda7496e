"""`mountnd stats [DIR]`: what programs read through a mount, and what it fetched for that."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from ...daemon import control, lookup, rundir
from ...errors import MountError, UsageError
from ...report.figures import duration, figures, lines, minute, size
from ...report.live import Moment, moment, rates, rates_between
from .. import live, live_view, running, streams, tables, terminal
from ..flags import MountArgument, json_option
from ..live_view import Line, Watched
from ..tables import Cell

INTERVAL_S = 1.0
# Faster would be a flicker, and slower is a job for a log.
LEAST_S, MOST_S = 0.2, 3600.0
# A daemon that takes longer is told of as one that does not answer, and asked again.
_ANSWER_S = 3.0
# Moments whose rates are remembered: as many as a wide terminal shows.
_HISTORY = 400


@click.command()
@click.argument("directory", metavar="[DIR]", type=MountArgument(), required=False)
@json_option("All counters, and failures.")
@click.option("--watch", is_flag=True, help="Go on showing it, until q, Ctrl-C or the mount's end.")
@click.option(
    "--interval",
    type=click.FloatRange(LEAST_S, MOST_S),
    metavar="SECONDS",
    help=f"With --watch: how often [{INTERVAL_S:g}].",
)
def stats(directory: Path | None, as_json: bool, watch: bool, interval: float | None) -> None:
    """Show what was read through the mount that DIR is or lies inside, what was fetched for that, and what failed.

    Without DIR: all of your mounts, as `mountnd ls` lists them. Counted since it was mounted.
    What the kernel serves from its own cache never reaches the mount and is not
    counted.

    --watch shows what is read and fetched just now, and the open files with how
    each is read: in order, in strides, at random, or its start only. Where the output is no
    terminal it prints a line each time.
    """
    if interval is not None and not watch:
        raise UsageError("--interval goes with --watch")
    mountpoint = running.mount_of(directory) if directory is not None else None
    if watch:
        _watch(mountpoint, as_json, interval or INTERVAL_S)
    elif mountpoint is None:
        _all(as_json)
    else:
        _one(mountpoint, as_json)


def _all(as_json: bool) -> None:
    found = running.running()
    if as_json:
        streams.show_json([mount.as_json() for mount in found], indent=2)
    else:
        running.show(found)


def _one(mountpoint: Path, as_json: bool) -> None:
    answer = control.request(mountpoint, "stats")
    if as_json:
        streams.show_json({"mountpoint": str(mountpoint), **answer}, indent=2)
        return
    _table(answer, mountpoint)
    _via(answer.get("via") or {})
    _failures(answer.get("failures") or {})


def _watch(mountpoint: Path | None, as_json: bool, interval: float) -> None:
    """Show it again and again. Ends, with exit code 0, at Ctrl-C, at q on a terminal, and when the mount does."""
    look = _LookAtAll() if mountpoint is None else _LookAtOne(mountpoint)
    try:
        if not as_json and live.is_possible():
            live.watch(lambda: look.drawn(interval), interval)
            return
        with suppress(KeyboardInterrupt):
            while True:
                look.tell(as_json)
                time.sleep(interval)
    except live.Ended as e:
        streams.remark(str(e))


class _LookAtOne:
    """Looks at one mount, again and again."""

    def __init__(self, mountpoint: Path) -> None:
        self._mountpoint = mountpoint
        self._before: Moment | None = None
        self._last: Watched | None = None
        self._history: deque[tuple[float, float]] = deque(maxlen=_HISTORY)
        self.answer: dict[str, Any] = {}

    def look(self) -> Watched:
        """How it is now. Raises Ended, and MountError where it was never well."""
        record = rundir.find(self._mountpoint)
        try:
            self.answer = control.request(self._mountpoint, "stats", seconds=_ANSWER_S)
            files = control.request(self._mountpoint, "open-files", seconds=_ANSWER_S)
        except MountError as e:
            if self._last is None:
                raise
            if not lookup.is_ours(self._mountpoint):
                raise live.Ended(f"{self._mountpoint} has ended: it was unmounted") from None
            return self._last._replace(note=str(e))
        now, before = moment(time.monotonic(), self.answer, files), self._before
        since = time.time() - record.since if record is not None else 0.0
        rate = rates(now.done, since) if before is None else rates_between(before, now)
        self._history.append((rate.asked, rate.fetched))
        sources = ", ".join(url for _, url in record.sources) if record is not None else ""
        self._last = Watched(str(self._mountpoint), sources, since, before, now, rate, tuple(self._history))
        self._before = now
        return self._last

    def drawn(self, interval: float) -> Callable[[int, int], Sequence[Line]]:
        """What draws it."""
        seen, blocks = self.look(), terminal.has_blocks()
        return lambda width, height: live_view.one(seen, width, height, interval=interval, blocks=blocks)

    def tell(self, as_json: bool) -> None:
        """A line of it."""
        seen = self.look()
        if as_json:
            streams.show_json({"mountpoint": str(self._mountpoint), **self.answer})
        else:
            streams.show(seen.note or live_view.as_text(seen))


class _LookAtAll:
    """Looks at all mounts of this user, which come and go."""

    def __init__(self) -> None:
        self._looks: dict[Path, _LookAtOne] = {}
        self._found: list[running.RunningMount] = []

    def look(self) -> list[tuple[running.RunningMount, Watched | None]]:
        """How each is now; None for what there is no telling of."""
        self._found = running.running()
        seen: list[tuple[running.RunningMount, Watched | None]] = []
        for mount in self._found:
            look = self._looks.setdefault(mount.mountpoint, _LookAtOne(mount.mountpoint))
            watched: Watched | None = None
            if mount.state == "ok":
                with suppress(MountError, live.Ended):
                    watched = look.look()
            seen.append((mount, watched))
        self._looks = {mount.mountpoint: self._looks[mount.mountpoint] for mount in self._found}
        return seen

    def drawn(self, interval: float) -> Callable[[int, int], Sequence[Line]]:
        """What draws them."""
        seen = self.look()
        return lambda width, height: live_view.several(seen, width, height, interval=interval)

    def tell(self, as_json: bool) -> None:
        """A line for each; as JSON one for all."""
        seen = self.look()
        if as_json:
            streams.show_json([mount.as_json() for mount in self._found])
            return
        for mount, watched in seen:
            streams.show(live_view.as_text(watched) if watched is not None else f"{mount.mountpoint}: {mount.state}")


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


def _shared(told: dict[str, Any] | None) -> str:
    """The shared cache in words, "" where there is none."""
    if told is None:
        return ""
    why = f" ({told['why']})" if told["why"] else ""
    others = f"; not for {', '.join(told['passed_by'])}, which may need credentials" if told["passed_by"] else ""
    return f"{told['directory']}: {told['state']}{why}{others}"


def _via(sources: dict[str, list[dict[str, Any]]]) -> None:
    """What came of each caching proxy."""
    if not sources:
        return
    several = len(sources) > 1
    rows: list[tables.Row] = [
        [
            *([name] if several else []),
            node["url"],
            f"{node['requests']:,}",
            f"{node['hits']:,}",
            size(node["bytes"]),
            Cell(f"{node['failures']:,}", "bad" if node["failures"] else ""),
            Cell("left out", "bad") if node["left_out"] else "asked",
        ]
        for name, nodes in sources.items()
        for node in nodes
    ]
    head = [*(["source"] if several else []), "via", "requests", "hits", "bytes", "failed", "now"]
    streams.show("")
    tables.show(head, rows, right=range(1 + several, 5 + several))


def _table(answer: dict[str, Any], mountpoint: Path) -> None:
    """All figures since it was mounted, and by the second on average since then."""
    record = rundir.find(mountpoint)
    seconds = time.time() - record.since if record else 0.0
    if record:
        shown = ", ".join(url for _, url in record.sources)
        since = f"since {minute(record.since)} ({duration(seconds)}); per second: on average since then"
        streams.show(f"{mountpoint} shows {shown}, {since}", "")
    sources = answer["sources"]
    columns = {"all": answer["total"], **sources} if len(sources) > 1 else {"since then": answer["total"]}
    shared = answer.get("shared_cache")
    parts = [lines(figures(counters), shared=shared is not None) for counters in columns.values()]
    rows: list[tables.Row] = [
        [
            label.label,
            *(Cell(part[at].text, "bad" if part[at].is_bad else "") for part in parts),
            parts[0][at].rate(seconds),
        ]
        for at, label in enumerate(parts[0])
    ]
    tables.show(["", *columns, "per second"], rows, right=range(1, len(columns) + 2))
    memory = answer["memory"]
    streams.show("")
    held = f"{size(memory['blocks'])} for blocks, {size(memory['names'])} for the names of each source"
    tables.details(
        [
            ("memory", f"{held}; {memory['origin']} is {size(memory['bytes'])}"),
            ("shared cache", _shared(shared)),
            ("metrics", answer.get("metrics") or ""),
        ]
    )
