"""What the terminal is like: its width, and whether it has colours; and click's help text, laid out for it."""

from __future__ import annotations

import os
import re
import sys
from typing import Any

import click

# Where there is no terminal: as wide as terminals are from the start.
_WIDTH = 80
# Less than this and every word would be cut.
_LEAST_WIDTH = 20

# What a style means, and how it is shown: in the 8 colours that every theme, dark or light, makes readable. No meaning
# is in the colour alone.
_STYLES: dict[str, dict[str, Any]] = {
    "": {},
    "head": {"bold": True},
    "ok": {"fg": "green"},
    "warn": {"fg": "yellow"},
    "bad": {"fg": "red", "bold": True},
    "aside": {"dim": True},
}


def width(fd: int = 1) -> int:
    """Columns of the terminal at `fd`; the variable COLUMNS says otherwise, and 80 where there is none."""
    told = os.environ.get("COLUMNS", "")
    columns = int(told) if told.isascii() and told.isdigit() and len(told) < 6 else 0
    if not columns and is_terminal(fd):
        try:
            columns = os.get_terminal_size(fd).columns
        except OSError:
            pass
    return max(_LEAST_WIDTH, columns or _WIDTH)


def is_terminal(fd: int) -> bool:
    """Whether a person looks at `fd`, 1 or 2."""
    stream = sys.stdout if fd == 1 else sys.stderr
    try:
        return stream.isatty()
    except (AttributeError, ValueError):  # closed
        return False


def has_blocks() -> bool:
    """Whether the standard output can show characters such as ▃."""
    encoding = (getattr(sys.stdout, "encoding", None) or "").lower().replace("-", "")
    return encoding.startswith("utf")


def paint(text: str, style: str) -> str:
    """`text` in a style of ours (head, ok, warn, bad, aside), with the codes that click leaves out of files and pipes.

    Plain where https://no-color.org or TERM=dumb asks for that.
    """
    how = _STYLES.get(style)
    if not how or not text.strip() or os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return text
    return click.style(text, **how)


# A hyphen inside a word, where `textwrap` would break `in-flight` and `--endpoint-url`; and its stand-in meanwhile.
_HYPHEN = re.compile(r"(?<=\S)-|-(?=\S)")
_NO_BREAK = "\u2011"


class HelpFormatter(click.HelpFormatter):
    """Help text whose words are not broken at hyphens, with headings that stand out on a terminal."""

    def write_text(self, text: str) -> None:
        super().write_text(_HYPHEN.sub(_NO_BREAK, text))

    def write_usage(self, prog: str, args: str = "", prefix: str | None = None) -> None:
        super().write_usage(_HYPHEN.sub(_NO_BREAK, prog), _HYPHEN.sub(_NO_BREAK, args), prefix)

    def write_dl(self, rows: Any, col_max: int = 30, col_spacing: int = 2) -> None:
        told = [(_HYPHEN.sub(_NO_BREAK, term), _HYPHEN.sub(_NO_BREAK, _alike(text))) for term, text in rows]
        super().write_dl(told, col_max, col_spacing)

    def write_heading(self, heading: str) -> None:
        self.write(f"{'':>{self.current_indent}}{paint(f'{heading}:', 'head')}\n")

    def getvalue(self) -> str:
        return super().getvalue().replace(_NO_BREAK, "-")


def _alike(text: str) -> str:
    """An option's line in the option table's style, whoever wrote it: click's own are sentences."""
    if text[1:2].islower() and text.endswith(".") and ". " not in text:
        return text[0].lower() + text[1:-1]
    return text


class HelpContext(click.Context):
    """The context of every verb: it has the help text's formatter."""

    formatter_class = HelpFormatter
