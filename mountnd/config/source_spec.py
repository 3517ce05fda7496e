"""From the words a person types to sources: a preset, a name of the config file, or a URL."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import ConfigError, UsageError
from . import presets
from .file import ConfigFile, MountEntry
from .parsers import did_you_mean
from .presets import Preset

# What fsspec knows by itself (its registry), less what cannot be read without more than a URL. Others may be
# added by packages; see `_is_scheme`.
SCHEMES = """
    abfs abfss adl az box dav davs dropbox file ftp gcs gdrive gs hdfs hf http https lakefs local memory oci ocilake
    oss s3 s3a sftp smb ssh webdav webhdfs
"""
# As botocore accepts them: also older names with capitals and underscores.
_BUCKET = re.compile(r"[A-Za-z0-9.\-_]{3,255}")


@dataclass(frozen=True, slots=True)
class Found:
    """What a source word means.

    Attributes:
        name: what the source is called in this mount.
        url: "" for a dataset of signed links.
        entry: its name in the config file, "" when it is not from there.
    """

    name: str
    url: str
    preset: Preset | None = None
    entry: str = ""

    @property
    def shown(self) -> str:
        return self.url or self.name


def split(words: Sequence[str], file: ConfigFile, cwd: Path) -> tuple[str | None, Path]:
    """`[SOURCE] MOUNTPOINT` as the source's word, None when only a mountpoint was given, and the mountpoint.

    Raises UsageError with the commands that may have been meant.
    """
    if not words:
        raise UsageError("the mountpoint is missing: mountnd [SOURCE] MOUNTPOINT, for example: mountnd ~/openneuro")
    if len(words) > 2:
        shown = " ".join(shlex.quote(word) for word in words)
        raise UsageError(f"too many words: mountnd [SOURCE] MOUNTPOINT takes one or two, not {shown}")
    last = words[-1]
    if len(words) == 2:
        if "://" in last:
            raise UsageError(f"the source goes before the mountpoint: mountnd {last} {words[0]}")
        if not last:
            raise UsageError("the mountpoint is empty")
        return words[0], Path(os.path.abspath(cwd / last))
    if "://" in last:
        raise UsageError(f"where to mount it is missing: mountnd {last} DIR")
    if not last:
        raise UsageError("the mountpoint is empty")
    if "/" not in last and (last in file.sources or presets.find(last)):
        what = "a source of the config file" if last in file.sources else "a preset"
        raise UsageError(
            f"{last} is {what}; where to mount it is missing: `mountnd {last} DIR` mounts it at DIR, "
            f"`mountnd ./{last}` at the directory {last} here"
        )
    return None, Path(os.path.abspath(cwd / last))


def entry_for(mountpoint: Path, file: ConfigFile) -> MountEntry | None:
    """The config file's [mounts] entry for this place, also when its parent is reached by a link."""
    if mountpoint in file.mounts:
        return file.mounts[mountpoint]
    place = _place(mountpoint)
    return next((entry for where, entry in file.mounts.items() if _place(where) == place), None)


def _place(path: Path) -> Path:
    # The parent only: a stale mount at the path itself would answer with an error, or not at all.
    return Path(os.path.realpath(path.parent)) / path.name


def by_mountpoint(mountpoint: Path, file: ConfigFile) -> Found:
    """The source or preset that is called like the mountpoint's last component. Raises UsageError with near names."""
    name = mountpoint.name
    if name in file.sources or presets.find(name):
        return _named(name, file)
    hint = did_you_mean(name, [*file.sources, *presets.names()])
    raise UsageError(
        f"{mountpoint}: no source or preset is called {name or '/'}{hint or ';'} "
        f"Say what to mount: mountnd SOURCE {mountpoint} (`mountnd presets` lists names)"
    )


def find(word: str, file: ConfigFile, cwd: Path) -> Found:
    """The source that `word` names: a source of the config file, a preset, one of them with a path below it, a URL.

    Raises UsageError with near names.
    """
    if "://" in word:
        return Found(_name_of(word), check_url(word, cwd))
    head, slash, below = word.partition("/")
    if head in file.sources or presets.find(head):
        found = _named(head, file)
        if not below.strip("/"):
            return found
        if not found.url:
            raise UsageError(f"{word}: {head} is a list of signed links and has no {below}")
        return Found(_name_of(below), f"{found.url.rstrip('/')}/{below}", found.preset, found.entry)
    if slash or (cwd / word).exists():
        path = os.path.abspath(cwd / word)
        raise UsageError(f"{word} is no source; for a local directory write file://{path}, for a bucket s3://BUCKET")
    hint = did_you_mean(word, [*file.sources, *presets.names()])
    if not hint and _BUCKET.fullmatch(word):
        hint = f"; for a bucket write s3://{word}"
    raise UsageError(f"{word}: no such source or preset{hint} (`mountnd presets` lists them)")


def _named(word: str, file: ConfigFile) -> Found:
    entry = file.sources.get(word)
    if entry is None:
        preset = presets.find(word)
        assert preset is not None
        return Found(word, preset.url, preset)
    preset = presets.find(entry.preset) if entry.preset else None
    if entry.preset and preset is None:
        hint = did_you_mean(entry.preset, presets.names())
        raise ConfigError(f"{file.path}: [sources.{word}] preset: no preset is called {entry.preset}{hint}")
    url = ""
    if entry.url:
        try:
            url = check_url(entry.url, file.path.parent if file.path else Path("/"))
        except UsageError as e:
            raise ConfigError(f"{file.path}: [sources.{word}] url: {e}") from None
    elif preset is not None:
        url = preset.url
    return Found(word, url, preset, word)


def check_url(url: str, base: Path) -> str:
    """The URL as stores take it. Raises UsageError for one that no store can open."""
    scheme, _, rest = url.partition("://")
    scheme = scheme.lower()
    if not _is_scheme(scheme):
        raise UsageError(f"{url}: nothing here reads {scheme}:// URLs{did_you_mean(scheme, SCHEMES.split())}")
    if scheme in ("s3", "s3a"):
        bucket = rest.partition("/")[0]
        if not _BUCKET.fullmatch(bucket):
            raise UsageError(f"{url}: {bucket!r} is no bucket name; write s3://BUCKET/PREFIX")
        return f"s3://{rest}"
    if scheme in ("file", "local"):
        return f"file://{os.path.abspath(base / rest)}"
    if not rest.strip("/"):
        raise UsageError(f"{url}: the URL names no place")
    return f"{scheme}://{rest}"


def _is_scheme(scheme: str) -> bool:
    if scheme in SCHEMES.split():
        return True
    from importlib.metadata import entry_points

    return any(point.name == scheme for point in entry_points(group="fsspec.specs"))


def _name_of(url: str) -> str:
    """What a URL is called when nobody named it: its last component."""
    return url.rstrip("/").rpartition("/")[2] or "source"


def check_distinct(found: Sequence[Found]) -> None:
    """Refuse two sources of one name in one mount (UsageError)."""
    seen: set[str] = set()
    for one in found:
        if one.name in seen:
            raise UsageError(
                f"two sources of this mount are called {one.name}: give each a [sources.NAME] in the config file"
            )
        seen.add(one.name)


def check_urls(found: Found, urls: Path | None) -> None:
    """Refuse a dataset of signed links without the file that holds them (UsageError)."""
    if urls is None:
        how = found.preset.links if found.preset else "give the file of links with --urls FILE"
        raise UsageError(f"{found.name} is read by signed links, and their file is missing: {how}")
    if not urls.is_file():
        raise UsageError(f"{urls}: no such file of signed links for {found.name}")
