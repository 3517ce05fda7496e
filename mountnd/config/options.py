"""The one table of options: command line, `-o`, environment, config file and help page all come from it.

    --cache-dir DIR    -o cache-dir=DIR    MOUNTND_CACHE_DIR=DIR    cache_dir = "DIR"    MountConfig.cache_dir

are one line of it. A new option is a new line and a field of `SourceConfig` or `MountConfig`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

from ..errors import UsageError
from . import parsers as values

# "source": may differ between the sources of one mount. "mount": one value for the mount.
# "call": how this command runs; not of the mount, so the config file cannot hold it.
Scope = Literal["source", "mount", "call"]


@dataclass(frozen=True, slots=True)
class Kind:
    """How values of an option are written and read.

    Attributes:
        metavar: how the value is called in help; "" for switches and counts, which take none.
        read: from what a layer gave and the directory relative paths start from, to the value.
            Raises ValueError that says what is accepted.
        counts: the flag may be repeated.
    """

    metavar: str
    read: Callable[[object, Path], Any]
    counts: bool = False


def _plain(read: Callable[[object], Any]) -> Callable[[object, Path], Any]:
    return lambda raw, _base: read(raw)


SIZE = Kind("SIZE", _plain(values.size))
MEMORY = Kind("SIZE", _plain(values.memory))
TTL = Kind("SECONDS|indefinite", _plain(values.ttl))
SECONDS = Kind("SECONDS", _plain(values.seconds))
MODE = Kind("OCTAL", _plain(values.mode))
ID = Kind("NUMBER", _plain(values.numeric_id))
NAME = Kind("NAME", _plain(values.text))
URL = Kind("URL", _plain(values.endpoint))
DIR = Kind("DIR", values.path)
FILE = Kind("FILE", values.path)
SWITCH = Kind("", _plain(values.switch))
COUNT = Kind("", _plain(values.count), counts=True)


@dataclass(frozen=True, slots=True)
class Option:
    """One line of the table.

    Attributes:
        name: the TOML key and the field of the dataclass; the flag and the variable follow from it.
        default: the value when no layer has one; None where the program decides, which `default_text` tells.
        verbs: the verbs that take it as a flag.
    """

    name: str
    kind: Kind
    scope: Scope
    help: str
    default: Any = None
    default_text: str = ""
    short: str = ""
    verbs: tuple[str, ...] = ("mount", "config")

    @property
    def flag(self) -> str:
        return "--" + self.name.replace("_", "-")

    @property
    def variable(self) -> str:
        return "MOUNTND_" + self.name.upper()

    @property
    def in_file(self) -> bool:
        return self.scope != "call"

    @property
    def written(self) -> str:
        """How its value is written, for help and error messages: `SIZE`, `true|false`, ..."""
        return self.kind.metavar or ("0|1|2" if self.kind.counts else "true|false")


class Given(NamedTuple):
    """A value as one layer gave it.

    Attributes:
        raw: what stood there.
        origin: where, as a person would point at it: `--ttl`, `-o ttl`, `MOUNTND_TTL`, `FILE [defaults]`.
        base: the directory relative paths start from.
    """

    raw: object
    origin: str
    base: Path


def read(option: Option, given: Given) -> Any:
    """The value. Raises UsageError naming the option, the value and what is accepted."""
    try:
        return option.kind.read(given.raw, given.base)
    except ValueError as e:
        named = "" if option.name.replace("_", "-") in given.origin.lower().replace("_", "-") else f" {option.name}"
        raise UsageError(f"{given.origin}{named}: {given.raw!r} is not {e}") from None


# What one place where options are written has said, by the options' names.
Layer = Mapping[str, Given]


@dataclass(frozen=True, slots=True)
class Setting:
    """One settled option.

    Attributes:
        origin: where the value came from, as a person would point at it; "default" when no layer had one.
        layer: number of the layer, 0 the strongest; the number of layers for a default.
    """

    option: Option
    value: Any
    origin: str
    layer: int


def settle(option: Option, layers: Sequence[Layer]) -> Setting:
    """The value of `option` in the first of `layers` that has one, else its default. THE rule of precedence.

    Raises UsageError when that value cannot be meant.
    """
    for number, layer in enumerate(layers):
        if option.name in layer:
            given = layer[option.name]
            return Setting(option, read(option, given), given.origin, number)
    return Setting(option, option.default, "default", len(layers))


_SOURCE_VERBS = ("mount", "config", "doctor")

OPTIONS: tuple[Option, ...] = (
    # of a source
    Option("endpoint_url", URL, "source", "S3 server to ask instead of AWS", verbs=_SOURCE_VERBS,
           default_text="AWS, or AWS_ENDPOINT_URL"),
    Option("region", NAME, "source", "AWS region of the bucket", verbs=_SOURCE_VERBS,
           default_text="the bucket is asked"),
    Option("profile", NAME, "source", "profile of ~/.aws whose keys sign the requests", verbs=_SOURCE_VERBS,
           default_text="the usual AWS chain"),
    Option("anonymous", SWITCH, "source", "never sign requests", verbs=_SOURCE_VERBS,
           default_text="sign if keys are found"),
    Option("requester_pays", SWITCH, "source", "agree that you pay for requests and traffic", False, "false",
           verbs=_SOURCE_VERBS),
    Option("path_style", SWITCH, "source", "put the bucket in the path of the URL, not in the host name",
           verbs=_SOURCE_VERBS, default_text="by endpoint and bucket"),
    Option("urls", FILE, "source", "file with signed links (fastmri: the e-mail's curl lines)", verbs=_SOURCE_VERBS,
           default_text="none"),
    Option("ttl", TTL, "source", "how long a listing, or an absence, is believed", 300.0, "300"),
    # of a mount
    Option("memory", MEMORY, "mount", "memory for cached and in-flight data", 512 << 20, "512M"),
    Option("cache_dir", DIR, "mount", "directory of the disk cache", default_text="~/.cache/mountnd",
           verbs=("mount", "config", "cache")),
    Option("cache_size", SIZE, "mount", "limit of the disk cache; 0 turns it off",
           default_text="10 GiB, or 10 % of the free disk"),
    Option("offline", SWITCH, "mount", "ask no server: show and read only what is cached", False, "false"),
    Option("timeout", SECONDS, "mount", "longest wait of one operation, retries included", 60.0, "60",
           verbs=_SOURCE_VERBS),
    Option("allow_other", SWITCH, "mount", "let other users see the tree", False, "false"),
    Option("uid", ID, "mount", "owner of everything in the tree", default_text="you"),
    Option("gid", ID, "mount", "group of everything in the tree", default_text="yours"),
    Option("file_mode", MODE, "mount", "permission bits of files", 0o444, "0444"),
    Option("dir_mode", MODE, "mount", "permission bits of directories", 0o555, "0555"),
    Option("foreground", SWITCH, "mount", "stay in front; Ctrl-C unmounts", False, "false", short="-f"),
    Option("log_file", FILE, "mount", "append the log to this file", default_text="background: in the run directory"),
    Option("verbose", COUNT, "mount", "log more; twice: every request", 0, "0", short="-v"),
    Option("debug", SWITCH, "mount", "show tracebacks and log everything", False, "false"),
    # of this call
    Option("config", FILE, "call", "config file", default_text="~/.config/mountnd/config.toml",
           verbs=(*_SOURCE_VERBS, "cache")),
)  # fmt: skip

BY_NAME: Mapping[str, Option] = {option.name: option for option in OPTIONS}

# What mount(8) and fstab lines add that says nothing to a read-only tree, or that holds here anyway.
_PASSED_OVER = """
    rw ro dev nodev suid nosuid exec noexec auto noauto user users nouser owner noowner group nogroup defaults
    _netdev nofail async sync dirsync atime noatime diratime nodiratime relatime norelatime strictatime
    nostrictatime lazytime nolazytime iversion noiversion mand nomand silent loud symfollow nosymfollow
    default_permissions
"""
_PASSED_OVER_PREFIXES = ("x-", "X-", "comment=", "user=", "uhelper=", "helper=")


def parse_o(texts: Iterable[str], base: Path) -> dict[str, Given]:
    """The options in the arguments of `-o`: `ttl=60,allow_other,x-gvfs-hide`. A comma in a value is written `\\,`.

    Switches stand alone, with `no` or `no_` before them, or with `=true|false`. The last of equal names wins.
    Raises UsageError for a name nobody knows, and for a value that is missing.
    """
    found: dict[str, Given] = {}
    for text in texts:
        for word in _split_commas(text):
            if not word or word in _PASSED_OVER.split() or word.startswith(_PASSED_OVER_PREFIXES):
                continue
            name, equals, raw = word.partition("=")
            key = name.replace("-", "_")
            value: object = raw
            if not equals:
                value, key = _standing_alone(key)
            option = BY_NAME.get(key)
            if option is None:
                known = [o.name for o in OPTIONS]
                raise UsageError(f"-o {name}: unknown option{values.did_you_mean(name.replace('-', '_'), known)}")
            if value is None:
                raise UsageError(f"-o {name}: a value is missing, write -o {name}={option.written}")
            found[option.name] = Given(value, f"-o {name}", base)
    return found


def _standing_alone(key: str) -> tuple[object, str]:
    """The value of an option without `=`, and its name."""
    for prefix, value in (("", True), ("no_", False), ("no", False)):
        option = BY_NAME.get(key.removeprefix(prefix)) if key.startswith(prefix) else None
        if option is not None and not option.kind.metavar:
            return value, option.name
    return None, key


def _split_commas(text: str) -> list[str]:
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


def from_environment(environ: Mapping[str, str], base: Path) -> dict[str, Given]:
    """The options that `MOUNTND_*` variables set; an empty variable sets nothing."""
    return {
        option.name: Given(environ[option.variable], option.variable, base)
        for option in OPTIONS
        if environ.get(option.variable)
    }


def for_verb(verb: str) -> list[Option]:
    """The options `verb` takes as flags, in the table's order."""
    return [option for option in OPTIONS if verb in option.verbs]
