"""`mountnd presets [NAME]`: what can be mounted by name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import click

from ...config.parsers import did_you_mean
from ...config.presets import Preset, find, load_all, names
from ...errors import UsageError
from .. import tables
from ..flags import TableCommand
from ..streams import show


@click.command(cls=TableCommand)
@click.argument("name", required=False, shell_complete=lambda _c, _p, word: [n for n in names() if word in n])
def presets(name: str | None) -> None:
    """List the datasets known by name, or tell all about one."""
    if name is None:
        tables.show(["Name", "Dataset", "Access"], grouped(load_all().values()))
        show("")
        tables.details([("More about one", "mountnd presets NAME"), ("To mount one", "mountnd NAME DIR")])
        return
    preset = find(name)
    if preset is None:
        raise UsageError(f"{name}: no such preset{did_you_mean(name, names())} (`mountnd presets` lists them)")
    tables.details(details(preset))


# `Preset.group` -> its heading.
_GROUPS = {"featured": "Featured", "more": "More"}


def grouped(found: Iterable[Preset]) -> Iterator[tables.Row | tables.Group]:
    """Rows of presets below the headings of their groups; what needs keys or links stands out."""
    group = ""
    for preset in found:
        if preset.group != group:
            group = preset.group
            yield tables.Group(_GROUPS.get(group, group.capitalize()))
        how = access(preset)
        yield [preset.name, preset.title, tables.Cell(how, "ok" if how == "public" else "warn")]


def access(preset: Preset) -> str:
    """How a person gets at the data: `public`, `keys` or `links`."""
    if preset.links:
        return "links"
    return "public" if preset.anonymous else "keys"


def details(preset: Preset) -> Iterator[tuple[str, str]]:
    """Labelled lines about one preset."""
    yield "Name", ", also ".join([preset.name, ", ".join(preset.aliases)] if preset.aliases else [preset.name])
    yield "Dataset", preset.title
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
    for note in preset.notes:
        yield "Note", note
    yield "To mount", f"mountnd {preset.name} DIR" + (" --urls FILE" if preset.links else "")
