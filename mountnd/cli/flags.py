"""The option table as click options: flags of a verb, `-o`, and the help sections they stand in."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from ..config.options import OPTIONS, Given, Option, for_verb, parse_o
from ..config.presets import names
from ..config.resolve import layers_of_call

Function = Callable[..., Any]

_SECTIONS = (("source", "Source"), ("mount", "Mount"), ("call", "This command"))


class TableOption(click.Option):
    """A click option made of a line of the table. Its text is read later, by `options.read`, as every layer's is."""

    def __init__(self, option: Option) -> None:
        self.section = option.scope
        self.table = option
        declared = [option.short] if option.short else []
        shown = f" [{option.default_text}]" if option.default_text not in ("", "false", "none", "0") else ""
        common: dict[str, Any] = {"help": option.help + shown, "default": None}
        if option.kind.counts:
            super().__init__([*declared, option.flag, option.name], count=True, **common)
        elif not option.kind.metavar:
            both = f"{option.flag}/--no-{option.flag[2:]}"
            super().__init__([*declared, both, option.name], is_flag=True, **common)
        else:
            super().__init__([*declared, option.flag, option.name], metavar=option.kind.metavar, **common)

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        record = super().get_help_record(ctx)
        if record is None or not self.secondary_opts:
            return record
        # "--[no-]x": both spellings of every switch would not fit beside their help in 80 columns.
        short = f"{self.table.short}, " if self.table.short else ""
        return f"{short}--[no-]{self.table.flag[2:]}", record[1]


class TableCommand(click.Command):
    """A command whose options are shown in the table's sections, at most 80 columns wide."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("context_settings", {"help_option_names": ["-h", "--help"], "max_content_width": 80})
        super().__init__(*args, **kwargs)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        sections: dict[str, list[tuple[str, str]]] = {}
        for param in self.get_params(ctx):
            record = param.get_help_record(ctx)
            if record is not None and isinstance(param, click.Option):
                sections.setdefault(getattr(param, "section", "call"), []).append(record)
        for name, title in _SECTIONS:
            if rows := sections.get(name):
                with formatter.section(title if len(sections) > 1 else "Options"):
                    formatter.write_dl(rows)


class _DashO(click.Option):
    section = "call"


def takes_options(verb: str) -> Callable[[Function], Function]:
    """Give a click callback the table's flags of `verb`, and `-o`. It gets `layers` (`config.Layers`) for them."""

    def decorate(function: Function) -> Function:
        @functools.wraps(function)
        def wrapper(*args: Any, dash_o: tuple[str, ...] = (), **kwargs: Any) -> Any:
            given = {option.name: kwargs.pop(option.name) for option in for_verb(verb)}
            cwd = Path.cwd()
            typed = {**parse_o(dash_o, cwd), **_typed(given, cwd)}
            return function(*args, layers=layers_of_call(typed, cwd=cwd), **kwargs)

        params = getattr(wrapper, "__click_params__", None)
        if params is None:
            params = wrapper.__click_params__ = []  # type: ignore[attr-defined]
        # click collects decorators' parameters last first.
        dash_o = _DashO(
            ["-o", "dash_o"],
            multiple=True,
            metavar="OPT[,OPT...]",
            help="the same options as mount(8) and fstab give them, such as ttl=60,allow_other",
        )
        params.extend(reversed([*(TableOption(option) for option in for_verb(verb)), dash_o]))
        return wrapper

    return decorate


def _typed(given: dict[str, Any], cwd: Path) -> dict[str, Given]:
    """What the flags said, by the options' names."""
    found = {}
    for option in OPTIONS:
        value = given.get(option.name)
        if value is None or (option.kind.counts and value == 0):
            continue
        flag = f"--no-{option.flag[2:]}" if value is False else option.flag
        found[option.name] = Given(value, flag, cwd)
    return found


def complete_word(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[Any]:
    """Shell completion of a source or a mountpoint: presets' names, then directories."""
    from click.shell_completion import CompletionItem

    named = [CompletionItem(name) for name in names() if name.startswith(incomplete)] if incomplete else []
    return named or [CompletionItem(incomplete, type="dir")]
