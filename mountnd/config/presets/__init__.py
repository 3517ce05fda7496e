"""The datasets mountnd knows by name: one TOML file each in this directory, data and no code.

A file's name is the preset's name. `load` checks every key, so a file that cannot be meant is found by
the test that loads all of them, not by a person who mounts it.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from ...errors import ConfigError, UsageError
from .. import parsers as values
from ..options import BY_NAME, Given, read

# Connection facts that a preset may hold; they are options of a source, read by the options' own parsers.
SETTINGS = ("region", "path_style", "anonymous", "profile", "requester_pays", "ttl")


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """One dataset.

    Attributes:
        name: what is typed; also any of `aliases`.
        url: `s3://bucket/prefix` or an fsspec URL; "" for a dataset that comes as signed links (`links`).
        settings: the options it sets, as in `SETTINGS`.
        group: "asked" for the six the project began with, "more" for the others; orders the list.
        title: a few words.
        licence, terms, terms_url, citation, home, layout: what a person should know; "" where unknown.
        keys: how to get credentials, where `anonymous` is false; one line.
        links: how to get the signed links, where there is no bucket to list; one line.
        accept: the terms ask for an agreement of each user, so a mount reminds of them.
        notes: oddities, one sentence each.
    """

    name: str
    title: str
    url: str = ""
    aliases: tuple[str, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    group: str = "more"
    licence: str = ""
    terms: str = ""
    terms_url: str = ""
    citation: str = ""
    home: str = ""
    layout: str = ""
    keys: str = ""
    links: str = ""
    accept: bool = False
    notes: tuple[str, ...] = ()

    @property
    def anonymous(self) -> bool:
        """Whether it is public and must never be signed with the user's keys."""
        return self.settings.get("anonymous") is True

    def given(self) -> dict[str, Given]:
        """Its settings as a layer of options."""
        return {name: Given(value, f"preset {self.name}", Path("/")) for name, value in self.settings.items()}


_TEXTS = ("title", "url", "group", "licence", "terms", "terms_url", "citation", "home", "layout", "keys", "links")
_LISTS = ("aliases", "notes")
_NAME = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")


def load(path: Path) -> Preset:
    """Read one preset file. Raises ConfigError naming the file and what cannot be meant."""
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as e:  # TOMLDecodeError and UnicodeDecodeError are ValueErrors
        raise ConfigError(f"{path}: {e}") from None

    def wrong(what: str) -> ConfigError:
        return ConfigError(f"{path}: {what}")

    for key, value in data.items():
        if key in _TEXTS:
            fits = isinstance(value, str)
        elif key in _LISTS:
            fits = isinstance(value, list) and all(isinstance(item, str) for item in value)
        elif key == "accept":
            fits = isinstance(value, bool)
        elif key in SETTINGS:
            continue
        else:
            raise wrong(f"unknown key {key}{values.did_you_mean(key, [*_TEXTS, *_LISTS, *SETTINGS, 'accept'])}")
        if not fits:
            raise wrong(f"{key} is {value!r}")
    names = [path.stem, *data.get("aliases", ())]
    if bad := [name for name in names if not _NAME.fullmatch(name)]:
        raise wrong(f"names are lower-case words with hyphens, not {bad[0]!r}")
    if not data.get("title") or bool(data.get("url")) == bool(data.get("links")):
        raise wrong("a preset has a title, and either url or links")
    if data.get("group", "more") not in ("asked", "more"):
        raise wrong(f"group is {data['group']!r}, not asked or more")
    settings = {name: data.pop(name) for name in SETTINGS if name in data}
    for name, value in settings.items():
        try:
            read(BY_NAME[name], Given(value, name, Path("/")))
        except UsageError as e:
            raise wrong(str(e)) from None
    if settings.get("anonymous") is True and "profile" in settings:
        raise wrong("anonymous and profile exclude each other")
    if settings.get("anonymous") is False and not data.get("keys"):
        raise wrong("a dataset that needs credentials says under `keys` how to get them")
    data.update({key: tuple(data[key]) for key in _LISTS if key in data})
    return Preset(name=path.stem, settings=settings, **data)


@cache
def load_all() -> Mapping[str, Preset]:
    """Every preset by its name, the asked-for six first. Raises ConfigError, also for a name used twice."""
    found = [load(path) for path in sorted(Path(__file__).parent.glob("*.toml"))]
    found.sort(key=lambda preset: (preset.group != "asked", preset.name))
    owner: dict[str, str] = {}
    for preset in found:
        for name in (preset.name, *preset.aliases):
            if owner.setdefault(name, preset.name) != preset.name:
                raise ConfigError(f"the name {name} is taken by the presets {owner[name]} and {preset.name}")
    return {preset.name: preset for preset in found}


def find(word: str) -> Preset | None:
    """The preset of this name or alias, in any case."""
    folded = word.casefold()
    for preset in load_all().values():
        if folded == preset.name or folded in preset.aliases:
            return preset
    return None


def names() -> list[str]:
    """Every name and alias."""
    return [name for preset in load_all().values() for name in (preset.name, *preset.aliases)]
