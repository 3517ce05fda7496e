"""The three standard streams, also where whoever started us has closed them (`>&-`) or they cannot be written.

All text for a person goes through `say`, `show` or `tables.py`, which pass it through `foreign_text`; what scripts read
goes through `show_json`. (A test holds that nothing else in `cli/` prints.)
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
import traceback
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import click

from .. import foreign_text
from ..redaction import redacted
from . import layout, terminal

# Key of the context's `meta` that -q sets.
QUIET = "mountnd.quiet"

_STREAMS = (("stdin", "r"), ("stdout", "w"), ("stderr", "w"))
# What takes less is not worth a word.
QUIET_S = 1.0
_TURN_S = 0.25


def ensure_open() -> None:
    """Open the null device in place of each stream that is closed.

    Else the next file or socket opened would get its number, and what libraries and child processes print would go
    there. What cannot be encoded (a name that is not UTF-8) is printed in escapes instead of being an error.
    """
    for fd, (name, mode) in enumerate(_STREAMS):
        try:
            os.fstat(fd)
        except OSError:
            null = os.open(os.devnull, os.O_RDWR)  # the lowest free number, which is `fd`
            os.set_inheritable(null, True)
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, os.fdopen(fd, mode, encoding="utf-8", errors="backslashreplace", closefd=False))
        elif mode == "w" and getattr(stream, "errors", "") == "strict" and hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def say(line: str, style: str = "") -> None:
    """A line for the person, on stderr: stdout stays for what scripts read. Lost where it cannot be written.

    At a terminal it breaks between words; elsewhere it stays one line. `style`: of its first word, up to the colon.
    """
    with _SCREEN:
        try:
            if _Waiting.shown:
                _erase()
            for at, part in enumerate(_broken(foreign_text.line(line), 2)):
                head, colon, rest = part.partition(": ") if style and at == 0 else ("", "", part)
                click.echo(terminal.paint(head + colon, style) + rest, err=True)
        except (OSError, ValueError):
            discard(2)  # a mount must not fail because nobody listens


def _broken(text: str, fd: int) -> list[str]:
    """The lines that `text` takes on `fd`: words are broken by nobody but a terminal, so only there is there a need."""
    if not terminal.is_terminal(fd):
        return [text]
    lead = len(text) - len(text.lstrip(" "))
    return layout.wrap(text, terminal.width(fd), " " * (lead + 2))


_SCREEN = threading.RLock()  # leaf lock: held while a line is written on stderr


class _Waiting:
    """The line that says what is waited for: `shown` while it stands on the terminal."""

    shown = False


def _erase() -> None:
    _Waiting.shown = False
    click.echo("\r\x1b[K", nl=False, err=True)


@contextmanager
def waiting(text: str) -> Iterator[None]:
    """While the block takes longer than a second, a line at the terminal says `text` and for how long; it goes again.

    Nothing is said with -q, and where stderr is no terminal: a log needs no line that says that something will follow.
    """
    if not terminal.is_terminal(2) or is_quiet():
        yield
        return
    ended, start = threading.Event(), time.monotonic()

    def show_time() -> None:
        pause = QUIET_S
        while not ended.wait(pause):
            pause = _TURN_S
            said = f"{foreign_text.line(text)} ... {time.monotonic() - start:.0f} s"
            with _SCREEN:
                if ended.is_set():
                    return
                try:
                    _erase()
                    click.echo(layout.cut(said, terminal.width(2) - 1), nl=False, err=True)
                    _Waiting.shown = True
                except (OSError, ValueError):
                    return

    thread = threading.Thread(target=show_time, name="waiting", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        with _SCREEN:
            if _Waiting.shown:
                try:
                    _erase()
                except (OSError, ValueError):
                    discard(2)
        thread.join(_TURN_S)


def status(text: str) -> None:
    """A line at the terminal, on stderr, in place of the one before; "" for none. It goes when anything else is said.

    `text`: of our own making, no wider than the terminal.
    """
    with _SCREEN:
        try:
            if _Waiting.shown:
                _erase()
            if text:
                click.echo(text, nl=False, err=True)
                _Waiting.shown = True
        except (OSError, ValueError):
            discard(2)


def remark(line: str) -> None:
    """As `say`, but for what -q leaves out: all that is no error."""
    if not is_quiet():
        say(line)


def is_quiet() -> bool:
    """Whether -q was typed."""
    context = click.get_current_context(silent=True)
    return context is not None and bool(context.meta.get(QUIET))


def say_traceback(error: BaseException) -> None:
    """Where an error came from, on stderr (--debug)."""
    try:
        click.echo(foreign_text.exception(error), err=True)
    except (OSError, ValueError):
        discard(2)


def show(*lines: object, style: str = "") -> None:
    """Lines for the person, on stdout; each argument is one. At a terminal they break between words."""
    for line in lines:
        for part in _broken(foreign_text.line(line), 1):
            click.echo(terminal.paint(part, style))


def show_as_it_is(text: str) -> None:
    """Text of our own making, on stdout: a script, or help that is laid out already."""
    click.echo(text)


def show_bytes(data: bytes) -> None:
    """What another program reads, on stdout, as it is."""
    click.echo(data, nl=False)


def page(lines: Iterable[str]) -> None:
    """A long text of our own making, in the person's pager where stdout is a terminal."""
    # A pager gets colours where it shows them, which click finds out; where there is none, the terminal does.
    click.echo_via_pager(lines, color=None if sys.stdin.isatty() else sys.stdout.isatty())


def show_json(value: Any, indent: int | None = None) -> None:
    """A value for scripts, on stdout. JSON escapes what a terminal would obey, but for DEL."""
    click.echo(json.dumps(_redacted(value), indent=indent, sort_keys=True).replace("\x7f", "\\u007f"))


def _redacted(value: Any) -> Any:
    """`value`, as JSON has it, with the secrets in its texts hidden."""
    if isinstance(value, str):
        return redacted(value)
    if isinstance(value, dict):
        return {_redacted(key): _redacted(item) for key, item in value.items()}
    return [_redacted(item) for item in value] if isinstance(value, list) else value


def is_output_error(error: BaseException) -> bool:
    """Whether `error` was raised by printing on stdout: an OSError itself says neither which file nor what was done."""
    if not isinstance(error, OSError) or error.filename is not None:
        return False
    *_, (frame, _) = traceback.walk_tb(error.__traceback__)
    return frame.f_globals.get("__name__") in ("click.utils", "rich.console", "mountnd.cli.main")


def discard(fd: int) -> None:
    """From now on what goes to this stream is lost: what it still holds would fail again, and loudly, at exit."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, fd)
    os.close(null)
