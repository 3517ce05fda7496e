"""The head of a lockfile: where its objects are, and how it was made. TOML. Pure."""

from __future__ import annotations

import json
import re
import tomllib
from dataclasses import dataclass, fields

from ..errors import ConfigError, MountndError

FORMAT = 1
TITLE = "# mountnd lockfile: each object of a dataset at one version. `mountnd THIS_FILE DIR` mounts them.\n"
END = "---"

# How a lockfile was made.
ORIGINS = ("listing", "snapshot", "as-of", "report", "import")


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """What a lockfile says before its objects. Texts are "" where there is nothing to say.

    Attributes:
        source: the URL of the source, as sources have it: `s3://bucket/prefix`.
        root: the key prefix below which paths begin: "" or ending in "/".
        name: what the source is called in a mount.
        preset: the preset that it came from.
        endpoint_url, region, anonymous, path_style: the options of the source by which its objects are reached.
        origin: how the file was made, one of `ORIGINS`.
        tag, doi: of the snapshot.
        as_of: the moment that was asked for (ISO 8601, UTC).
        created: when the objects were asked for (ISO 8601, UTC).
        made_by: the program and its version.
    """

    source: str
    root: str = ""
    name: str = ""
    preset: str = ""
    endpoint_url: str = ""
    region: str = ""
    anonymous: bool | None = None
    path_style: bool | None = None
    origin: str = "listing"
    tag: str = ""
    doi: str = ""
    as_of: str = ""
    created: str = ""
    made_by: str = ""


_FIELDS = tuple(field.name for field in fields(Header))
_SWITCHES = ("anonymous", "path_style")


def text_of(header: Header) -> str:
    """The header as it stands in a file, without its last line. Raises MountndError for text that is not UTF-8."""
    said = {name: getattr(header, name) for name in _FIELDS}
    lines = [f"{name} = {_toml(value)}\n" for name, value in said.items() if value not in ("", None)]
    text = f"{TITLE}format = {FORMAT}\n{''.join(lines)}"
    try:
        text.encode()
    except UnicodeEncodeError:
        raise MountndError(f"{header.source!r}: a lockfile cannot name a source whose URL is not UTF-8") from None
    return text


def header_of(text: str, path: str) -> Header:
    """The header of the lockfile `path`. Raises ConfigError, which names the file and the line."""
    try:
        said = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        found = re.search(r"\(at line (\d+), column (\d+)\)", str(error))
        where = f"{path}, line {found[1]}" if found else path
        why = str(error).partition(" (at ")[0] or "nested too deeply"
        raise ConfigError(f"{where}: the header is not TOML: {why}; mend it, or make the lockfile anew") from None
    version = said.pop("format", None)
    if isinstance(version, int) and version > FORMAT:
        raise ConfigError(
            f"{path}: format {version} of lockfiles is newer than this mountnd, which reads {FORMAT}: update it"
        )
    if version != FORMAT or isinstance(version, bool):
        raise ConfigError(
            f"{_where(text, 'format', path)}: write format = {FORMAT}; {version!r} is no format of lockfiles"
        )
    for name, value in said.items():
        if name not in _FIELDS:
            raise ConfigError(f"{_where(text, name, path)}: {name!r} is nothing a lockfile says: {', '.join(_FIELDS)}")
        kind = bool if name in _SWITCHES else str
        if not isinstance(value, kind):
            meant = "true or false" if kind is bool else "a text in quotes"
            raise ConfigError(f"{_where(text, name, path)}: {name} must be {meant}, not {value!r}")
    if not said.get("source"):
        raise ConfigError(f'{path}: the header does not name its source; write source = "s3://BUCKET/PREFIX"')
    header = Header(**said)
    if header.root and not header.root.endswith("/"):
        raise ConfigError(f"{_where(text, 'root', path)}: root must end in /, or be left out")
    if header.origin not in ORIGINS:
        raise ConfigError(
            f"{_where(text, 'origin', path)}: origin is one of {', '.join(ORIGINS)}, not {header.origin!r}"
        )
    return header


def _toml(value: str | bool) -> str:
    """A text or a switch: JSON writes them as TOML does, but for DEL."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _where(text: str, name: str, path: str) -> str:
    found = re.search(rf"^\s*[\[\"']*{re.escape(name)}\b", text, re.MULTILINE)
    return f"{path}, line {text.count(chr(10), 0, found.end()) + 1}" if found else path
