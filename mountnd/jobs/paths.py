"""Paths of a mount as components, from its root or from a directory below it. Pure.

Names are bytes; here they are text, in which what is not UTF-8 stands as surrogates (`os.fsdecode`).
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator

Parts = tuple[str, ...]

text, raw = os.fsdecode, os.fsencode


def components(path: str) -> Parts:
    """The components of a path; a "." or a second "/" is none."""
    return tuple(part for part in path.split("/") if part not in ("", "."))


def shown(parts: Parts) -> str:
    """A path as a person writes it."""
    return "/".join(parts) or "."


class Listed:
    """A list of paths: of files, or of directories with all that lies below them."""

    def __init__(self, paths: Collection[Parts]) -> None:
        self._paths, self._found = frozenset(paths), set[Parts]()
        self._ways = {path[:depth] for path in paths for depth in range(len(path))}

    def enters(self, directory: Parts) -> bool:
        """Whether anything below this directory is listed."""
        return self.holds(directory) or directory in self._ways

    def holds(self, path: Parts) -> bool:
        """Whether this is listed, or a directory that it lies in."""
        for one in self._around(path):
            if one in self._paths:
                self._found.add(one)
                return True
        return False

    def missing(self) -> list[Parts]:
        """What was listed and never asked for: it is not there."""
        return sorted(self._paths - self._found - {()})

    @staticmethod
    def _around(path: Parts) -> Iterator[Parts]:
        for depth in range(len(path) + 1):
            yield path[:depth]
