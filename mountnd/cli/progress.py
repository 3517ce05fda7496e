"""How far a prefetch is: a bar on a terminal, a line a minute elsewhere."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Self

from ..jobs.report import FETCHING, LISTING
from ..report.figures import duration, size
from . import streams, terminal

# Where there is no terminal. The first line comes after as long: what is over by then needs none.
LINE_S = 60.0
# The rate is that of so many seconds.
WINDOW_S = 20.0


class Progress:
    """Shows reports of a job. What is shown goes to the standard error; nothing with -q."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._said_at = clock, clock()
        self._seen: deque[tuple[float, int]] = deque()
        self._bar: _Bar | None = None

    @contextmanager
    def shown(self) -> Iterator[None]:
        """While it is to be seen."""
        if terminal.is_terminal(2) and not streams.is_quiet():
            with _Bar() as self._bar:
                yield
            self._bar = None
        else:
            yield

    def show(self, told: Mapping[str, Any], *, stopping: bool = False) -> None:
        """As far as this it is now (`jobs.report.Report.snapshot`)."""
        self._note(told)
        if self._bar is not None:
            self._bar.show(told, "stopping, ..." if stopping else line_of(told, self._rate()))
        elif self._clock() - self._said_at >= LINE_S:
            self._said_at = self._clock()
            streams.remark(line_of(told, self._rate()))

    def _note(self, told: Mapping[str, Any]) -> None:
        now = self._clock()
        self._seen.append((now, told["fetched_bytes"]))
        while self._seen[0][0] < now - WINDOW_S:
            self._seen.popleft()

    def _rate(self) -> float:
        (begun, before), (now, after) = self._seen[0], self._seen[-1]
        return (after - before) / (now - begun) if now > begun else 0.0


def line_of(told: Mapping[str, Any], rate: float) -> str:
    """How far it is, in words. `rate`: bytes a second. Pure."""
    if told["phase"] == LISTING:
        return f"listing: {told['names']:,} names, {told['files']:,} files wanted"
    if told["phase"] != FETCHING:
        return f"looking what is cached of {told['files']:,} files"
    whole, done = told["to_fetch_bytes"], told["fetched_bytes"]
    parts = [f"{told['done']:,} of {told['files']:,} files", f"{size(done)} of {size(whole)}"]
    if rate > 0:
        parts += [f"{size(rate)}/s", f"{duration(max(0, whole - done) / rate)} left"]
    if told["failed"]:
        parts.append(f"{told['failed']:,} failed")
    return ", ".join(parts)


class _Bar:
    """A bar on the terminal at the standard error, which is gone at the end."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, SpinnerColumn, TextColumn
        from rich.progress import Progress as RichProgress

        bar = BarColumn(bar_width=None)
        said = TextColumn("{task.fields[said]}", markup=False)
        console = Console(stderr=True, width=terminal.width(2))
        self._shown = RichProgress(SpinnerColumn(), bar, said, console=console, transient=True, expand=True)
        self._task = self._shown.add_task("", total=None, said="")

    def __enter__(self) -> Self:
        self._shown.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._shown.stop()

    def show(self, told: Mapping[str, Any], said: str) -> None:
        total = told["to_fetch_bytes"] if told["phase"] == FETCHING else None
        self._shown.update(self._task, total=total, completed=told["fetched_bytes"], said=said)
