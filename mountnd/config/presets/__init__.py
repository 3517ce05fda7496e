"""The datasets that mountnd knows by name: one TOML file each in this directory, data and no code.

A file's name is the preset's name; a new preset is a new file and nothing else. `load` checks every key, so an
invalid file is found by the test that loads all of them, not by a person who mounts it.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from ...errors import ConfigError, UsageError
from ..option_types import RawValue, parse
from ..options import BY_NAME, OPTIONS
from ..parsers import did_you_mean

# Options that a preset may hold: facts about how to reach the dataset. They are parsed as in every other layer.
SETTINGS = tuple(option.name for option in OPTIONS if option.in_preset)


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """One dataset.

    Attributes:
        name: what is typed; also any of `aliases`.
        url: `s3://bucket/prefix` or an fsspec URL; "" for a dataset that comes as signed links (`links`).
        settings: the options it sets, as in `SETTINGS`.
        group: "featured" for the six that come first in the list, "more" for the others.
        title: a few words.
        modality: what was recorded, as its field says it: MRI, EEG, EM, ...; species: of whom. Empty where title and
            notes do not tell.
        licence, terms, terms_url, citation, home, layout: what a person should know; "" where unknown.
        keys: how to get credentials, where `anonymous` is false; one line.
        snapshots: address of the GraphQL service that knows the snapshots of its data sets, for `DATASET@TAG`; "" where
            there is none.
        snapshot_doi: the DOI of one, with {dataset} and {tag} in it.
        links: how to get the signed links, where there is no bucket to list; one line.
        accept: the terms ask for an agreement of each user, so a mount reminds of them.
        notes: oddities, one sentence each.
    """

    name: str
    title: str
    url: str = ""
    aliases: tuple[str, ...] = ()
    modality: tuple[str, ...] = ()
    species: tuple[str, ...] = ()
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
    snapshots: str = ""
    snapshot_doi: str = ""
    accept: bool = False
    notes: tuple[str, ...] = ()

    @property
    def anonymous(self) -> bool:
        """Whether it is public; its requests must never be signed with the user's keys then."""
        return self.settings.get("anonymous") is True

    def raw_values(self) -> dict[str, RawValue]:
        """Its settings, as a layer of options."""
        settings = {**self.settings} | ({"snapshots_url": self.snapshots} if self.snapshots else {})
        return {name: RawValue(value, f"preset {self.name}", Path("/")) for name, value in settings.items()}


_TEXTS = (
    "title", "url", "group", "licence", "terms", "terms_url", "citation", "home", "layout", "keys", "links",
    "snapshots", "snapshot_doi",
)  # fmt: skip
_LISTS = ("aliases", "modality", "species", "notes")
# Words of up to so many letters are abbreviations.
_ABBREVIATION = 3
_NAME = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")


def load(path: Path) -> Preset:
    """Read one preset file. Raises ConfigError that names the file and what is invalid in it."""
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as e:  # TOMLDecodeError and UnicodeDecodeError are ValueErrors
        raise ConfigError(f"{path}: {e}") from None

    def invalid(what: str) -> ConfigError:
        return ConfigError(f"{path}: {what}")

    for key, value in data.items():
        if key in _TEXTS:
            valid = isinstance(value, str)
        elif key in _LISTS:
            valid = isinstance(value, list) and all(isinstance(item, str) for item in value)
        elif key == "accept":
            valid = isinstance(value, bool)
        elif key in SETTINGS:
            continue
        else:
            raise invalid(f"unknown key {key}{did_you_mean(key, [*_TEXTS, *_LISTS, *SETTINGS, 'accept'])}")
        if not valid:
            raise invalid(f"{key} is {value!r}")
    names = [path.stem, *data.get("aliases", ())]
    if bad := [name for name in names if not _NAME.fullmatch(name)]:
        raise invalid(f"names are lower-case words with hyphens, not {bad[0]!r}")
    if not data.get("title") or bool(data.get("url")) == bool(data.get("links")):
        raise invalid("a preset has a title, and either url or links")
    if data.get("group", "more") not in ("featured", "more"):
        raise invalid(f"group is {data['group']!r}, not featured or more")
    settings = {name: data.pop(name) for name in SETTINGS if name in data}
    checked = settings | ({"snapshots_url": data["snapshots"]} if "snapshots" in data else {})
    for name, value in checked.items():
        try:
            parse(BY_NAME[name], RawValue(value, name, Path("/")))
        except UsageError as e:
            raise invalid(str(e)) from None
    if settings.get("anonymous") is True and "profile" in settings:
        raise invalid("anonymous and profile exclude each other")
    if settings.get("anonymous") is False and not data.get("keys"):
        raise invalid("a dataset that needs credentials says under `keys` how to get them")
    data.update({key: tuple(data[key]) for key in _LISTS if key in data})
    return Preset(name=path.stem, settings=settings, **data)


@cache
def load_all() -> Mapping[str, Preset]:
    """Every preset by its name, the featured ones first. Raises ConfigError, also for a name used twice."""
    found = [load(path) for path in sorted(Path(__file__).parent.glob("*.toml"))]
    found.sort(key=lambda preset: (preset.group != "featured", preset.name))
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


def names(*, aliases: bool = True) -> list[str]:
    """Every name, and every alias."""
    every = load_all().values()
    return [name for preset in every for name in (preset.name, *(preset.aliases if aliases else ()))]


def search(words: Iterable[str]) -> list[Preset]:
    """The presets in whose name, aliases, title, modality or species every one of `words` occurs, in any case; all of
    them for no words.

    A word of up to three letters is an abbreviation and not looked for inside other words, but for one letter before
    it: "eeg" finds iEEG and "mri" fMRI, "em" does not find NEMAR.
    """
    patterns = [re.compile(_pattern(word.casefold())) for part in words for word in part.split()]
    return [preset for preset in load_all().values() if all(p.search(_searched(preset)) for p in patterns)]


def _pattern(word: str) -> str:
    quoted = re.escape(word)
    return rf"\b[a-z]?{quoted}\b" if len(word) <= _ABBREVIATION else quoted


def _searched(preset: Preset) -> str:
    return "\n".join((preset.name, *preset.aliases, preset.title, *preset.modality, *preset.species)).casefold()
