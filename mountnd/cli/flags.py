"""The option table as click options: flags of a verb, `-o`, and the help sections they stand in.

What reads the configuration is imported where it is called: every verb imports this file, and most need none.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any

import click

from ..config.option_types import DIR, FILE, Option, RawValue
from ..config.options import OPTIONS, for_verb
from ..errors import MountndError, UsageError

Function = Callable[..., Any]

_SECTIONS = (("source", "Source"), ("mount", "Mount"), ("call", "This command"))


class TableOption(click.Option):
    """A click option made of a line of the table. Its text is parsed later, as that of every layer."""

    def __init__(self, option: Option) -> None:
        self.section = option.scope
        self.option = option
        declared = [option.short] if option.short else []
        shown = f" [{option.default_text}]" if option.default_text not in ("", "false", "none", "0") else ""
        common: dict[str, Any] = {"help": option.help + shown, "default": None}
        if option.kind.counts:
            super().__init__([*declared, option.flag, option.name], count=True, **common)
        elif not option.kind.metavar:
            both = f"{option.flag}/{option.negated_flag}"
            super().__init__([*declared, both, option.name], is_flag=True, **common)
        else:
            super().__init__([*declared, option.flag, option.name], metavar=option.kind.metavar, **common)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[Any]:
        from click.shell_completion import CompletionItem

        if self.option.name == "profile":
            from ..config.signing import aws_profiles

            return [CompletionItem(name) for name in aws_profiles(os.environ) if name.startswith(incomplete)]
        if self.option.kind in (FILE, DIR):
            return [CompletionItem(incomplete, type="dir" if self.option.kind is DIR else "file")]
        return super().shell_complete(ctx, incomplete)

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        record = super().get_help_record(ctx)
        if record is None or not self.secondary_opts:
            return record
        # "--[no-]x": both spellings of a switch would not fit beside its help in 80 columns.
        short = f"{self.option.short}, " if self.option.short else ""
        return f"{short}--[no-]{self.option.flag[2:]}", record[1]


class TableCommand(click.Command):
    """A command whose options are shown in the table's sections, at most 80 columns wide."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("context_settings", {"help_option_names": ["-h", "--help"], "max_content_width": 80})
        super().__init__(*args, **kwargs)

    # Titles of the help's sections, by the `section` of an option.
    sections: Sequence[tuple[str, str]] = _SECTIONS

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        sections: dict[str, list[tuple[str, str]]] = {}
        for param in self.get_params(ctx):
            record = param.get_help_record(ctx)
            if record is not None and isinstance(param, click.Option):
                sections.setdefault(getattr(param, "section", "call"), []).append(record)
        for name, title in self.sections:
            if rows := sections.get(name):
                with formatter.section(title if len(sections) > 1 else "Options"):
                    formatter.write_dl(rows)


class _DashO(click.Option):
    """`-o`."""

    section = "call"


def with_options(verb: str, *, dash_o: bool = True) -> Callable[[Function], Function]:
    """Give a click callback the table's flags of `verb`, and mount(8)'s `-o`. It is called with `inputs`
    (`ConfigInputs`).

    Args:
        dash_o: False for a verb that has another option of that name.
    """

    def decorate(function: Function) -> Function:
        @functools.wraps(function)
        def wrapper(*args: Any, dash_o: tuple[str, ...] = (), **kwargs: Any) -> Any:
            from ..config.dash_o import parse_dash_o
            from ..config.resolve import read_inputs

            given = {option.name: kwargs.pop(option.name) for option in for_verb(verb)}
            cwd = _working_directory()
            typed = {**parse_dash_o(dash_o, cwd), **_typed(given, cwd)}
            return function(*args, inputs=read_inputs(typed, cwd=cwd, store_schemes=store_schemes), **kwargs)

        params = getattr(wrapper, "__click_params__", None)
        if params is None:
            params = wrapper.__click_params__ = []  # type: ignore[attr-defined]
        # click collects decorators' parameters last first.
        of_mount = _DashO(
            ["-o", "dash_o"],
            multiple=True,
            metavar="OPT[,OPT...]",
            help="the same options as mount(8) and fstab give them, such as ttl=60,allow_other",
        )
        table = [TableOption(option) for option in for_verb(verb)]
        params.extend(reversed([*table, of_mount] if dash_o else table))
        return wrapper

    return decorate


def _working_directory() -> Path:
    """Where relative paths start from. Raises UsageError where it was removed."""
    try:
        return Path.cwd()
    except OSError as e:
        raise UsageError(f"the working directory cannot be found ({e.strerror}); cd to one that is there") from None


def store_schemes() -> Collection[str]:
    """URL schemes of our own stores. Imports half of the product; called only for a scheme that is not known yet."""
    from ..sources import STORES

    return STORES


def _typed(given: dict[str, Any], cwd: Path) -> dict[str, RawValue]:
    """The values of the flags that were typed, by the options' names."""
    found = {}
    for option in OPTIONS:
        value = given.get(option.name)
        if value is None or (option.kind.counts and value == 0):
            continue
        flag = option.negated_flag if value is False else option.flag
        found[option.name] = RawValue(value, flag, cwd)
    return found


class PathArgument(click.ParamType):  # type: ignore[type-arg]  # generic from click 8.2 on
    """A path as it was typed. `click.Path` calls stat(2) on it, which hangs on a mount whose daemon hangs."""

    name = "path"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        return Path(value)

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[Any]:
        from click.shell_completion import CompletionItem

        return [CompletionItem(incomplete, type="file")]


class MountArgument(PathArgument):
    """A mountpoint, or a path inside a mount; completed by the mounts that run, then by directories."""

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[Any]:
        from click.shell_completion import CompletionItem

        from ..daemon import rundir

        found = [r.mountpoint for r in rundir.records() if r.alive() and r.mountpoint.startswith(incomplete)]
        return [CompletionItem(path) for path in found] or [CompletionItem(incomplete, type="dir")]


def json_option(what: str) -> Callable[[Function], Function]:
    """`--json`, given to the callback as `as_json`. `what`: what is printed, for the help."""
    help_ = f"As JSON: {what[0].lower()}{what[1:].rstrip('.')} (keys: mountnd help commands)"
    return click.option("--json", "as_json", is_flag=True, help=help_)


def complete_word(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[Any]:
    """Shell completion of a source or a mountpoint: names of sources and presets, then directories."""
    from click.shell_completion import CompletionItem

    from ..config.presets import names

    known = dict.fromkeys([*_configured(), *names()]) if incomplete else {}
    named = [CompletionItem(name) for name in known if name.startswith(incomplete)]
    return named or [CompletionItem(incomplete, type="dir")]


def _configured() -> list[str]:
    """The sources of the config file; none where it cannot be read, which completion does not complain of."""
    from ..config.resolve import read_inputs

    try:
        return list(read_inputs({}).file.sources)
    except MountndError:
        return []
