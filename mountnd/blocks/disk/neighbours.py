"""Which other mounts fetch from the same source into the same cache directory right now.

Every mount has an empty file in `mounts/` for each of its sources, named `OWNER-SOURCE`. Whoever begins to fetch makes
his, or touches it and the directory, and so changes the directory's time, which a mount looks at before each fetch: one
that is alone pays a call of fstat(2) for it. Those that are not alone touch their own file several times a second while
they fetch (`beat`), and take a neighbour whose file does not change for dead, or idle.

No clock is compared with another: a file's time only has to change, within seconds of the looker's monotonic clock.
What a crash leaves is removed by its age beside a file that was just touched: by the file system's own clock.

Lock order: `Neighbours._lock` is a leaf; no lock is held across I/O.
"""

from __future__ import annotations

import os
import re
import secrets
import threading
import time
from collections.abc import Callable, Collection, Mapping
from typing import NamedTuple, Protocol

from xxhash import xxh3_64_hexdigest

from ...private_directory import PrivateDirectory
from .place import CacheDirectory

FOLDER = "mounts"
NAME = re.compile(r"([0-9a-f]{16})-([0-9a-f]{16})")

# How often a mount shows that it lives, and after how long without that it is taken for dead: long enough for a process
# that waits for its turn on a busy machine.
BEAT_S, SILENT_S = 0.25, 2.5
# Two changes within a tick of the file system's clock look like one: so after each there is one more look.
LOOK_AGAIN_S = 1.0
# Whose fetches came to nothing is not waited for again for this long.
DISTRUST_S = 30.0
# Files that were not touched for so long are left from a crash. A mount that was only idle makes its own anew.
LEFT_NS = 600 * 10**9
# Where the directory cannot be used, how long until it is tried again.
REFUSED_S = 60.0

Clock = Callable[[], float]


class Rhythm(NamedTuple):
    """How often a mount that holds leases shows that it lives, after how long without that it is taken for dead, and
    how often is looked whether leases are gone that are waited for. Seconds."""

    beat_s: float
    silent_s: float
    poll_s: float


# Among mounts of one node.
NODE = Rhythm(BEAT_S, SILENT_S, 0.01)


class Others(Protocol):
    """The mounts that share a directory, this one among them, which is called `owner`. Nothing of it raises."""

    owner: str

    def join(self, sources: Collection[str]) -> None:
        """This mount reads these sources."""
        ...

    def leave(self) -> None:
        """It reads no more."""
        ...

    def fetching(self, source: str) -> bool:
        """This mount is about to fetch from `source`: whether another one may be doing so."""
        ...

    def beat(self, *, holding: bool) -> bool:
        """Show that this mount lives, where it has to; it may be `holding` leases. Whether there is need to go on."""
        ...

    def lives(self, owner: str, source: str) -> bool:
        """Whether a mount that reads `source` lives, and may be relied on."""
        ...

    def distrust(self, owner: str, source: str) -> None:
        """It was waited for in vain."""
        ...


def tag(source: str) -> str:
    """What a source is called in the names of files."""
    return xxh3_64_hexdigest(source.encode("utf-8", "surrogateescape"))


class _Source:
    """What is known of the mounts that read one source. Guarded by `Neighbours._lock`, but for `fetched`.

    Attributes:
        fetched: when this mount did last.
        changed: by owner, the time of its file, and when that was seen to change.
        expected_until: until then all that are there may be about to fetch, too.
        distrusted: until when, by owner.
        folder_ns: the directory's time when it was looked at; again: when it is to be looked at in any case.
    """

    __slots__ = ("again", "changed", "distrusted", "expected_until", "fetched", "folder_ns", "tag")

    def __init__(self, source: str) -> None:
        self.tag = tag(source)
        self.fetched = self.expected_until = float("-inf")
        self.again, self.folder_ns = float("inf"), 0
        self.changed: dict[str, tuple[int, float]] = {}
        self.distrusted: dict[str, float] = {}

    def fresh(self, now: float) -> bool:
        """Whether another mount fetches, as far as is known."""
        if now < self.expected_until:
            return bool(self.changed)
        return any(now - at <= SILENT_S for _, at in self.changed.values())

    def shows_life(self, owner: str, now: float) -> bool:
        """Whether that mount's file has changed lately."""
        return now - self.changed.get(owner, (0, float("-inf")))[1] <= SILENT_S


class Neighbours:
    """The mounts that share the cache directory `root`, this one among them. Safe to use from many threads; nothing of
    it raises. Where the directory cannot be written a mount has no neighbours.

    Attributes:
        owner: this mount's name among them.
    """

    def __init__(self, root: CacheDirectory, clock: Clock = time.monotonic) -> None:
        self._root, self._clock = root, clock
        self.owner = secrets.token_hex(8)
        self._lock = threading.Lock()
        self._sources: dict[str, _Source] = {}
        self._folder: PrivateDirectory | None = None
        self._refused_until = float("-inf")

    def join(self, sources: Collection[str]) -> None:
        """This mount reads these sources."""
        for source in sources:
            state = self._sources.setdefault(source, _Source(source))
            self._announce(state)

    def leave(self) -> None:
        """It reads no more."""
        folder, self._folder = self._folder, None
        self._refused_until = float("inf")
        if folder is not None:
            for state in self._sources.values():
                folder.remove(self._name(state))

    def fetching(self, source: str) -> bool:
        """This mount is about to fetch from `source`: whether another one may be doing so."""
        state = self._sources.get(source)
        if state is None:
            return False
        now = self._clock()
        paused, state.fetched = now - state.fetched > SILENT_S, now
        if paused:
            state.expected_until = now + SILENT_S  # first: other threads fetch, too, while this one announces it
            self._announce(state)
        elif (folder := self._folder) is not None and (
            folder.info.st_mtime_ns != state.folder_ns or now >= state.again
        ):
            self._look()
        return state.fresh(now)

    def beat(self, *, holding: bool) -> bool:
        """Show that this mount lives, where it fetches (or is `holding` what others wait for), and look for others.
        Returns whether there is any need to go on."""
        now, needed = self._clock(), False
        for state in self._sources.values():
            if (holding or now - state.fetched <= SILENT_S) and state.fresh(now):
                needed = True
                self._touch(state)
        self._look()
        return needed

    def lives(self, owner: str, source: str) -> bool:
        """Whether a mount that reads `source` lives, and may be relied on."""
        state, now = self._sources[source], self._clock()
        with self._lock:
            if state.distrusted.get(owner, 0.0) > now:
                return False
            if state.shows_life(owner, now):
                return True
        self._look()  # it may have begun a moment ago
        with self._lock:
            return state.shows_life(owner, self._clock())

    def distrust(self, owner: str, source: str) -> None:
        """It was waited for in vain."""
        with self._lock:
            self._sources[source].distrusted[owner] = self._clock() + DISTRUST_S

    # -- within ---------------------------------------------------------------------------------

    def _name(self, state: _Source) -> str:
        return f"{self.owner}-{state.tag}"

    def _announce(self, state: _Source) -> None:
        """Begin after a pause: have others look. All that are there may be about to begin, too."""
        now = self._clock()
        if now < self._refused_until:
            return
        try:
            folder, name = self._folder, self._name(state)
            if folder is None or not folder.info.st_nlink:
                folder = self._folder = self._root.make().below(FOLDER, make=True)
            try:
                folder.touch(name)
                folder.touch(".")
            except FileNotFoundError:
                os.close(folder.create(name))
            self._look(touched=folder.stat(name).st_mtime_ns)
        except OSError:
            self._folder, self._refused_until = None, now + REFUSED_S
            with self._lock:
                state.changed.clear()

    def _touch(self, state: _Source) -> None:
        try:
            if (folder := self._folder) is not None:
                folder.touch(self._name(state))
        except OSError:
            pass  # removed, or no longer ours to write: others go on without us

    def _look(self, *, touched: int = 0) -> None:
        """Look at the others' files. `touched`: the time of one that was just touched, beside which others are old."""
        folder = self._folder
        if folder is None:
            return
        try:
            folder_ns = folder.info.st_mtime_ns
            found = self._files(touched)
        except OSError:
            return
        now = self._clock()
        with self._lock:
            for state in self._sources.values():
                before, state.changed = state.changed, {}
                for owner, ns in found.get(state.tag, {}).items():
                    known = before.get(owner)
                    state.changed[owner] = known if known is not None and known[0] == ns else (ns, now)
                state.again = now + LOOK_AGAIN_S if state.folder_ns != folder_ns else float("inf")
                state.folder_ns = folder_ns

    def _files(self, touched: int) -> Mapping[str, dict[str, int]]:
        """By source and owner, the times of the other mounts' files. Those that are left from a crash are removed."""
        # Opened anew: threads that scan one descriptor would share its place in the directory.
        folder = self._root.held().below(FOLDER)
        found: dict[str, dict[str, int]] = {}
        for entry in folder.entries():
            if not (named := NAME.fullmatch(entry.name)) or named[1] == self.owner:
                continue
            try:
                ns = entry.stat(follow_symlinks=False).st_mtime_ns
            except FileNotFoundError:
                continue
            if touched and abs(touched - ns) > LEFT_NS:
                folder.remove(entry.name)
            else:
                found.setdefault(named[2], {})[named[1]] = ns
        return found
