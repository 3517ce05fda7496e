"""Names as BIDS has them: `sub-01_task-rest_bold.nii.gz` is entities, a suffix and an extension. Pure.

What the entities are, and which files describe a data set, is told by a `Vocabulary` of the BIDS schema (`schema`).

Which metadata belong to a file follows the specification's inheritance principle ("Common principles", version 1.11):
a metadata file applies to all data files with its suffix that lie in its directory or below and have all its entities.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

# Metadata that files inherit: the principle names JSON, b-values and b-vectors, and tables.
_METADATA = ("json", "tsv", "bval", "bvec")
# Those that describe other metadata, too.
_ABOUT_TABLES = "json"


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Words of the BIDS schema.

    Attributes:
        version: of BIDS.
        entities: as they stand in file names ("sub") -> whether their values are numbers (of `run-01` and `run-1` both
            are run 1).
        describing: names of the files that describe a data set as a whole (`dataset_description.json`, `README`, ...).
    """

    version: str = ""
    entities: Mapping[str, bool] = field(default_factory=dict)
    describing: tuple[str, ...] = ()

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Vocabulary:
        """Of what `dataclasses.asdict` made. Raises TypeError, KeyError."""
        if not value:
            return cls()
        entities, describing = dict(value["entities"]), tuple(value["describing"])
        if not all(isinstance(word, str) for word in (*entities, *describing)):
            raise TypeError
        return cls(str(value["version"]), {name: bool(number) for name, number in entities.items()}, describing)


class Name(NamedTuple):
    """A file's name taken apart. `extension` without its first dot."""

    entities: Mapping[str, str]
    suffix: str
    extension: str


def parse(path: Sequence[str], vocabulary: Vocabulary) -> Name:
    """What the components of a path say: the last one that ends in a suffix says suffix and extension (files inside
    `sub-01_meg.ds/` are named as their programs like), and entities stand in directories, too."""
    entities: dict[str, str] = {}
    suffix = extension = ""
    for component in path:
        stem, dot, ending = component.partition(".")
        *parts, last = stem.split("_")
        found = dict(_pairs([*parts, last], vocabulary))
        entities.update(found)
        if dot and "-" not in last and found and all("-" in part for part in parts):
            suffix, extension = last, ending
        elif dot and not parts and "-" not in last and component is path[-1] and not suffix:
            suffix, extension = last, ending  # `dwi.json`, `README.md`
    if not suffix and path:
        extension = path[-1].partition(".")[2]
    return Name(entities, suffix, extension)


def _pairs(parts: Iterable[str], vocabulary: Vocabulary) -> Iterator[tuple[str, str]]:
    for part in parts:
        key, dash, value = part.partition("-")
        if dash and key in vocabulary.entities:
            yield key, value


class Wanted:
    """What is asked for: a file is wanted when it has a wanted value of each entity, a wanted suffix and a wanted
    extension, as far as any are given.

    Args:
        entities: entity -> values; `*` and `?` stand for what they do in a shell.
        extensions: as `nii.gz`; `gz` is the end of that, too.
    """

    def __init__(
        self,
        entities: Mapping[str, Collection[str]],
        suffixes: Collection[str],
        extensions: Collection[str],
        vocabulary: Vocabulary,
    ) -> None:
        self._entities, self._suffixes, self._vocabulary = entities, frozenset(suffixes), vocabulary
        self._endings = tuple("." + extension.lower().lstrip(".") for extension in extensions)

    def fits(self, name: Name) -> bool:
        """Whether a file of this name is wanted."""
        if self._suffixes and name.suffix not in self._suffixes:
            return False
        if self._endings and not f".{name.extension}".lower().endswith(self._endings):
            return False
        return all(key in name.entities and self._has(key, name.entities[key]) for key in self._entities)

    def may_belong(self, name: Name) -> bool:
        """Whether this may be metadata of a wanted file: it has no other value of an entity, and no other suffix."""
        if name.extension not in _METADATA or not name.suffix:
            return False
        if self._suffixes and name.suffix not in self._suffixes:
            return False
        return all(self._has(key, name.entities[key]) for key in self._entities if key in name.entities)

    def _has(self, entity: str, value: str) -> bool:
        number = self._vocabulary.entities.get(entity, False)
        return any(_equal(value, wanted, number) for wanted in self._entities[entity])


def _equal(value: str, wanted: str, number: bool) -> bool:
    if number and value.isdecimal() and wanted.isdecimal():
        return int(value) == int(wanted)
    return fnmatchcase(value, wanted)


def applies(metadata: Name, data: Name) -> bool:
    """Whether metadata in the directory of a data file, or in one above it, are of that file."""
    if data.extension in (_ABOUT_TABLES, "bval", "bvec"):
        return False
    if data.extension in _METADATA and metadata.extension != _ABOUT_TABLES:
        return False
    return metadata.suffix == data.suffix and metadata.entities.items() <= data.entities.items()
