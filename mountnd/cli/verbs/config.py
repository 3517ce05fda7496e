"""`mountnd config [SOURCE] [MOUNTPOINT]`: the settings in effect, each with where it came from."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import click

from ...config.layers import ResolvedOption, ResolvedOptions
from ...config.option_types import MEMORY, MODE, SHARED_MODE, SIZE, URLS, Option
from ...config.parsers import size_text
from ...config.resolve import ConfigInputs, ResolvedSource, is_source, resolve_mount, resolve_source
from .. import tables
from ..flags import TableCommand, complete_word, json_option, with_options
from ..streams import show, show_json


@click.command(cls=TableCommand)
@click.argument("words", nargs=-1, metavar="[SOURCE] [MOUNTPOINT]", shell_complete=complete_word)
@json_option("The settings, each with its value and origin.")
@with_options("config")
def config(inputs: ConfigInputs, words: tuple[str, ...], as_json: bool) -> None:
    """Show the settings that `mountnd [SOURCE] MOUNTPOINT` would have, or those of a SOURCE.

    Each is shown with where it came from. A flag overrides an environment variable,
    which overrides the config file, the preset and the default, in this order.
    Without arguments: the settings of every mount.
    """
    shown = _Shown(inputs)
    if not words:
        shown = shown._replace(options=inputs.all_options())
    elif len(words) == 1 and is_source(words[0], inputs):
        source = resolve_source(words[0], inputs)
        shown = shown._replace(sources=(source,), notices=source.notices)
    else:
        mount = resolve_mount(words, inputs)
        where, notices = mount.config.mountpoint, tuple(mount.notices)
        shown = shown._replace(sources=mount.sources, mountpoint=where, options=mount.options, notices=notices)
    if as_json:
        show_json(_told(shown), indent=2)
    else:
        _print(shown)


class _Shown(NamedTuple):
    """What is shown: the settings of sources, and of the mount that shows them."""

    inputs: ConfigInputs
    sources: tuple[ResolvedSource, ...] = ()
    mountpoint: Path | None = None
    options: ResolvedOptions | None = None
    notices: tuple[str, ...] = ()


def _print(shown: _Shown) -> None:
    file, head = shown.inputs.file, ["Setting", "Value", "From"]
    show(f"Config file: {file.path or 'none'}")
    for source in shown.sources:
        show("")
        rows = [_url_row(source), *_rows(source.options)]
        tables.show(head, rows, title=f"Source {source.config.name}")
    if shown.options:
        show("")
        title = f"Mount {shown.mountpoint}" if shown.mountpoint else "Every mount, unless set otherwise"
        tables.show(head, _rows(shown.options), title=title)
    show(*shown.notices)
    if not shown.sources:
        _list("Sources", (f"{name}  {entry.url or entry.preset}" for name, entry in file.sources.items()))
        _list("Mounts", (f"{where}  {' '.join(e.sources)}".rstrip() for where, e in file.mounts.items()))


def _url_row(source: ResolvedSource) -> list[str]:
    url, preset = source.config.url, source.config.preset
    return ["url", url or "signed links", f"preset {preset}" if preset else "given"]


def _told(shown: _Shown) -> dict[str, Any]:
    """The keys of `--json`; they stand in help/commands.md."""
    file = shown.inputs.file
    return {
        "config_file": str(file.path) if file.path else None,
        "mountpoint": str(shown.mountpoint) if shown.mountpoint else None,
        "settings": _settings(shown.options or {}),
        "sources": [
            {
                "name": source.config.name,
                "url": source.config.url or None,
                "preset": source.config.preset or None,
                "settings": _settings(source.options),
            }
            for source in shown.sources
        ],
        "notices": list(shown.notices),
    }


def _settings(options: ResolvedOptions) -> dict[str, Any]:
    return {
        r.option.name: {"value": None if r.value is None else value_text(r.option, r.value), "from": r.origin}
        for r in options.values()
    }


def _rows(options: ResolvedOptions) -> Iterator[tables.Row]:
    unset = [r.option.name for r in options.values() if _is_unset(r)]
    for resolved in options.values():
        if resolved.option.name in unset:
            continue
        origin = tables.Cell(resolved.origin, "aside" if resolved.origin == "default" else "")
        yield [resolved.option.name, value_text(resolved.option, resolved.value), origin]
    if unset:
        yield ["(not set)", ", ".join(unset), tables.Cell("default", "aside")]


def _is_unset(resolved: ResolvedOption) -> bool:
    """Whether it stands for nothing by default: such options share a line."""
    return resolved.origin == "default" and value_text(resolved.option, resolved.value) == "none"


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
    if option.kind in (MODE, SHARED_MODE):
        return f"{value:04o}"
    if option.kind is URLS:
        return ",".join(value) or option.default_text
    if option.kind in (SIZE, MEMORY):
        return size_text(value)
    return f"{value:g}" if isinstance(value, float) else str(value)
