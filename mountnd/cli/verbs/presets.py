"""`mountnd presets [NAME | WORDS]`: what can be mounted by name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict
from typing import Any

import click

from ...config.parsers import did_you_mean
from ...config.presets import Preset, find, names, search
from ...errors import UsageError
from .. import tables
from ..flags import TableCommand, json_option
from ..streams import show, show_json


def _complete(_ctx: click.Context, _param: click.Parameter, word: str) -> list[str]:
    return [name for name in names() if word in name]


@click.command(cls=TableCommand)
@click.argument("words", metavar="[NAME | WORDS]", nargs=-1, shell_complete=_complete)
@json_option("All about each that matches.")
def presets(words: tuple[str, ...], as_json: bool) -> None:
    """List the datasets known by name, tell all about one, or search them.

    WORDS are looked for in names, titles, modalities and species; all of them must match:

    \b
      mountnd presets openneuro
      mountnd presets mri human
    """
    one = find(words[0]) if len(words) == 1 else None
    found = [one] if one else search(words)
    if not found:
        said = " ".join(words)
        raise UsageError(f"{said}: no such preset{did_you_mean(said, names())} (`mountnd presets` lists them)")
    if as_json:
        show_json([as_told(preset) for preset in found], indent=2)
    elif one:
        tables.details(details(one))
    else:
        tables.show(["Name", "Dataset", "Access"], map(_row, found) if words else grouped(found))
        counted = f"{len(found)} of {len(names(aliases=False))} datasets" if words else f"{len(found)} datasets"
        show("", counted)
        tables.details([("More about one", "mountnd presets NAME"), ("To mount one", "mountnd NAME DIR")])


def as_told(preset: Preset) -> dict[str, Any]:
    """The keys of `--json`: those of the preset's file, its name, and how it is reached."""
    told = {**asdict(preset), "settings": dict(preset.settings), "access": access(preset)}
    return {key: list(value) if isinstance(value, tuple) else value for key, value in told.items()}


# `Preset.group` -> its heading.
_GROUPS = {"featured": "Featured", "more": "More"}


def grouped(found: Iterable[Preset]) -> Iterator[tables.Row | tables.Group]:
    """Rows of presets below the headings of their groups."""
    group = ""
    for preset in found:
        if preset.group != group:
            group = preset.group
            yield tables.Group(_GROUPS.get(group, group.capitalize()))
        yield _row(preset)


def _row(preset: Preset) -> tables.Row:
    """What needs keys or links stands out."""
    how = access(preset)
    return [preset.name, preset.title, tables.Cell(how, "ok" if how == "public" else "warn")]


def access(preset: Preset) -> str:
    """How a person gets at the data: `public`, `keys` or `links`."""
    if preset.links:
        return "links"
    return "public" if preset.anonymous else "keys"


def details(preset: Preset) -> Iterator[tuple[str, str]]:
    """Labelled lines about one preset."""
    yield "Name", ", also ".join([preset.name, ", ".join(preset.aliases)] if preset.aliases else [preset.name])
    yield "Dataset", preset.title
    yield "Modality", ", ".join(preset.modality)
    yield "Species", ", ".join(preset.species)
    yield "Source", preset.url or "signed links"
    if region := preset.settings.get("region"):
        yield "Region", str(region)
    signing = {"public": "public, read unsigned", "keys": "needs AWS keys", "links": "needs signed links"}
    yield "Access", signing[access(preset)]
    if profile := preset.settings.get("profile"):
        yield "Profile", f"{profile}, else the default AWS credential chain"
    ttl = preset.settings.get("ttl")
    if ttl is not None:
        yield "Listings", "kept for good (a frozen release)" if ttl == "indefinite" else f"kept for {ttl} s"
    yield "To get keys", preset.keys
    yield "To get links", preset.links
    yield "Licence", preset.licence
    yield "Terms", " ".join(filter(None, [preset.terms, preset.terms_url]))
    yield "Please cite", preset.citation
    yield "Home", preset.home
    yield "Layout", preset.layout
    if preset.snapshots:
        yield "Snapshots", f"{preset.name}/DATASET@TAG; mountnd versions {preset.name}/DATASET lists them"
    for note in preset.notes:
        yield "Note", note
    yield "To mount", f"mountnd {preset.name} DIR" + (" --urls FILE" if preset.links else "")
