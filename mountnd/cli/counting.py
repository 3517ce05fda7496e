"""How far something is that counts: a bar on a terminal, a line a minute elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable

from ..report.figures import duration
from . import layout
from .status_line import StatusLine, with_bar

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
        self._what, self._whole, self._clock, self._begun = what, whole, clock, clock()
        self._line = StatusLine(clock, _TURN_S)
        self.shown = self._line.shown

    def add(self, more: int) -> None:
        """So many more."""
        self.count += more
        self._line.show(self._text, self._drawn)

    def _drawn(self, width: int) -> str:
        text = self._text()
        return with_bar(self.count, self._whole, text, width) if self._whole else layout.cut(text, width)

    def _text(self) -> str:
        of = f" of {self._whole:,}" if self._whole else ""
        text = f"{self.count:,}{of} {self._what}"
        if self._whole and self.count:
            left = (self._whole - self.count) * (self._clock() - self._begun) / self.count
            text += f", {duration(max(0.0, left))} left"
        return text
