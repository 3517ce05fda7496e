"""Options by name: `memory="2G"`, `ttl=60`, `anonymous=True`, `file_mode=0o444`, parsed as everywhere else."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..config.option_types import MODE, TTL, Option, RawValue
from ..config.options import BY_NAME, CONFIG_FILE
from ..config.parsers import did_you_mean
from ..config.resolve import ConfigInputs, read_inputs
from ..errors import UsageError

# Options of the mount's that matter where there is no kernel; those of sources all do.
READING = frozenset(
    {"memory", "cache_dir", "cache_size", "shared_cache", "shared_size", "shared_mode", "offline", "timeout"}
)


def read(options: Mapping[str, Any], *, mounts: bool) -> ConfigInputs:
    """What a configuration is made of: `options`, the environment and the config file. None leaves an option alone.

    Args:
        mounts: options of a mount's are taken, too: how it looks, what it logs.

    Raises UsageError for an option that there is not, or not here, and ConfigError for variables and the config file.
    """
    try:
        cwd = Path.cwd()
    except OSError as e:
        raise UsageError(f"the working directory cannot be found ({e.strerror})") from None
    typed = {name: _raw(name, value, cwd, mounts) for name, value in options.items() if value is not None}
    return read_inputs(typed, cwd=cwd, store_schemes=_store_schemes)


def flags(typed: Mapping[str, RawValue]) -> list[str]:
    """The same options as the command takes them."""
    found: list[str] = []
    for name, (raw, _, _) in typed.items():
        option = BY_NAME[name]
        if option.kind.counts:
            found += [option.flag] * option.kind.parse(raw, Path())
        elif not option.kind.metavar:
            found.append(option.flag if option.kind.parse(raw, Path()) else option.negated_flag)
        else:
            found += [f"{option.flag}={','.join(raw) if isinstance(raw, list | tuple) else raw}"]
    return found


def _raw(name: str, value: Any, cwd: Path, mounts: bool) -> RawValue:
    option = BY_NAME.get(name)
    if option is None:
        raise UsageError(f"{name}: no such option{did_you_mean(name, BY_NAME)}")
    if name == "foreground":
        raise UsageError("foreground: a mount from Python is always in the background")
    if not mounts and not _is_of_reading(option):
        raise UsageError(f"{name}: only a mount takes it")
    if isinstance(value, os.PathLike):
        value = os.fspath(value)
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if is_number and option.kind is MODE:
        value = f"{value:04o}" if isinstance(value, int) else value  # nobody means 444 by 0o674 here
    elif is_number and option.kind is TTL and value == math.inf:
        value = "indefinite"
    return RawValue(value, name, cwd)


def _is_of_reading(option: Option) -> bool:
    return option.scope == "source" or option is CONFIG_FILE or option.name in READING


def _store_schemes() -> Any:
    from ..sources import STORES

    return STORES
