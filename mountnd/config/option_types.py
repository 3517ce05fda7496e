"""What an option is: how its values are written and read, and what it is called in each place."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

from ..errors import UsageError
from . import addresses, parsers

# "source": may differ between the sources of one mount. "mount": one value for the mount.
# "call": how this command runs; not of the mount, so the config file cannot hold it.
Scope = Literal["source", "mount", "call"]


# Characters of a wrong value that a message repeats.
_SHOWN = 200


@dataclass(frozen=True, slots=True)
class Kind:
    """How values of an option are written and read.

    Attributes:
        metavar: how the value is called in help; "" for switches and counts, which take none.
        parse: from what a layer holds and the directory that relative paths start from, to the value.
            Raises ValueError that says what is accepted.
        counts: the flag may be repeated.
    """

    metavar: str
    parse: Callable[[object, Path], Any]
    counts: bool = False


def _without_base(parse: Callable[[object], Any]) -> Callable[[object, Path], Any]:
    return lambda raw, _base: parse(raw)


SIZE = Kind("SIZE", _without_base(parsers.size))
MEMORY = Kind("SIZE", _without_base(parsers.memory))
TTL = Kind("SECONDS|indefinite", _without_base(parsers.ttl))
SECONDS = Kind("SECONDS", _without_base(parsers.seconds))
MODE = Kind("OCTAL", _without_base(parsers.mode))
SHARED_MODE = Kind("OCTAL", _without_base(parsers.shared_mode))
ID = Kind("NUMBER", _without_base(parsers.numeric_id))
NAME = Kind("NAME", _without_base(parsers.text))
VIEW = Kind("NAME", _without_base(parsers.view))
URL = Kind("URL", _without_base(addresses.endpoint))
URLS = Kind("URL[,URL...]", _without_base(addresses.via))
ADDRESS = Kind("[HOST:]PORT", _without_base(addresses.address))
DIR = Kind("DIR", parsers.path)
FILE = Kind("FILE", parsers.path)
SWITCH = Kind("", _without_base(parsers.switch))
COUNT = Kind("", _without_base(parsers.count), counts=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One line of the table.

    Attributes:
        name: the TOML key and the field of the dataclass; the flag and the variable follow from it.
        help: a few words, for `--help` and the help page.
        default: the value when no layer has one; None where the program decides, which `default_text` tells.
        default_factory: makes the default when it is needed.
        short: a letter for it, such as `-v`.
        verbs: the verbs that take it as a flag.
        s3_only: it means something to sources on S3 only.
        in_preset: a preset may set it.
    """

    name: str
    kind: Kind
    scope: Scope
    help: str
    default: Any = None
    default_factory: Callable[[], Any] | None = None
    default_text: str = ""
    short: str = ""
    verbs: tuple[str, ...] = ()
    s3_only: bool = False
    in_preset: bool = False

    @property
    def flag(self) -> str:
        return "--" + self.name.replace("_", "-")

    @property
    def negated_flag(self) -> str:
        """Of a switch."""
        return "--no-" + self.name.replace("_", "-")

    @property
    def variable(self) -> str:
        return "MOUNTND_" + self.name.upper()

    @property
    def in_file(self) -> bool:
        return self.scope != "call"

    @property
    def value_text(self) -> str:
        """How its value is written, for help and error messages: `SIZE`, `true|false`, ..."""
        return self.kind.metavar or ("0|1|2" if self.kind.counts else "true|false")

    def default_value(self) -> Any:
        return self.default_factory() if self.default_factory is not None else self.default


class RawValue(NamedTuple):
    """A value as it was written somewhere, not parsed yet.

    Attributes:
        raw: text, or what TOML or click made of it.
        origin: where, as a person would point at it: `--ttl`, `-o ttl`, `MOUNTND_TTL`, `FILE [defaults]`.
        base: the directory that relative paths start from.
    """

    raw: object
    origin: str
    base: Path


def parse(option: Option, written: RawValue) -> Any:
    """The value. Raises UsageError that names the option, the value and what is accepted."""
    try:
        return option.kind.parse(written.raw, written.base)
    except ValueError as e:
        raise UsageError(f"{named(written.origin, option.name)}: {shown(written.raw)} is not {e}") from None


def named(origin: str, name: str) -> str:
    """`origin`, as a person would point at it, with the option's name: a table of the config file says only which."""
    return origin if name.replace("_", "-") in origin.lower().replace("_", "-") else f"{origin} {name}"


def shown(raw: object) -> str:
    """What somebody wrote, not longer than a message should be."""
    try:
        text = repr(raw)
    except (ValueError, RecursionError):  # a number of more digits than Python writes, a list in a list in a list ...
        return f"this {type(raw).__name__}"
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
