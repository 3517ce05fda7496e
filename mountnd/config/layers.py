"""The layers that options come from, and which of them wins: flag > URL > environment > file > preset > default."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Any

from .option_types import Option, RawValue, parse
from .options import OPTIONS

# What one layer holds, by the options' names.
RawValues = Mapping[str, RawValue]


class Layer(IntEnum):
    """Where an option may be written, the strongest layer first (so `a < b`: a is stronger)."""

    TYPED = 0
    """Flags of the command line and `-o`."""
    PASTED = 1
    """What the URL that names the source says of its server."""
    ENVIRONMENT = 2
    """`MOUNTND_*` variables."""
    MOUNT_ENTRY = 3
    """`[mounts."/where"]` of the config file."""
    SOURCE_ENTRY = 4
    """`[sources.NAME]` of the config file."""
    FILE_DEFAULTS = 5
    """`[defaults]` of the config file."""
    PRESET = 6
    TABLE_DEFAULT = 7
    """No layer has it: the default in the table of options."""


Layers = Mapping[Layer, RawValues]


@dataclass(frozen=True, slots=True)
class ResolvedOption:
    """An option and the value that it has in the end.

    Attributes:
        origin: where the value came from, as a person would point at it; "default" when no layer had one.
        layer: the layer that it came from.
    """

    option: Option
    value: Any
    origin: str
    layer: Layer


ResolvedOptions = Mapping[str, ResolvedOption]


def resolve_option(option: Option, layers: Layers) -> ResolvedOption:
    """The value of `option` in the strongest of `layers` that has one, else its default. THE rule of precedence.

    Raises UsageError when that value is invalid; those of weaker layers are not looked at.
    """
    for layer in Layer:
        written = layers.get(layer, {}).get(option.name)
        if written is not None:
            return ResolvedOption(option, parse(option, written), written.origin, layer)
    return ResolvedOption(option, option.default_value(), "default", Layer.TABLE_DEFAULT)


def from_environment(environ: Mapping[str, str], base: Path) -> dict[str, RawValue]:
    """The options that `MOUNTND_*` variables set; an empty variable sets nothing."""
    return {
        option.name: RawValue(environ[option.variable], option.variable, base)
        for option in OPTIONS
        if environ.get(option.variable)
    }
