"""What a mount is made of, settled: flag > environment > file > preset > default, decided once, in `settle`."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from ..errors import UsageError
from . import file as config_file
from . import signing
from . import source_spec as source_words
from .file import ConfigFile, MountEntry
from .options import BY_NAME, OPTIONS, Layer, Setting, from_environment, settle
from .presets import Preset
from .source_spec import Found

INDEFINITE = float("inf")


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceConfig:
    """A configured bucket or prefix, with everything its store needs; None means "nobody said".

    Attributes:
        name: what the source is called; its directory's name in a mount of several.
        url: `s3://bucket/prefix`, or any fsspec URL. "" for a source made of `urls`.
        anonymous: True never signs, False must sign, None signs when credentials are found.
        path_style: True for `endpoint/bucket/key`; None: decided by endpoint and bucket name.
        ttl: seconds a listing (and an absence) is believed; `INDEFINITE` for frozen releases.
        urls: file of signed URLs (fastMRI); then `url` is "".
        preset: name of the preset this came from, "" otherwise.
    """

    name: str
    url: str = ""
    endpoint_url: str | None = None
    region: str | None = None
    profile: str | None = None
    anonymous: bool | None = None
    requester_pays: bool = False
    path_style: bool | None = None
    ttl: float = 300.0
    urls: Path | None = None
    preset: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class MountConfig:
    """One mount, settled.

    Attributes:
        sources: one (its content is the root) or several (one directory each).
        memory: bytes of cached and in-flight data.
        cache_size: bytes the disk cache may hold, 0 for none; None: by the free disk.
        offline: ask no server; what is cached is all there is.
        timeout: seconds one operation on the network may take, retries included.
        uid, gid: shown as owner of everything; file_mode, dir_mode: permission bits only.
    """

    mountpoint: Path
    sources: tuple[SourceConfig, ...]
    memory: int = 512 << 20
    cache_dir: Path | None = None
    cache_size: int | None = None
    offline: bool = False
    timeout: float = 60.0
    allow_other: bool = False
    uid: int = field(default_factory=os.getuid)
    gid: int = field(default_factory=os.getgid)
    file_mode: int = 0o444
    dir_mode: int = 0o555
    foreground: bool = False
    log_file: Path | None = None
    verbose: int = 0
    debug: bool = False


Settings = Mapping[str, Setting]


@dataclass(frozen=True, slots=True)
class Resolved:
    """What was typed, with everything it came to mean.

    Attributes:
        config: the mount.
        settings: the mount's options.
        source_settings: each source's options, by its name.
        presets: the presets the sources came from, by the sources' names.
        notices: lines a person should see.
    """

    config: MountConfig
    settings: Settings
    source_settings: Mapping[str, Settings]
    presets: Mapping[str, Preset]
    notices: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Layers:
    """Where options come from in this call: what was typed, the environment, and the config file.

    `profiles` gives the profiles of the AWS files; asked only when one is named.
    """

    typed: Layer
    environment: Layer
    file: ConfigFile
    cwd: Path
    cache_home: Path
    profiles: Callable[[], Collection[str]]

    def mount(self, entry: MountEntry | None) -> Settings:
        """The options of a mount at `entry`'s place, each with a value where the program can know one."""
        layers = [self.typed, self.environment, entry.options if entry else {}, self.file.defaults]
        known = {"uid": os.getuid(), "gid": os.getgid(), "cache_dir": self.cache_home / "mountnd"}
        settings = {o.name: settle(o, layers) for o in OPTIONS if o.scope == "mount"}
        for name, value in known.items():
            if settings[name].value is None:
                settings[name] = replace(settings[name], value=value)
        return settings

    def anything(self) -> Settings:
        """All options as they are before a source or a place is named."""
        layers = [self.typed, self.environment, self.file.defaults]
        return {o.name: settle(o, layers) for o in OPTIONS if o.scope == "source"} | dict(self.mount(None))

    def source(
        self, found: Found, entry: MountEntry | None = None, *, single: bool = True
    ) -> tuple[SourceConfig, Settings, list[str]]:
        """A source, by the options of its own entry and those of the mount that lists it (`single`: only it).

        Returns it, its options, and lines that a person should see.
        """
        named = self.file.sources.get(found.entry)
        in_file = (entry.options if entry else {}, named.options if named else {}, self.file.defaults)
        preset = found.preset
        layers: list[Layer] = [self.typed, self.environment, *in_file, preset.given() if preset else {}]
        notices: list[str] = []
        if preset is not None and preset.anonymous:
            layers, notices = signing.never_signed(preset, layers, single=single)
        settings = {o.name: settle(o, layers) for o in OPTIONS if o.scope == "source"}
        if found.url.startswith("s3://"):
            anonymous, profile = settings["anonymous"], settings["profile"]
            settings["anonymous"], settings["profile"] = signing.one_way(anonymous, profile, self.profiles)
        if found.url:
            settings["urls"] = replace(settings["urls"], value=None)  # meant for another source of this mount
        else:
            source_words.check_urls(found, settings["urls"].value)
        values = {name: setting.value for name, setting in settings.items()}
        config = SourceConfig(name=found.name, url=found.url, preset=preset.name if preset else "", **values)
        return config, settings, notices


def layers_of_call(
    typed: Layer,
    *,
    environ: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    profiles: Callable[[], Collection[str]] | None = None,
) -> Layers:
    """Read the environment and the config file.

    Args:
        typed: the options of the command line, `-o` included.
        environ, cwd, profiles: of this process and its AWS files when not given.

    Raises ConfigError when the config file or a variable cannot be meant.
    """
    env = os.environ if environ is None else environ
    where = Path.cwd() if cwd is None else cwd
    environment = from_environment(env, where)
    chosen = settle(BY_NAME["config"], [typed, environment]).value
    default = config_file.xdg(env, "XDG_CONFIG_HOME", "~/.config") / "mountnd" / "config.toml"
    if chosen is None and default.exists():
        chosen = default
    file = config_file.load(chosen) if chosen else ConfigFile()
    cache_home = config_file.xdg(env, "XDG_CACHE_HOME", "~/.cache")
    return Layers(typed, environment, file, where, cache_home, profiles or (lambda: signing.aws_profiles(env)))


def resolve(words: Sequence[str], layers: Layers) -> Resolved:
    """What `[SOURCE] MOUNTPOINT` and the options mean.

    Raises UsageError (ConfigError for the file): too few or many words, an unknown source, a value or a
    combination that cannot be meant.
    """
    source_word, mountpoint = source_words.split(words, layers.file, layers.cwd)
    entry = source_words.entry_for(mountpoint, layers.file)
    listed = entry.sources if entry else ()
    if source_word is not None:
        found = [source_words.find(source_word, layers.file, layers.cwd)]
    elif listed:
        found = [source_words.find(word, layers.file, layers.cwd) for word in listed]
    else:
        found = [source_words.by_mountpoint(mountpoint, layers.file)]
    source_words.check_distinct(found)
    # Options of a [mounts] entry that concern sources are for those it lists, not for another one mounted there today.
    of_entry = entry if source_word is None or source_word in listed or not listed else None
    single = len(found) == 1
    sources = [layers.source(one, of_entry, single=single) for one in found]
    _check_used(layers.typed, found)
    settings = layers.mount(entry)
    return Resolved(
        MountConfig(
            mountpoint=mountpoint,
            sources=tuple(config for config, _, _ in sources),
            **{name: setting.value for name, setting in settings.items()},
        ),
        settings,
        {config.name: of_source for config, of_source, _ in sources},
        {one.name: one.preset for one in found if one.preset},
        tuple(notice for _, _, notices in sources for notice in notices),
    )


def resolve_source(word: str, layers: Layers) -> tuple[SourceConfig, Preset | None]:
    """One source by its name or URL, without a mount (`mountnd doctor SOURCE`). Raises UsageError."""
    found = source_words.find(word, layers.file, layers.cwd)
    config, _, _ = layers.source(found)
    _check_used(layers.typed, [found])
    return config, found.preset


# Options that say something to S3 only.
_OF_S3 = ("endpoint_url", "region", "profile", "requester_pays", "path_style")


def _check_used(typed: Layer, found: Sequence[Found]) -> None:
    """Refuse what was typed for a source that is not there: it would do nothing, and its writer expects something."""
    if "urls" in typed and all(one.url for one in found):
        raise UsageError(f"{typed['urls'].origin}: only a dataset of signed links, such as fastmri, takes it")
    s3 = [one for one in found if one.url.startswith("s3://")]
    for name in _OF_S3:
        if name in typed and not s3:
            raise UsageError(f"{typed[name].origin}: only sources on S3 take it, not {found[0].shown}")
    if "profile" in typed and all(one.preset and one.preset.anonymous for one in s3):
        raise UsageError(f"{typed['profile'].origin}: all of these sources are public and are always read unsigned")
