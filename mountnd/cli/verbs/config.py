"""`mountnd config [[SOURCE] MOUNTPOINT]`: the settings in effect, each with where it came from."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Any

import click

from ...config.options import MEMORY as MEMORY_KIND
from ...config.options import MODE, SIZE, Option
from ...config.resolve import Layers, Settings, resolve
from .. import tables
from ..flags import TableCommand, complete_word, takes_options


@click.command(cls=TableCommand)
@click.argument("words", nargs=-1, metavar="[[SOURCE] MOUNTPOINT]", shell_complete=complete_word)
@takes_options("config")
def config(layers: Layers, words: tuple[str, ...]) -> None:
    """Show the settings that `mountnd [SOURCE] MOUNTPOINT` would have.

    Each with where it came from. A flag goes before a variable of the environment,
    that before the config file, that before the preset, that before the default.
    Without arguments: what holds for every mount.
    """
    file, head = f"Config file: {layers.file.path or 'none'}", ["Setting", "Value", "From"]
    if words:
        resolved = resolve(words, layers)
        click.echo(file)
        for source in resolved.config.sources:
            click.echo()
            rows = [["url", source.url or "signed links", f"preset {source.preset}" if source.preset else "given"]]
            tables.show(head, rows + list(_rows(resolved.source_settings[source.name])), title=f"Source {source.name}")
        click.echo()
        tables.show(head, _rows(resolved.settings), title=f"Mount {resolved.config.mountpoint}")
        for notice in resolved.notices:
            click.echo(notice)
        return
    every = layers.anything()
    click.echo(f"{file}\n")
    tables.show(head, _rows(every), title="Every mount, where nothing else is said")
    _list("Sources", (f"{name}  {entry.url or entry.preset}" for name, entry in layers.file.sources.items()))
    _list("Mounts", (f"{where}  {' '.join(e.sources)}".rstrip() for where, e in layers.file.mounts.items()))


def _rows(settings: Settings) -> Iterator[list[str]]:
    for setting in settings.values():
        yield [setting.option.name, written(setting.option, setting.value), setting.origin]


def _list(title: str, lines: Iterable[str]) -> None:
    found = list(lines)
    if found:
        click.echo("\n".join([f"\n{title} of the config file", *(f"  {line}" for line in found)]))


def written(option: Option, value: Any) -> str:
    """A value as it would be written in a flag; what the default means where there is none."""
    if value is None:
        return option.default_text
    if value == math.inf:
        return "indefinite"
    if isinstance(value, bool):
        return "true" if value else "false"
    if option.kind is MODE:
        return f"{value:04o}"
    if option.kind in (SIZE, MEMORY_KIND):
        return _size(value)
    return f"{value:g}" if isinstance(value, float) else str(value)


def _size(value: int) -> str:
    for power, letter in ((4, "T"), (3, "G"), (2, "M"), (1, "K")):
        if value and value % 1024**power == 0:
            return f"{value // 1024**power}{letter}"
    return str(value)
