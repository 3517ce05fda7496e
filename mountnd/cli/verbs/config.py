"""`mountnd config [[SOURCE] MOUNTPOINT]`: the settings in effect, each with where it came from."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Any

import click

from ...config.layers import ResolvedOptions
from ...config.option_types import MEMORY, MODE, SIZE, Option
from ...config.parsers import size_text
from ...config.resolve import ConfigInputs, resolve_mount
from .. import tables
from ..flags import TableCommand, complete_word, with_options
from ..streams import show


@click.command(cls=TableCommand)
@click.argument("words", nargs=-1, metavar="[[SOURCE] MOUNTPOINT]", shell_complete=complete_word)
@with_options("config")
def config(inputs: ConfigInputs, words: tuple[str, ...]) -> None:
    """Show the settings that `mountnd [SOURCE] MOUNTPOINT` would have.

    Each is shown with where it came from. A flag overrides an environment variable,
    which overrides the config file, the preset and the default, in this order.
    Without arguments: the settings of every mount.
    """
    file, head = f"Config file: {inputs.file.path or 'none'}", ["Setting", "Value", "From"]
    if words:
        resolved = resolve_mount(words, inputs)
        show(file)
        for source in resolved.sources:
            url, preset = source.config.url, source.config.preset
            show("")
            rows: list[tables.Row] = [["url", url or "signed links", f"preset {preset}" if preset else "given"]]
            tables.show(head, rows + list(_rows(source.options)), title=f"Source {source.config.name}")
        show("")
        tables.show(head, _rows(resolved.options), title=f"Mount {resolved.config.mountpoint}")
        show(*resolved.notices)
        return
    options = inputs.all_options()
    show(file, "")
    tables.show(head, _rows(options), title="Every mount, unless set otherwise")
    _list("Sources", (f"{name}  {entry.url or entry.preset}" for name, entry in inputs.file.sources.items()))
    _list("Mounts", (f"{where}  {' '.join(e.sources)}".rstrip() for where, e in inputs.file.mounts.items()))


def _rows(options: ResolvedOptions) -> Iterator[tables.Row]:
    for resolved in options.values():
        origin = tables.Cell(resolved.origin, "aside" if resolved.origin == "default" else "")
        yield [resolved.option.name, value_text(resolved.option, resolved.value), origin]


def _list(title: str, lines: Iterable[str]) -> None:
    found = list(lines)
    if found:
        show("", f"{title} of the config file", *(f"  {line}" for line in found))


def value_text(option: Option, value: Any) -> str:
    """A value as a flag would take it; where there is none, what the default means."""
    if value is None:
        return option.default_text
    if value == math.inf:
        return "indefinite"
    if isinstance(value, bool):
        return "true" if value else "false"
    if option.kind is MODE:
        return f"{value:04o}"
    if option.kind in (SIZE, MEMORY):
        return size_text(value)
    return f"{value:g}" if isinstance(value, float) else str(value)
