"""How far a job is: a bar on a terminal, a line a minute elsewhere."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

from ..jobs.report import CHECKING, FETCHING, LISTING
from ..report.figures import duration, size
from . import layout
from .status_line import StatusLine, with_bar

# The rate is that of so many seconds.
WINDOW_S = 20.0


class Progress:
    """Shows reports of a job (`jobs.report.Report.snapshot`) on the standard error; nothing with -q."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._seen: deque[tuple[float, int]] = deque()
        self._line = StatusLine(clock)
        self.shown = self._line.shown

    def show(self, told: Mapping[str, Any], *, stopping: bool = False) -> None:
        """As far as this it is now (`jobs.report.Report.snapshot`)."""
        self._note(told)
        text = line_of(told, self._rate())
        self._line.show(lambda: text, lambda width: _with_bar(told, "stopping" if stopping else text, width))

    def _note(self, told: Mapping[str, Any]) -> None:
        now = self._clock()
        self._seen.append((now, _bytes_done(told)))
        while self._seen[0][0] < now - WINDOW_S:
            self._seen.popleft()

    def _rate(self) -> float:
        (begun, before), (now, after) = self._seen[0], self._seen[-1]
        return (after - before) / (now - begun) if now > begun else 0.0


def line_of(told: Mapping[str, Any], rate: float) -> str:
    """How far it is, in words. `rate`: bytes a second. Pure."""
    if told["phase"] == LISTING:
        return f"listing: {told['names']:,} names, {told['files']:,} files wanted"
    if told["phase"] not in (FETCHING, CHECKING):
        return f"looking what is cached of {told['files']:,} files"
    whole, done = _bytes_in_all(told), _bytes_done(told)
    parts = [f"{told['done']:,} of {told['files']:,} files", f"{size(done)} of {size(whole)}"]
    if rate > 0:
        parts += [f"{size(rate)}/s", f"{duration(max(0, whole - done) / rate)} left"]
    for name, words in (("failed", "failed"), ("mismatch", "do not match"), ("unreadable", "cannot be read")):
        if told.get(name):
            parts.append(f"{told[name]:,} {words}")
    return ", ".join(parts)


def _bytes_done(told: Mapping[str, Any]) -> int:
    done: int = told["fetched_bytes"] if "fetched_bytes" in told else told["read_bytes"]
    return done


def _bytes_in_all(told: Mapping[str, Any]) -> int:
    """What is to be fetched; or read, which is all but those files of which nothing is known, as it turns out."""
    whole: int = told["to_fetch_bytes"] if "to_fetch_bytes" in told else told["bytes"] - told["unknown_bytes"]
    return whole


def _with_bar(told: Mapping[str, Any], text: str, width: int) -> str:
    """A text, and a bar beside it once it is known how much there is to do."""
    if told["phase"] not in (FETCHING, CHECKING):
        return layout.cut(text, width)
    return with_bar(_bytes_done(told), _bytes_in_all(told), text, width)
