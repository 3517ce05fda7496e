"""What names in a data set say: pure functions over paths, which are tuples of components."""

from __future__ import annotations

import re

Path = tuple[str, ...]

# How alike two names are: up to the extension, up to the last `_` part (BIDS' entities), or neither.
STEM, ENTITIES, OTHER = range(3)

PACKED = frozenset({".gz", ".bz2", ".xz", ".zst"})
_FIRST_DIGITS = re.compile(r"^\d+")
_COUNT = re.compile(r"\.\d+$")


def ending(name: str) -> str:
    """The last `_` part of a file's name (BIDS' suffix and extension) with the digits it starts with erased, or just
    the extension where the name has no such parts; an extension of digits counts the files."""
    _, underscore, last = name.rpartition("_")
    return _FIRST_DIGITS.sub("#", last) if underscore else "*" + _COUNT.sub(".#", extension(name))


def extension(name: str) -> str:
    """`.json` of `sub-01.a_T1w.json`, `.nii.gz` of `sub-01_T1w.nii.gz`; "" where there is none."""
    stem, dot, last = name.rpartition(".")
    if not dot or not stem:
        return ""
    if dot + last in PACKED:
        return extension(stem) + dot + last
    return dot + last


def called(path: Path) -> str:
    """What a file is called in its directories: its name without the parts that repeat these.

    `task-rest_run-2_bold.json` of `sub-01/func/sub-01_task-rest_run-2_bold.json`. Names that are numbers are all alike.
    """
    parts = path[-1].split("_")
    first, dot, rest = parts[-1].partition(".")
    if len(parts) == 1 and first.isdigit():
        return "#" + dot + rest
    places = set(path[:-1])
    kept = [p for p in parts[:-1] if p not in places]
    kept.append(("" if first in places else first) + dot + rest)
    return "_".join(kept)


def likeness(a: str, b: str) -> int:
    """How alike two names are: `STEM`, `ENTITIES` or `OTHER`."""
    a, b = a.removesuffix(extension(a)), b.removesuffix(extension(b))
    if a == b:
        return STEM
    a, _, _ = a.rpartition("_")
    return ENTITIES if a and a == b.rpartition("_")[0] else OTHER
