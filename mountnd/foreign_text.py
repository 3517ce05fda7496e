"""Text from elsewhere (keys, servers, files, other programs) as a person may be shown it, and a log may hold it.

A key or an error message may hold escape sequences that rewrite a terminal, newlines that forge a line of the log,
marks that turn the direction of writing, a megabyte, or a secret. `line` is the one function through which
all of it goes; `streams.py` of the command line calls it for the terminal, `log_records` has every log record call it.

Known to everyone, knows only `redaction`.
"""

from __future__ import annotations

import logging
import re
import traceback
from typing import Any

from .redaction import redacted

# Characters of one line. S3's keys have up to 1,024 bytes, which take four times that in escapes; two may be told of.
LINE = 8_000
# With --debug libraries tell of whole answers, in a line each.
TRACEBACK_LINES = 200
# What is looked at of a longer text: the rest is cut off before anything else costs time.
_READ = 1 << 15

# A region as S3 and its relatives name them (eu-central-1, us-gov-west-1, fr-par, eu-central-003, RegionOne): a label
# of a host name, which it becomes part of, and a word for a shell, which it is suggested for.
_REGION = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?")


def line(text: object, limit: int = LINE) -> str:
    """`text` as one line: secrets hidden, what cannot be seen written as escapes, at most about `limit` characters."""
    whole = str(text)
    safe = printable(redacted(whole[:_READ]))
    cut = len(whole) - _READ
    if len(safe) <= limit and cut <= 0:
        return safe
    # The end of a message often says what happened, its beginning to whom.
    tail = "" if cut > 0 else safe[-(limit // 4) :]
    head = safe[: limit - len(tail)]
    return f"{head}[... {len(safe) - len(head) - len(tail) + max(0, cut)} more characters ...]{tail}"


def printable(text: str) -> str:
    """`text` with control and format characters (escape, newline, direction marks), lone surrogates and whatever has no
    glyph as Python writes them."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)


def as_region(text: object) -> str:
    """`text` where it has the form of a region's name, else "": what a server says is no part of a command or a host
    name before it was looked at."""
    word = str(text)
    return word if _REGION.fullmatch(word) else ""


def exception(error: BaseException) -> str:
    """A traceback whose every line is marked as part of it, so that what an error quotes begins none."""
    return _quoted("".join(traceback.format_exception(error)))


def _quoted(text: str) -> str:
    # Redacted as a whole, for a secret may stand below its name; `line` then sees to the rest.
    parts = redacted(text[: _READ * 4]).splitlines()
    if len(parts) > TRACEBACK_LINES:
        half = TRACEBACK_LINES // 2
        parts = [*parts[:half], f"[... {len(parts) - 2 * half} more lines ...]", *parts[-half:]]
    return "\n".join(f"    | {line(part)}" for part in parts)


class _Record(logging.LogRecord):
    """A log record that only ever gives safe text, to whichever handler and formatter a library may have brought."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        error = self.exc_info[1] if isinstance(self.exc_info, tuple) else None
        if isinstance(error, BaseException):
            self.exc_text = exception(error)  # formatters use it instead of formatting `exc_info`
        if self.stack_info:
            self.stack_info = _quoted(self.stack_info)

    def getMessage(self) -> str:
        try:
            return line(super().getMessage())
        except Exception as e:  # arguments that do not fit, or that cannot be shown
            return line(f"{self.msg!r} (a message that cannot be written: {type(e).__name__})")


def log_records() -> None:
    """From now on every log record of this process, of libraries too, gives safe text."""
    logging.setLogRecordFactory(_Record)
