"""The manual page mountnd(1), from the verbs and the option table; `python -m mountnd.cli.man_page` writes it anew.

The wheel installs it as share/man/man1/mountnd.1 (`shared-data` in pyproject.toml). Format: man(7).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import click

from ..config.options import OPTIONS
from ..errors import EXIT_CODES
from ..version import __version__
from .options_page import flag
from .verbs import VERBS, load

MAN_PAGE = Path(__file__).parent.parent / "help" / "mountnd.1"

_SCOPES = (("source", "Options of a source"), ("mount", "Options of a mount"), ("call", "Options of a command"))
_EVERYWHERE = (
    ("-q, --quiet", "print errors and what was asked for, no remarks."),
    ("-h, --help", "show the help of a verb."),
    ("--version", "show the version."),
)
_FILES = (
    ("~/.config/mountnd/config.toml", "sources, mounts and defaults (mountnd help configuration)"),
    ("~/.cache/mountnd", "the disk cache"),
    ("~/.aws/config, ~/.aws/credentials", "profiles and keys, as the AWS tools have them"),
)
_VARIABLES = (
    ("NO_COLOR", "no colour in what is printed"),
    ("PAGER", "shows the pages of mountnd help"),
    ("AWS_*", "keys, profile, region and certificates, as the AWS tools take them"),
    ("HTTP_PROXY, HTTPS_PROXY, ALL_PROXY, NO_PROXY", "proxies"),
)


def man_page() -> str:
    """The whole page."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield '.\\" Made by: python -m mountnd.cli.man_page'
    yield f'.TH MOUNTND 1 "" "mountnd {__version__}" "User Commands"'
    yield from (".SH NAME", "mountnd \\- mount datasets in S3 (and elsewhere) as a tree of plain, read-only files")
    yield ".SH SYNOPSIS"
    yield from (".B mountnd", r"[\fISOURCE\fR...] \fIMOUNTPOINT\fR [\fIOPTIONS\fR]", ".br")
    yield from (".B mountnd", r"\fIVERB\fR [\fIOPTIONS\fR] ...")
    yield ".SH DESCRIPTION"
    yield from _paragraphs(_help_of(load("mount")))
    yield ".SH VERBS"
    for verb in VERBS:
        yield from _verb(verb)
    yield ".SH OPTIONS"
    yield _text(
        "Each is a flag, a variable, a word of -o, and a key of the config file, the first being the strongest."
    )
    for scope, title in _SCOPES:
        yield f".SS {title}"
        for option in OPTIONS:
            if option.scope == scope:
                default = f" Default: {option.default_text}." if option.default_text else ""
                yield from _item(flag(option), f"{option.help}.{default} Variable: {option.variable}.")
    for name, what in _EVERYWHERE:
        yield from _item(name, what)
    yield ".SH EXIT STATUS"
    for code, meaning in EXIT_CODES.items():
        yield from _item(str(code), meaning)
    for title, rows in (("ENVIRONMENT", _VARIABLES), ("FILES", _FILES)):
        yield f".SH {title}"
        for name, what in rows:
            yield from _item(name, what)
    yield from (".SH SEE ALSO", ".BR fusermount3 (1),", ".BR mount.fuse3 (8)", ".PP")
    yield _text("`mountnd help` lists the pages of the manual.")


def _verb(verb: str) -> Iterator[str]:
    command = load(verb)
    # The names as the group has them: click keeps the first help option that it makes of a command.
    context = click.Context(command, info_name=f"mountnd {verb}", help_option_names=["-h", "--help"])
    yield f".SS {_text(' '.join([context.command_path, *command.collect_usage_pieces(context)]))}"
    if verb == "mount":
        yield _text("As described above.")
        return
    yield from _paragraphs(_help_of(command))
    for param in command.params:
        record = param.get_help_record(context) if isinstance(param, click.Option) else None
        # What stands in the table stands below, once for all verbs.
        if record is not None and not hasattr(param, "option") and not (param.name or "").startswith("_"):
            yield from _item(*record)


def _help_of(command: click.Command) -> str:
    return command.help or ""


def _paragraphs(text: str) -> Iterator[str]:
    """Paragraphs, and what stands behind "\\b" as it is: click's way to write examples."""
    for paragraph in re.split(r"\n[ \t]*\n", text.strip()):
        yield ".PP"
        if paragraph.lstrip().startswith("\b"):
            yield from (".nf", *(_text(line) for line in paragraph.splitlines()[1:]), ".fi")
        else:
            yield _text(" ".join(paragraph.split()))


def _item(name: str, what: str) -> Iterator[str]:
    yield from (".TP", rf"\fB{_text(name)}\fR", _text(what))


def _text(text: str) -> str:
    """Text that means itself: escapes, hyphens that can be copied, and no line that begins a request."""
    escaped = (
        text.replace("\\", "\\e").replace("-", "\\-").replace("~", "\\(ti").replace("^", "\\(ha").replace("`", "\\(ga")
    )
    return f"\\&{escaped}" if escaped.startswith((".", "'")) else escaped


if __name__ == "__main__":
    MAN_PAGE.write_text(man_page(), encoding="utf-8")
