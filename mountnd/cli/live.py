"""A terminal that is drawn anew again and again, until q or Ctrl-C: by rich, on the terminal's other screen."""

from __future__ import annotations

import os
import select
import sys
import termios
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress

from ..daemon.signals import raised
from . import terminal
from .live_view import Line

# How often it is looked whether the terminal has another size.
_LOOK_S = 0.25


class Ended(Exception):
    """What is watched has ended. `str()`: says so, for the person."""


def is_possible() -> bool:
    """Whether the standard output is a terminal that can be drawn on."""
    return terminal.is_terminal(1) and os.environ.get("TERM", "dumb") not in ("", "dumb")


def watch(look: Callable[[], Callable[[int, int], Sequence[Line]]], interval: float) -> None:
    """Show what `look` tells each `interval` seconds, until q or Ctrl-C.

    Args:
        look: finds out what is to be shown, and returns what draws it at a width and a height. Raises Ended when there
            is nothing more to be seen, and MountndError.
    """
    from rich.console import Console  # slow to import, and for nothing else in this command
    from rich.live import Live
    from rich.text import Text

    console = Console(highlight=False, markup=False, emoji=False)

    def shown(draw: Callable[[int, int], Sequence[Line]]) -> Text:
        lines = draw(*console.size)
        text = Text("\n", no_wrap=True, overflow="crop").join(
            Text.assemble(*((part, _STYLES[style]) for part, style in line)) for line in lines
        )
        text.no_wrap, text.overflow = True, "crop"
        return text

    with suppress(KeyboardInterrupt), raised(), _keys() as pressed:
        draw, size = look(), console.size  # before it is drawn: it may change at any moment
        live = Live(shown(draw), console=console, screen=True, auto_refresh=False)
        try:
            live.start(refresh=True)  # in which a signal may come, too
            following = time.monotonic() + interval
            while not pressed(min(_LOOK_S, max(0.0, following - time.monotonic()))):
                before, size = size, console.size
                if time.monotonic() >= following:
                    draw = look()
                    following = time.monotonic() + interval
                elif size == before:
                    continue
                live.update(shown(draw), refresh=True)
        finally:
            live.stop()


_STYLES = {"": "", "head": "bold", "ok": "green", "warn": "yellow", "bad": "bold red", "aside": "dim"}


@contextmanager
def _keys() -> Iterator[Callable[[float], bool]]:
    """Yields a function that waits so many seconds, and tells whether q was pressed meanwhile.

    Keys come at once and are not shown; Ctrl-C is a signal as ever, Ctrl-Z is none: it would leave the screen as it is.
    """
    fd = sys.stdin.fileno() if sys.stdin is not None and sys.stdin.isatty() else -1
    if fd < 0:

        def wait(seconds: float) -> bool:
            time.sleep(seconds)
            return False

        yield wait
        return
    before = termios.tcgetattr(fd)

    def pressed(seconds: float) -> bool:
        ready, _, _ = select.select([fd], [], [], seconds)
        keys = os.read(fd, 64) if ready else b" "
        return not keys or (not keys.startswith(b"\x1b") and any(key in b"qQ\x04" for key in keys))

    mode = termios.tcgetattr(fd)
    mode[3] &= ~(termios.ICANON | termios.ECHO)
    mode[6][termios.VMIN], mode[6][termios.VTIME], mode[6][termios.VSUSP] = 1, 0, b"\0"
    termios.tcsetattr(fd, termios.TCSADRAIN, mode)
    try:
        yield pressed
    finally:
        termios.tcsetattr(fd, termios.TCSADRAIN, before)
