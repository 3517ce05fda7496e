"""From words, flags, environment and config file to one `MountConfig`: everything that a mount is made of."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from .. import memory_limit
from ..errors import ConfigError, UsageError
from .file import ConfigFile, MountEntry, find, load, xdg_directory
from .home import NO_HOME
from .layers import Layer, Layers, RawValues, ResolvedOption, ResolvedOptions, from_environment, resolve_option
from .lockfiles import is_named_so
from .option_types import RawValue
from .options import CONFIG_FILE, INDEFINITE, OPTIONS, MountConfig, SourceConfig
from .parsers import size_text
from .pasted import Pasted
from .presets import Preset
from .signing import anonymous_or_profile, aws_profiles, never_sign
from .source_spec import ParsedSource, SourceParser, check_distinct, check_links, entry_for, split_words
from .source_urls import SchemeNames
from .unused import check_used


class ResolvedSource(NamedTuple):
    """One source with everything decided.

    Attributes:
        options: its options, and where each came from.
        notices: lines that a person should see.
    """

    config: SourceConfig
    preset: Preset | None
    options: ResolvedOptions
    notices: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ResolvedMount:
    """One mount with everything decided.

    Attributes:
        options: the mount's own options, and where each came from.
    """

    config: MountConfig
    options: ResolvedOptions
    sources: tuple[ResolvedSource, ...]

    @property
    def notices(self) -> list[str]:
        """Lines that a person should see."""
        lines = [notice for source in self.sources for notice in source.notices]
        if self.options["cache_size"].origin == NO_HOME:
            lines.append(f"Nothing is cached on disk: {NO_HOME}. Choose a place with --cache-dir DIR, or set HOME.")
        lines += _memory_that_will_not_fit(self.options["memory"])
        return lines


@dataclass(frozen=True, slots=True)
class ConfigInputs:
    """Everything that a command's configuration is made from: what was typed, the environment, the config file.

    Attributes:
        aws_profiles: gives the profiles of the AWS files; called only when one is named.
        cache_home: where users' caches are; None for a user without a home directory.
        store_schemes: URL schemes of our own stores; see `SourceParser`.
    """

    typed: RawValues
    environment: RawValues
    file: ConfigFile
    cwd: Path
    cache_home: Path | None
    aws_profiles: Callable[[], Collection[str]]
    store_schemes: SchemeNames

    def parser(self) -> SourceParser:
        return SourceParser(self.file, self.cwd, self.store_schemes, snapshots="snapshots_url" in self.typed)

    def layers(self, mount: MountEntry | None = None) -> dict[Layer, RawValues]:
        """All layers but those of a source; `mount` is the mountpoint's entry in the config file."""
        return {
            Layer.TYPED: self.typed,
            Layer.ENVIRONMENT: self.environment,
            Layer.MOUNT_ENTRY: mount.options if mount else {},
            Layer.FILE_DEFAULTS: self.file.defaults,
        }

    def mount_options(self, mount: MountEntry | None = None) -> ResolvedOptions:
        """The options of a mount, each with a value where the program can know one. Raises UsageError."""
        options = _resolve("mount", self.layers(mount))
        memory = options["memory"]
        if memory.layer is Layer.TABLE_DEFAULT and memory.value < memory_limit.MOST_BLOCKS:
            options["memory"] = replace(memory, origin=f"default, for {_limit_text(memory_limit.limit())}")
        chosen, size = options["cache_dir"], options["cache_size"]
        if chosen.value is None and self.cache_home is not None:
            options["cache_dir"] = replace(chosen, value=self.cache_home / "mountnd")
        elif chosen.value is None:
            none = replace(chosen.option, default_text="none")
            options["cache_dir"] = replace(chosen, option=none, origin=NO_HOME)
            if size.value != 0:
                options["cache_size"] = replace(size, value=0, origin=NO_HOME)
        return options

    def all_options(self) -> ResolvedOptions:
        """All options as they are before a source or a mountpoint is named. Raises UsageError."""
        return {**_resolve("source", self.layers()), **self.mount_options()}

    def source(self, parsed: ParsedSource, mount: MountEntry | None = None, *, single: bool = True) -> ResolvedSource:
        """One source, by the options of its own entry and those of the mount that lists it. Raises UsageError.

        Args:
            single: the mount shows this source only.
        """
        preset, entry, notices = parsed.preset, self.file.sources.get(parsed.entry), list[str]()
        layers: Layers = {
            **self.layers(mount),
            Layer.PASTED: parsed.lockfile.options() if parsed.lockfile else _of_url(parsed.pasted, self.cwd),
            Layer.SOURCE_ENTRY: entry.options if entry else {},
            Layer.PRESET: preset.raw_values() if preset else {},
        }
        if preset is not None and preset.anonymous:
            layers, notices = never_sign(preset, layers, single=single)
        options = _resolve("source", layers)
        if parsed.is_s3:
            options["anonymous"], options["profile"] = anonymous_or_profile(
                options["anonymous"], options["profile"], self.aws_profiles
            )
        if parsed.lockfile or parsed.snapshot:  # nobody lists anything, and what it says does not change
            origin = str(parsed.lockfile.path) if parsed.lockfile else f"snapshot {parsed.snapshot}"
            options["ttl"] = replace(options["ttl"], value=INDEFINITE, origin=origin)
            options["probe"] = replace(options["probe"], value=False, origin=origin)
        if parsed.url:
            options["urls"] = replace(options["urls"], value=None)  # for another source of this mount
        else:
            check_links(parsed, options["urls"].value, options["urls"].origin)
        if options["via"].value and not parsed.is_s3:
            notices = [*notices, f"{parsed.label} is read without --via: that is for unsigned sources on S3"]
            options["via"] = replace(options["via"], value=())
        if parsed.pasted and parsed.pasted.notice:
            notices = [*notices, parsed.pasted.notice]
        values = {name: option.value for name, option in options.items()}
        lockfile = parsed.lockfile.path if parsed.lockfile else None
        config = SourceConfig(
            name=parsed.name,
            url=parsed.url,
            preset=preset.name if preset else "",
            snapshot=parsed.snapshot,
            lockfile=lockfile,
            **values,
        )
        return ResolvedSource(config, preset, options, tuple(notices))


def _of_url(pasted: Pasted | None, base: Path) -> RawValues:
    """The options that the URL of a source says."""
    if pasted is None:
        return {}
    said = {"endpoint_url": pasted.endpoint_url, "region": pasted.region}
    return {name: RawValue(value, "the URL", base) for name, value in said.items() if value}


def _memory_that_will_not_fit(memory: ResolvedOption) -> list[str]:
    """A line that says so of what somebody has chosen."""
    limit = memory_limit.limit()
    if memory.layer is Layer.TABLE_DEFAULT or memory_limit.fits(limit, memory.value):
        return []
    taken = size_text(memory_limit.shares(limit).blocks)
    why = f"{_limit_text(limit)}, and the kernel ends what takes more"
    chosen = f"{memory.origin}: {size_text(memory.value)} of memory"
    return [f"{chosen} will not fit: {why}. Without it mountnd would take {taken}."]


def _limit_text(limit: memory_limit.Limit) -> str:
    return f"{limit.origin} is {size_text(limit.bytes - limit.bytes % memory_limit.MIB)}"


def _resolve(scope: str, layers: Layers) -> dict[str, ResolvedOption]:
    return {option.name: resolve_option(option, layers) for option in OPTIONS if option.scope == scope}


def read_inputs(
    typed: RawValues,
    *,
    environ: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    profiles: Callable[[], Collection[str]] | None = None,
    store_schemes: SchemeNames = tuple,
) -> ConfigInputs:
    """Read the environment and the config file.

    Args:
        typed: the options of the command line, `-o` included.
        environ, cwd, profiles: of this process and its AWS files when not given.

    Raises ConfigError when the config file or a variable is invalid.
    """
    env = os.environ if environ is None else environ
    cwd = Path.cwd() if cwd is None else cwd
    environment = from_environment(env, cwd)
    chosen = resolve_option(CONFIG_FILE, {Layer.TYPED: typed, Layer.ENVIRONMENT: environment}).value
    if chosen is None:
        chosen = find(xdg_directory(env, "XDG_CONFIG_HOME", "~/.config"))
    return ConfigInputs(
        typed=typed,
        environment=environment,
        file=load(chosen) if chosen else ConfigFile(),
        cwd=cwd,
        cache_home=xdg_directory(env, "XDG_CACHE_HOME", "~/.cache"),
        aws_profiles=profiles or (lambda: aws_profiles(env)),
        store_schemes=store_schemes,
    )


def resolve_mount(words: Sequence[str], inputs: ConfigInputs) -> ResolvedMount:
    """The mount that `[SOURCE...] MOUNTPOINT` and the options describe.

    Raises UsageError (ConfigError for the file): too few or many words, an unknown source, an invalid value or
    combination.
    """
    typed, mountpoint = split_words(words, inputs.file, inputs.cwd)
    entry, parser = entry_for(mountpoint, inputs.file), inputs.parser()
    listed = entry.sources if entry else ()
    if typed:
        parsed = [parser.parse(word) for word in typed]
    elif entry and listed:
        parsed = _listed(entry, parser, inputs.file)
    else:
        parsed = [parser.from_mountpoint(mountpoint)]
    check_distinct(parsed)
    # A [mounts] entry's options for sources are for those it lists, not for another one that is mounted there today.
    sources = tuple(
        inputs.source(source, entry if not typed or word in listed or not listed else None, single=len(parsed) == 1)
        for word, source in zip(typed or [""] * len(parsed), parsed, strict=True)
    )
    check_used(inputs.typed, parsed)
    options = inputs.mount_options(entry)
    values = {name: option.value for name, option in options.items()}
    config = MountConfig(mountpoint=mountpoint, sources=tuple(source.config for source in sources), **values)
    return ResolvedMount(config, options, sources)


def _listed(entry: MountEntry, parser: SourceParser, file: ConfigFile) -> list[ParsedSource]:
    """The sources that an entry of the config file lists. Raises ConfigError, which names the entry."""
    try:
        parsed = [parser.parse(word) for word in entry.sources]
        check_distinct(parsed)
    except ConfigError:
        raise
    except UsageError as e:
        raise ConfigError(f'{file.path}: [mounts."{entry.where}"] sources: {e}') from None
    return parsed


def is_source(word: str, inputs: ConfigInputs) -> bool:
    """Whether a word alone names a source rather than a mountpoint. What the config file mounts at a directory of that
    name goes before a source."""
    if is_named_so(word) and (inputs.cwd / word).is_file():
        return True
    if (
        not word
        or word.startswith(("/", "./", "../", "~"))
        or entry_for(Path(os.path.abspath(inputs.cwd / word)), inputs.file)
    ):
        return False
    try:
        inputs.parser().parse(word)
    except UsageError:
        return "://" in word
    return True


def resolve_source(word: str, inputs: ConfigInputs) -> ResolvedSource:
    """One source by its name or URL, without a mount (`mountnd doctor SOURCE`). Raises UsageError."""
    parsed = inputs.parser().parse(word)
    source = inputs.source(parsed)
    check_used(inputs.typed, [parsed])
    return source


def resolve_dataset(word: str, inputs: ConfigInputs) -> ResolvedSource:
    """A data set that has snapshots, by its name or URL, or one snapshot of it. Raises UsageError."""
    return inputs.source(inputs.parser().parse_dataset(word))
