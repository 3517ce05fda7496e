"""The disk cache's directory, held open: every file of the cache is reached through it, none by its path."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from typing import TypeVar

from ...private_directory import PrivateDirectory, PrivatePath

T = TypeVar("T")


class CacheDirectory:
    """Opened when first needed, and again where it was removed. Methods raise OSError; Untrusted where something is
    there that must not be used. Thread-safe: whoever uses a directory that was given up holds it meanwhile.

    Attributes:
        path: where it is, for messages.
    """

    def __init__(self, path: PrivatePath | str | os.PathLike[str]) -> None:
        self._place = PrivatePath.of(path)
        self.path = str(self._place)
        self._held: PrivateDirectory | None = None

    @classmethod
    def of(cls, root: CacheDirectory | PrivatePath | str | os.PathLike[str]) -> CacheDirectory:
        """`root` itself where it is one."""
        return root if isinstance(root, CacheDirectory) else cls(root)

    def held(self) -> PrivateDirectory:
        """The directory. Raises FileNotFoundError where there is none."""
        held = self._held
        if held is None:
            held = self._held = self._place.open()
        return held

    def now(self) -> float:
        """Seconds since the epoch by the clock that the times of its files are compared with."""
        return self._place.now()

    def make(self) -> PrivateDirectory:
        """Make it where it is missing, and see whether its path still leads to it."""
        found, held = self._place.open(make=True), self._held
        if held is None or not os.path.samestat(held.info, found.info):
            held = self._held = found
        return held

    def with_folder(self, name: str) -> PrivateDirectory:
        """The directory, with a directory of this name in it; both are made where they are missing."""
        try:
            held = self.held()
            held.make(name)
        except FileNotFoundError:  # somebody has removed the whole cache
            held = self.make()
            held.make(name)
        return held

    def open_file(self, name: str, flags: int = os.O_RDONLY) -> int:
        """As `PrivateDirectory.open_file`."""
        return self._ask(lambda held: held.open_file(name, flags))

    def below(self, name: str) -> PrivateDirectory:
        """A directory in it, opened now. Raises FileNotFoundError where there is none."""
        return self._ask(lambda held: held.below(name))

    def _ask(self, call: Callable[[PrivateDirectory], T]) -> T:
        held = self.held()
        try:
            return call(held)
        except OSError as e:
            if not (e.errno == errno.ESTALE or (e.errno == errno.ENOENT and not held.info.st_nlink)):
                raise
        self._held = None  # it was removed; another one may be there
        return call(self.held())
