"""From what a person wrote to a value: sizes, times, modes, switches and paths.

Every parser takes what a layer holds (text from a flag, `-o` or the environment; text, a number or a
boolean from TOML) and raises ValueError with the words that follow "is not ..." in the message.
Nothing here knows which option a value belongs to.
"""

from __future__ import annotations

import math
import os
import re
from pathlib import Path
from typing import Any

from .home import NO_HOME, expand_home

# As GNU coreutils reads them: a bare letter and KiB count in 1024s, KB in 1000s.
_UNITS = {"": 1, "b": 1}
for _power, _letter in enumerate("kmgt", start=1):
    _UNITS[_letter] = _UNITS[f"{_letter}ib"] = 1024**_power
    _UNITS[f"{_letter}b"] = 1000**_power

# More bytes than there are; a limit, so that a number of a thousand digits is told from a size.
_MAX_SIZE = 2**100

# The views there are (`views.formats.FORMATS`, which stands above this room).
VIEW_NAMES = ("nii",)

_ON = ("1", "true", "yes", "on")
_OFF = ("0", "false", "no", "off")
# Bytes of a path (PATH_MAX in linux/limits.h).
_MAX_PATH = 4095
# The largest id the kernel hands out is 2^32 - 2: -1 means "no change" to chown(2).
_MAX_ID = 2**32 - 2


def size(raw: object) -> int:
    """Bytes, from `512M`, `2GiB`, `1.5G`, `500MB` or a plain number; at most 2^100."""
    if isinstance(raw, int) and not isinstance(raw, bool) and 0 <= raw <= _MAX_SIZE:
        return raw
    # More digits than Python turns into a number are no size, either.
    found = (
        re.fullmatch(r"([0-9]{1,30}(?:\.[0-9]{1,30})?)\s*([a-z]*)", raw.strip().lower())
        if isinstance(raw, str)
        else None
    )
    if found and found[2] in _UNITS:
        whole, unit = found[1], _UNITS[found[2]]
        bytes_ = int(whole) * unit if whole.isdigit() else int(float(whole) * unit)
        if bytes_ <= _MAX_SIZE:
            return bytes_
    raise ValueError("a size such as 512M, 2GiB or a number of bytes")


def view(raw: object) -> str:
    """The name of a view; several by commas, each once, sorted."""
    names = sorted({name.strip() for name in raw.split(",")}) if isinstance(raw, str) else [""]
    if all(name in VIEW_NAMES for name in names):
        return ",".join(names)
    raise ValueError(f"a view: {' or '.join(VIEW_NAMES)}")


def size_text(value: int) -> str:
    """Bytes as `size` reads them: `512M` where that is exact, else the number."""
    for power, letter in ((4, "T"), (3, "G"), (2, "M"), (1, "K")):
        if value and value % 1024**power == 0:
            return f"{value // 1024**power}{letter}"
    return str(value)


def memory(raw: object) -> int:
    """Bytes, at least 8 MiB: below that not even one large read of each of a few threads fits."""
    expected = "a size of at least 8M, such as 512M or 2GiB"
    try:
        bytes_ = size(raw)
    except ValueError:
        raise ValueError(expected) from None
    if bytes_ < 8 << 20:
        raise ValueError(expected)
    return bytes_


def _number(raw: object) -> float | None:
    if isinstance(raw, bool):
        return None
    try:
        value = float(raw) if isinstance(raw, (int, float, str)) else math.nan
    except (ValueError, OverflowError):
        return None
    return value if math.isfinite(value) else None


def ttl(raw: object) -> float:
    """Seconds, 0: nothing is kept; infinity for `indefinite`."""
    if isinstance(raw, str) and raw.strip().lower() == "indefinite":
        return math.inf
    value = _number(raw)
    if value is None or value < 0:
        raise ValueError("a number of seconds such as 300, or indefinite")
    return value


def seconds(raw: object) -> float:
    """More than 0 seconds, at most a day."""
    value = _number(raw)
    if value is None or not 0 < value <= 86400:
        raise ValueError("a number of seconds above 0, such as 60")
    return value


def mode(raw: object) -> int:
    """Permission bits, written in octal as text. A TOML number is refused: nobody can tell 444 from 0o674."""
    if isinstance(raw, str) and re.fullmatch(r"(0o)?[0-7]{1,4}", raw.strip()):
        value = int(raw.strip().removeprefix("0o"), 8)
        if value <= 0o777:
            return value
    raise ValueError('an octal mode from 0000 to 0777, such as 0444 (in TOML with quotes: "0444")')


def shared_mode(raw: object) -> int:
    """Permission bits of files that a group shares: whoever makes them reads and writes them, not everybody writes."""
    expected = (
        "an octal mode such as 0660 or 0640: its owner reads and writes, nobody executes, and others do not write"
    )
    try:
        value = mode(raw)
    except ValueError:
        raise ValueError(expected) from None
    if value & 0o113 or value & 0o600 != 0o600:
        raise ValueError(expected)
    return value


def numeric_id(raw: object) -> int:
    """A user's or group's number."""
    try:
        value = int(raw) if isinstance(raw, (int, str)) and not isinstance(raw, bool) else -1
    except ValueError:
        value = -1
    if not 0 <= value <= _MAX_ID:
        raise ValueError("a number from `id -u` or `id -g`, such as 1000")
    return value


def switch(raw: object) -> bool:
    """True or False."""
    if isinstance(raw, bool):
        return raw
    word = str(raw).strip().lower() if isinstance(raw, (str, int)) else ""
    if word in _ON or word in _OFF:
        return word in _ON
    raise ValueError("true or false")


def count(raw: object) -> int:
    """How often a flag that may be repeated was given."""
    if isinstance(raw, bool):
        return int(raw)
    if isinstance(raw, int) and 0 <= raw < 10**9:
        return raw
    if isinstance(raw, str) and re.fullmatch(r"[0-9]{1,9}", raw.strip()):
        return int(raw)
    raise ValueError("0, 1 or 2")


def text(raw: object) -> str:
    """A word: not empty, no spaces or control characters."""
    if isinstance(raw, str) and raw and raw.isprintable() and " " not in raw:
        return raw
    raise ValueError("a word without spaces")


def path(raw: object, base: Path) -> Path:
    """An absolute path: `~` is expanded, a relative one is taken from `base`. It need not exist."""
    if not isinstance(raw, str) or not raw or "\0" in raw or len(os.fsencode(raw)) > _MAX_PATH:
        raise ValueError("a path")
    try:
        expanded = expand_home(raw)
    except LookupError:
        raise ValueError(f"a path: {NO_HOME}; write it without ~, or set HOME") from None
    # Not resolved: a link that is moved later should lead to where it points then.
    return Path(os.path.normpath(base / expanded))


def near(word: str, known: Any, *, limit: int = 3) -> list[str]:
    """The names of `known` that look like `word`, best first: close spellings, then names it begins or is part of; only
    the one that differs in case alone, where there is one."""
    import difflib

    names = [str(name) for name in known]
    by_fold = {name.casefold(): name for name in reversed(names)}
    folded = word.casefold()
    if folded in by_fold:
        return [by_fold[folded]]
    cutoff = 0.6 if len(word) < 5 else 0.7  # one wrong letter of three is a third already
    close = [by_fold[n] for n in difflib.get_close_matches(folded, list(by_fold), n=limit, cutoff=cutoff)]
    parts = [name for fold, name in by_fold.items() if len(folded) > 2 and (folded in fold or fold in folded)]
    return list(dict.fromkeys([*close, *sorted(parts)]))[:limit]


def did_you_mean(word: str, known: Any) -> str:
    """`: did you mean a or b?`, or nothing."""
    names = near(word, known)
    return f": did you mean {' or '.join(names)}?" if names else ""


# An access point's ARN has slashes of its own:
# docs.aws.amazon.com/AmazonS3/latest/userguide/access-points-naming.html
_ACCESS_POINT = re.compile(
    r"(arn:aws[a-z-]*:(?P<service>s3[a-z-]*):(?P<region>[a-z0-9-]*):\d{12}:"
    r"(?:outpost[:/][A-Za-z0-9-]+[:/])?accesspoint[:/][^/:]+)(?:/(?P<prefix>.*))?",
    re.DOTALL,
)
# As botocore accepts them: also older names with capitals and underscores.
_BUCKET = re.compile(r"[A-Za-z0-9.\-_]{3,255}")


def is_bucket(text: str) -> bool:
    """Whether `text` can be the name of a bucket."""
    return _BUCKET.fullmatch(text) is not None


def split_bucket(path: str) -> tuple[str, str]:
    """`BUCKET/PREFIX` -> (bucket, prefix), where BUCKET is a name, an alias, or an access point's ARN.

    Raises ValueError with what is wrong with an ARN.
    """
    if not path.startswith("arn:"):
        bucket, _, prefix = path.partition("/")
        return bucket, prefix
    found = _ACCESS_POINT.fullmatch(path)
    if not found:
        raise ValueError("not the ARN of an S3 access point; write s3://arn:aws:s3:REGION:ACCOUNT:accesspoint/NAME")
    if not found["region"]:
        raise ValueError(
            "a multi-region access point is signed in a way (SigV4A) that mountnd does not know; "
            "name the access point of one region, or the bucket"
        )
    if found["service"] not in ("s3", "s3-outposts"):
        raise ValueError(
            f"an access point of {found['service']} does not say how large its objects are; "
            "name the bucket, or an ordinary access point"
        )
    return found[1], found["prefix"] or ""
