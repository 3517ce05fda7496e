"""The three standard streams, also where whoever started us has closed them (`>&-`) or they cannot be written."""

from __future__ import annotations

import os
import sys
import traceback

import click

_STREAMS = (("stdin", "r"), ("stdout", "w"), ("stderr", "w"))


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


def say(line: str) -> None:
    """A line for the person, on stderr: stdout stays for what scripts read. Lost where it cannot be written."""
    try:
        click.echo(line, err=True)
    except (OSError, ValueError):
        discard(2)  # a mount must not fail because nobody listens


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
