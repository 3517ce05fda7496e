"""The words of BIDS, from the schema that the package `bidsschematools` brings: no network, some 50 ms to load.

Imported only by `mountnd prefetch`, and only where names are chosen as BIDS has them.
"""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches
from typing import Any, NamedTuple

from bidsschematools.schema import load_schema

from .bids import Vocabulary

# What validators and BIDSLayout read at the top of a data set, and the schema's list of files does not name.
_BESIDE = (".bidsignore",)


class Entity(NamedTuple):
    """An entity: as it stands in names ("acq"), its long name ("acquisition"), and what people call it."""

    name: str
    long: str
    title: str


def entities() -> list[Entity]:
    """All entities, in the order in which they stand in names."""
    schema = load_schema()
    known = schema.objects.entities
    order = [*schema.rules.entities, *(key for key in known if key not in schema.rules.entities)]
    return [Entity(known[key].name, key, known[key].display_name) for key in order]


def vocabulary() -> Vocabulary:
    """The words by which names are taken apart."""
    schema = load_schema()
    numbers = {entity.name: entity.format == "index" for entity in schema.objects.entities.values()}
    return Vocabulary(str(schema.bids_version), numbers, (*_describing(schema.rules.files.common), *_BESIDE))


def suffixes_like(word: str) -> list[str]:
    """Suffixes of the schema that look like one that is not of it; none where it is."""
    known = [suffix.value for suffix in load_schema().objects.suffixes.values()]
    return [] if word in known else get_close_matches(word, known, n=2)


def _describing(rules: Any) -> Iterator[str]:
    """Names of files of the whole data set; a directory's among them does no harm."""
    for group in rules.values():
        for rule in group.values():
            if "path" in rule:
                yield rule.path
            elif rule.get("stem", "*") != "*":
                yield from (rule.stem + extension for extension in rule.extensions)
