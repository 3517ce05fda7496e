"""What a policy of the readahead across files is, what it may ask, and what it answers.

A policy is told which files of one source a program opens and closes, and predicts which it opens next. It has no I/O
and no clock; the caller serialises its calls. A new policy is a file in this folder with a class like `Policy`, and a
line in `prefetcher.POLICIES`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from .names import Path
from .orders import Tree


class Prediction(NamedTuple):
    """A file that will be opened: fetch its first `stop` bytes, None for all of it."""

    path: Path
    stop: int | None = None

    @property
    def whole(self) -> bool:
        return self.stop is None


class Decision(NamedTuple):
    """What an open leads to: files to fetch ahead, the likeliest first, and predictions that are given up.

    Every prediction ends once: by an open of its file, or by being dropped.
    """

    predicted: Sequence[Prediction] = ()
    dropped: Sequence[Path] = ()


class Neighbour(NamedTuple):
    """A file of the same directory: its name, its size in bytes, how many places behind (< 0: before) it lies."""

    name: str
    size: int
    places: int


class Neighbourhood(NamedTuple):
    """What lies near a file: how many names its directory holds, and the files at most so many places away."""

    names: int
    files: Sequence[Neighbour]


class KnownFiles(Tree, Protocol):
    """What is known of a source, from memory: no call asks the store."""

    def neighbours(self, path: Path, reach: int) -> Neighbourhood | None:
        """What lies within `reach` places of a file, None where its directory is not known."""
        ...

    def predicted(self, path: Path) -> bool:
        """Whether a policy has predicted this file, which was not opened since."""
        ...

    def wanted(self, path: Path, size: int) -> int:
        """How many bytes, from the first on, a program reads of such a file (of `size` bytes), as it seems."""
        ...


class Policy(Protocol):
    """The policy of one source. Made with the source's `KnownFiles`."""

    @property
    def counter(self) -> str:
        """The counter of files that were fetched because of this policy."""
        ...

    def opened(self, path: Path, size: int) -> Decision:
        """A program opened `path`, a file of `size` bytes."""
        ...

    def closed(self, path: Path, size: int, stop: int) -> None:
        """A program closed `path`, having read up to byte `stop` of `size`; 0 where it read nothing."""
        ...
