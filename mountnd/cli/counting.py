"""How far something is that counts: a bar on a terminal, a line a minute elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ..report.figures import duration
from . import layout, streams, terminal
from .progress import LINE_S, with_bar

# How often the terminal's line is written anew.
_TURN_S = 0.2


class Counting:
    """Shows a count on the standard error; nothing with -q.

    Args:
        what: is counted: "objects".
        whole: how many there are; 0: not known.
    """

    def __init__(self, what: str, whole: int = 0, clock: Callable[[], float] = time.monotonic) -> None:
        self.count = 0
        self._what, self._whole, self._clock = what, whole, clock
        self._begun = self._said_at = clock()
        self._at_terminal = terminal.is_terminal(2) and not streams.is_quiet()

    @contextmanager
    def shown(self) -> Iterator[None]:
        """While it is to be seen: the bar is gone at the end."""
        try:
            yield
        finally:
            if self._at_terminal:
                streams.status("")

    def add(self, more: int) -> None:
        """So many more."""
        self.count += more
        now = self._clock()
        if self._at_terminal:
            if now - self._begun >= streams.QUIET_S and now - self._said_at >= _TURN_S:
                self._said_at = now
                text, width = self._text(now), terminal.width(2) - 1
                whole = self._whole
                streams.status(with_bar(self.count, whole, text, width) if whole else layout.cut(text, width))
        elif now - self._said_at >= LINE_S:
            self._said_at = now
            streams.remark(self._text(now))

    def _text(self, now: float) -> str:
        of = f" of {self._whole:,}" if self._whole else ""
        text = f"{self.count:,}{of} {self._what}"
        if self._whole and self.count:
            left = (self._whole - self.count) * (now - self._begun) / self.count
            text += f", {duration(max(0.0, left))} left"
        return text
