"""The argument of `-o`, as mount(8) and fstab write it: `ttl=60,allow_other,x-gvfs-hide`."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from ..errors import UsageError
from .option_types import RawValue
from .options import BY_NAME, OPTIONS
from .other_tools import called_here
from .parsers import did_you_mean

# What mount(8) and fstab lines add that means nothing to a read-only tree, or that holds here anyway.
_IGNORED = """
    rw ro dev nodev suid nosuid exec noexec auto noauto user users nouser owner noowner group nogroup defaults
    _netdev nofail async sync dirsync atime noatime diratime nodiratime relatime norelatime strictatime
    nostrictatime lazytime nolazytime iversion noiversion mand nomand silent loud symfollow nosymfollow
    default_permissions
"""
_IGNORED_PREFIXES = ("x-", "X-", "comment=", "user=", "uhelper=", "helper=")


def parse_dash_o(arguments: Iterable[str], base: Path) -> dict[str, RawValue]:
    """The options in the arguments of `-o`. A comma in a value is written `\\,`.

    Switches stand alone, with `no` or `no_` before them, or with `=true|false`. The last of equal names wins.
    Raises UsageError for an unknown name and for a missing value.
    """
    found: dict[str, RawValue] = {}
    for argument in arguments:
        for word in _split_at_commas(argument):
            if not word or word in _IGNORED.split() or word.startswith(_IGNORED_PREFIXES):
                continue
            name, equals, raw = word.partition("=")
            key = name.replace("-", "_")
            value: object = raw
            if not equals:
                value, key = _without_value(key)
            option = BY_NAME.get(key)
            if option is None:
                if instead := called_here(name):
                    raise UsageError(f"-o {name}: {instead}")
                known = [o.name for o in OPTIONS]
                raise UsageError(f"-o {name}: unknown option{did_you_mean(name.replace('-', '_'), known)}")
            if value is None:
                raise UsageError(f"-o {name}: a value is missing, write -o {name}={option.value_text}")
            found[option.name] = RawValue(value, f"-o {name}", base)
    return found


def _without_value(key: str) -> tuple[object, str]:
    """The value that an option without `=` has (None: it needs one), and the option's name."""
    for prefix, value in (("", True), ("no_", False), ("no", False)):
        option = BY_NAME.get(key.removeprefix(prefix)) if key.startswith(prefix) else None
        if option is not None and not option.kind.metavar:
            return value, option.name
    return None, key


def _split_at_commas(text: str) -> list[str]:
    words, word, escaped = [], "", False
    for char in text:
        if escaped or char not in "\\,":
            word += char if not escaped or char in "\\," else "\\" + char
            escaped = False
        elif char == "\\":
            escaped = True
        else:
            words.append(word)
            word = ""
    return [*words, word + ("\\" if escaped else "")]
