"""The config file: TOML with [defaults], [sources.NAME] and [mounts."/where"], read and checked as a whole.

[defaults]
memory = "2G"

[sources.lab]
url = "s3://our-bucket/bids"
endpoint_url = "https://s3.example.org"

[mounts."/mnt/brains"]
sources = ["lab", "openneuro"]
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import ConfigError, UsageError
from ..regular_file import Untrusted, open_regular, read_all
from .home import expand_home
from .option_types import Option, RawValue, parse, shown
from .options import OPTIONS
from .parsers import did_you_mean

# Bytes of a config file; a larger one is something else.
LARGEST = 1 << 20


@dataclass(frozen=True, slots=True)
class SourceEntry:
    """[sources.NAME]: a URL, a preset, or both (then the URL replaces the preset's)."""

    name: str
    url: str = ""
    preset: str = ""
    options: Mapping[str, RawValue] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class MountEntry:
    """[mounts."/where"]: words for its sources, and options. Without words, the mountpoint's name is the source's."""

    where: Path
    sources: tuple[str, ...] = ()
    options: Mapping[str, RawValue] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ConfigFile:
    """The content of the file. `path` is None when there is no file."""

    path: Path | None = None
    defaults: Mapping[str, RawValue] = field(default_factory=dict)
    sources: Mapping[str, SourceEntry] = field(default_factory=dict)
    mounts: Mapping[Path, MountEntry] = field(default_factory=dict)


def xdg_directory(environ: Mapping[str, str], variable: str, default: str) -> Path | None:
    """A directory of the XDG base directory specification, which wants relative ones ignored.

    None where the default lies in the home directory and this user has none.
    """
    named = environ.get(variable) or ""
    try:
        return Path(named if os.path.isabs(named) else expand_home(default))
    except LookupError:
        return None


def find(directory: Path | None) -> Path | None:
    """The config file in the user's `directory` for those; None where there is none.

    Raises ConfigError where that cannot be found out: going on without the settings would be a guess.
    """
    if directory is None:
        return None
    path = directory / "mountnd" / "config.toml"
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as e:
        raise ConfigError(
            f"{path}: cannot look for the config file: {e.strerror}; name another with --config"
        ) from None
    return path


def load(path: Path) -> ConfigFile:
    """Read and check the file at `path`. Raises ConfigError; syntax errors carry the line."""
    try:
        data = tomllib.loads(_read(path).decode())
    except OSError as e:
        raise ConfigError(f"{path}: cannot read the config file: {e.strerror}") from None
    except UnicodeDecodeError as e:
        line = e.object[: e.start].count(b"\n") + 1
        raise ConfigError(f"{path}: the config file is not UTF-8 (at line {line})") from None
    except RecursionError:
        raise ConfigError(f"{path}: bad TOML: tables or lists nested too deeply") from None
    except ValueError as e:  # a TOMLDecodeError, or a number of more digits than Python takes
        raise ConfigError(f"{path}: bad TOML: {e}") from None
    _check_keys(path, "", data, ("defaults", "sources", "mounts"))
    all_options = [option for option in OPTIONS if option.in_file]
    source_options = [option for option in all_options if option.scope == "source"]
    defaults = _table(path, "defaults", data.get("defaults", {}))
    _check_keys(path, "[defaults] ", defaults, [o.name for o in all_options])
    sources = {}
    for name, table in _table(path, "sources", data.get("sources", {})).items():
        sources[name] = _source(path, name, table, source_options)
    mounts = {}
    for where, table in _table(path, "mounts", data.get("mounts", {})).items():
        entry = _mount(path, where, table, all_options)
        mounts[entry.where] = entry
    return ConfigFile(path, _options_of(path, "[defaults]", defaults, all_options), sources, mounts)


def _read(path: Path) -> bytes:
    """What the file holds. Raises OSError, for a FIFO or a device too: reading from one may never end."""
    try:
        return read_all(open_regular(path), LARGEST)
    except Untrusted:
        if os.path.samefile(path, os.devnull):  # the usual name of no file
            return b""
        raise


def _source(path: Path, name: str, table: Any, known: list[Option]) -> SourceEntry:
    where = f"[sources.{name}]"
    if not name or "/" in name or name in (".", "..") or len(name.encode()) > 255 or not name.isprintable():
        raise ConfigError(f"{path}: {where}: a source's name becomes a directory, so it cannot be {name!r}")
    entries = _table(path, f"sources.{name}", table)
    _check_keys(path, f"{where} ", entries, ["url", "preset", *(o.name for o in known)])
    words = {key: _text(path, f"{where} {key}", entries[key]) for key in ("url", "preset") if key in entries}
    if not words and "urls" not in entries:
        raise ConfigError(f'{path}: {where} needs url = "s3://bucket/prefix", preset = "NAME" or urls = "FILE"')
    return SourceEntry(name, words.get("url", ""), words.get("preset", ""), _options_of(path, where, entries, known))


def _mount(path: Path, text: str, table: Any, known: list[Option]) -> MountEntry:
    where = f'[mounts."{text}"]'
    try:
        expanded = expand_home(text)
    except LookupError as e:
        raise ConfigError(f"{path}: {where}: {e}; write the whole path of the mountpoint") from None
    if not os.path.isabs(expanded):
        raise ConfigError(f'{path}: {where}: write the whole path of the mountpoint, as in [mounts."/mnt/{text}"]')
    entries = _table(path, f"mounts.{text}", table)
    _check_keys(path, f"{where} ", entries, ["source", "sources", *(o.name for o in known)])
    if "source" in entries and "sources" in entries:
        raise ConfigError(f'{path}: {where} has both source and sources: write sources = ["A", "B"]')
    words: tuple[str, ...] = ()
    if "source" in entries:
        words = (_text(path, f"{where} source", entries["source"]),)
    elif "sources" in entries:
        listed = entries["sources"]
        if not isinstance(listed, list) or not listed:
            raise ConfigError(f'{path}: {where} sources: write a list of names, as in sources = ["openneuro", "lab"]')
        words = tuple(_text(path, f"{where} sources", word) for word in listed)
    return MountEntry(Path(os.path.normpath(expanded)), words, _options_of(path, where, entries, known))


def _options_of(path: Path, where: str, table: Mapping[str, Any], known: list[Option]) -> dict[str, RawValue]:
    """The options of a table; parsed here too, so that an invalid one is found even if nothing needs it today."""
    found = {o.name: RawValue(table[o.name], f"{path} {where}", path.parent) for o in known if o.name in table}
    for option in known:
        if option.name in found:
            try:
                parse(option, found[option.name])
            except UsageError as e:
                raise ConfigError(str(e)) from None
    return found


_OPTION_NAMES = frozenset(option.name for option in OPTIONS)
_BELOW = ": options stand in a table, write [defaults] above it"


def _check_keys(path: Path, where: str, table: Mapping[str, Any], known: Iterable[str]) -> None:
    names = list(known)
    for key in table:
        if key not in names:
            hint = (
                did_you_mean(key, names)
                or (_BELOW if not where and key in _OPTION_NAMES else "")
                or f": it may hold {', '.join(names)}"
            )
            raise ConfigError(f"{path}: {where}unknown key {key}{hint}")


def _table(path: Path, where: str, value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ConfigError(f"{path}: {where} must be a table, written [{where}]")
    return value


def _text(path: Path, where: str, value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ConfigError(f"{path}: {where}: {shown(value)} is not text in quotes")
    return value.strip()
