"""An open file of the mount whose every read is compared with the world, timed and counted."""

from __future__ import annotations

import functools
import os
import time
from collections.abc import Callable
from typing import TypeVar

from .tally import Tally, outcome_of
from .world import World, content

T = TypeVar("T")


class Mount:
    """The mount at `path`, which shows `world`; what is done there goes to `tally`."""

    def __init__(self, path: str, world: World, tally: Tally) -> None:
        self.path, self.world, self.tally = path, world, tally

    def attempt(self, kind: str, call: Callable[[], T], *, absent: str = "") -> T | None:
        """What `call` gives; None where it failed, which was counted. `absent`: ENOENT is a lie, it says of what."""
        begun = time.monotonic()
        try:
            found = call()
        except OSError as error:
            outcome, took = outcome_of(error), time.monotonic() - begun
            if outcome == "ENOENT" and absent:
                self.tally.wrong(kind, f"{absent} is said to be missing", took)
            else:
                self.tally.add(kind, outcome, took)
            return None
        self.tally.add(kind, "ok", time.monotonic() - begun)
        return found

    def open(self, key: str, kind: str, flags: int = 0) -> CheckedFile | None:
        """None where opening failed."""
        where = os.path.join(self.path, key)
        fd = self.attempt("open", lambda: os.open(where, os.O_RDONLY | os.O_CLOEXEC | flags), absent=key)
        return None if fd is None else CheckedFile(self, key, fd, kind)


class CheckedFile:
    """An open file: all its reads together must fit one version of the object.

    Attributes:
        versions: those that fit everything read so far.
    """

    def __init__(self, mount: Mount, key: str, fd: int, kind: str) -> None:
        self._mount, self.key, self.fd, self._kind = mount, key, fd, kind
        self.versions, self._settled = [0], False

    def read(self, offset: int, size: int) -> bool:
        """pread until there are `size` bytes, the end or an error. Whether it gave all of that."""
        at, stop, tally = offset, offset + size, self._mount.tally
        while at < stop:
            part = self._mount.attempt(self._kind, functools.partial(os.pread, self.fd, stop - at, at))
            if part is None or not self.check(at, part, stop - at):
                return False
            if not part:
                break
            at += len(part)
            tally.bytes += len(part)
        return True

    def check(self, offset: int, got: bytes, asked: int) -> bool:
        """Whether `got` is what some version has from `offset` on. No bytes mean the end of it."""
        world, key = self._mount.world, self.key
        if not self._settled and key.startswith("replaced/"):
            self.versions = list(range(world.version(key) + 2))  # some may have come since it was opened
        fits = []
        for version in self.versions:
            end = world.size(key, version)
            right = content(key, version, offset, min(offset + len(got), max(end, offset)))
            if len(got) == len(right) and right == got and (got or offset >= end):
                fits.append(version)
        if fits:
            if got:
                self.versions, self._settled = fits, True
            return True
        self._mount.tally.wrong(self._kind, f"{key}: other bytes in {len(got)} of {asked} from {offset} on")
        return False

    def close(self) -> None:
        os.close(self.fd)
