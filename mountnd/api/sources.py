"""The sources that one file system shows: one that it was made for, or whatever its paths name."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..config import presets
from ..config.layers import Layer
from ..config.options import MountConfig
from ..config.resolve import ConfigInputs, resolve_mount
from ..errors import ConfigError, NotFound, UsageError
from . import keywords
from .places import Place
from .trees import OpenTree, open_tree

# Where a mount would stand; there is none.
_NOWHERE = Path("/nowhere/mountnd")


class Sources:
    """Trees by the word that names their source.

    Args:
        given: the sources that paths lie in; with none, each path begins with its own.
        options: by name.

    Raises UsageError and ConfigError.
    """

    def __init__(self, given: Sequence[str], options: Mapping[str, Any]) -> None:
        self._given = given
        self._inputs = keywords.read(options, mounts=False)
        self._trees: dict[tuple[int, str], OpenTree] = {}  # by process, too: a fork has trees of its own
        if given:
            self._config(self._inputs, given)  # what is wrong is said here
        else:
            self._inputs.all_options()

    @property
    def bound(self) -> bool:
        """Whether paths lie in sources that were given."""
        return bool(self._given)

    def names(self) -> list[str]:
        """What paths may begin with that is known by a name: sources of the config file and presets."""
        return list(dict.fromkeys([*self._inputs.file.sources, *presets.names()]))

    def settled(self, place: Place) -> Place:
        """The place, with the name of a snapshot (`openneuro/ds000001@1.0.2`) as part of its source's."""
        first, _, below = place.path.partition("/")
        if "@" in first and self._inputs.parser().has_snapshots(place.word):
            return Place(f"{place.word}/{first}", below)
        return place

    def tree(self, word: str) -> OpenTree:
        """The tree of the source that `word` names; "" for that of the sources given. Raises MountndError: NotFound for
        a word that names none."""
        if (tree := self._trees.get((os.getpid(), word))) is not None:
            return tree
        if word:
            self._check_name(word)
        config, chosen = self._config(self._inputs, [word] if word else self._given)
        if word:
            # What a path names is asked for by its path; only a source that was given may be mistyped as a whole.
            config = replace(config, sources=tuple(replace(source, probe=False) for source in config.sources))
        tree = self._trees[os.getpid(), word] = open_tree(config, own_memory=chosen)
        return tree

    def open_trees(self) -> list[OpenTree]:
        """Those that were asked for in this process."""
        return [tree for (pid, _), tree in list(self._trees.items()) if pid == os.getpid()]

    def _check_name(self, word: str) -> None:
        """Raises NotFound where no source is called so."""
        try:
            self._inputs.parser().parse(word)
        except ConfigError:
            raise
        except UsageError as e:
            raise NotFound(str(e), code="Source") from e

    @staticmethod
    def _config(inputs: ConfigInputs, words: Sequence[str]) -> tuple[MountConfig, bool]:
        """The configuration of a tree, and whether somebody has chosen its memory."""
        resolved = resolve_mount([*words, str(_NOWHERE)], inputs)
        return resolved.config, resolved.options["memory"].layer is not Layer.TABLE_DEFAULT
