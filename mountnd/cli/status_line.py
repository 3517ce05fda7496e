"""One line that tells how far something is: written anew on a terminal, a line a minute elsewhere; nothing with -q."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from . import layout, streams, terminal

# Where there is no terminal. The first line comes after as long: what is over by then needs none.
LINE_S = 60.0
# Columns that a bar takes.
_LEAST_BAR, _MOST_BAR = 8, 40


class StatusLine:
    """Args:
    clock: monotonic seconds.
    turn: seconds between two times that the terminal's line is written.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic, turn: float = 0.0) -> None:
        self._clock, self._turn = clock, turn
        self._begun = self._said_at = clock()
        self._at_terminal = terminal.is_terminal(2) and not streams.is_quiet()

    @contextmanager
    def shown(self) -> Iterator[None]:
        """While it is to be seen: it is gone at the end."""
        try:
            yield
        finally:
            if self._at_terminal:
                streams.status("")

    def show(self, text: Callable[[], str], drawn: Callable[[int], str]) -> None:
        """`drawn`: the line of a terminal, so many columns wide; `text`: that elsewhere. Each is called where it is
        shown."""
        now = self._clock()
        if self._at_terminal:
            if now - self._begun >= streams.QUIET_S and now - self._said_at >= self._turn:
                self._said_at = now
                streams.status(drawn(terminal.width(2) - 1))
        elif now - self._said_at >= LINE_S:
            self._said_at = now
            streams.remark(text())


def with_bar(done: int, whole: int, text: str, width: int) -> str:
    """A bar and a text beside it, as wide as that; the text alone, cut, where there is no room."""
    room = width - layout.cell_len(text) - 1
    if room < _LEAST_BAR:
        return layout.cut(text, width)
    from rich.console import Console
    from rich.progress_bar import ProgressBar

    console = Console(stderr=True, width=width, highlight=False)
    with console.capture() as drawn:
        console.print(ProgressBar(max(1, whole), done, min(room, _MOST_BAR)), end="")
    return f"{drawn.get()} {text}"
