"""A lockfile as a source: which word names one, and what it says of how its objects are reached."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import UsageError
from .option_types import RawValue

if TYPE_CHECKING:
    from ..lockfile.header import Header

# Names that say that a file is one, so that what is wrong with it is told.
SUFFIXES = (".lock", ".lock.gz")


@dataclass(frozen=True, slots=True)
class NamedLockfile:
    """A lockfile that a word names."""

    path: Path
    header: Header

    @property
    def name(self) -> str:
        """What a source made of it is called."""
        name = self.path.name.removesuffix(".gz").removesuffix(".lock")
        return name or self.path.name

    def options(self) -> dict[str, RawValue]:
        """How the objects are reached, as a layer of options."""
        header = self.header
        said = {
            "endpoint_url": header.endpoint_url or None,
            "region": header.region or None,
            "anonymous": header.anonymous,
            "path_style": header.path_style,
        }
        return {
            name: RawValue(value, str(self.path), self.path.parent) for name, value in said.items() if value is not None
        }


def is_named_so(word: str) -> bool:
    """Whether a word looks like the name of a lockfile, and like nothing else. Pure."""
    return "://" not in word and word.endswith(SUFFIXES)


def find(word: str, base: Path) -> NamedLockfile | None:
    """The lockfile that `word` names, a path that starts from `base`; None where it names none.

    Raises ConfigError where it is called like one and is none, or its header is invalid, UsageError where there is no
    such file.
    """
    if "://" in word or not word or "\0" in word:
        return None
    path = Path(os.path.abspath(base / os.path.expanduser(word)))
    if path.is_dir() or not (is_named_so(word) or path.is_file()):
        return None
    from ..lockfile.reading import is_lockfile, read_header  # inflates, which few words need

    if not is_named_so(word) and not is_lockfile(path):
        return None
    if not os.path.lexists(path):
        raise UsageError(f"{word}: no such lockfile; `mountnd lock SOURCE -o {word}` makes one")
    return NamedLockfile(path, read_header(path))
