"""What a program may see of a bucket that changes: the rules of help/semantics.md, computed the slow and obvious way.

Every moment's keys are remembered. What a program is told of a name must have been true at some moment not longer ago
than the TTL, nor before the last refresh; what it reads of an open file is one version's bytes. An outcome is a `File`,
`DIRECTORY`, or an errno. No code of mountnd's is used. Times are seconds on whatever clock the world has.
"""

from __future__ import annotations

from collections.abc import Mapping
from errno import EACCES, ENOENT, ENOTDIR, ESTALE
from typing import NamedTuple

from .reference import Tree

DIRECTORY = "a directory"
# How long a refusal is remembered (help/semantics.md, "Refusals").
REFUSED_S = 30.0


class File(NamedTuple):
    """An object as it was for a while. `mtime`: seconds since the epoch."""

    body: bytes
    mtime: int


Outcome = File | str | int


class Refusal(NamedTuple):
    """Requests that were answered 403. `kind`: "list" (of prefixes that begin so), "get" (a GET or HEAD of the key)."""

    kind: str
    key: str
    until: float = float("inf")


class Pin:
    """What an open file may be: `versions`, of which reading leaves those that fit; `given`: bytes of it were seen."""

    def __init__(self, key: str, versions: set[File], since: float) -> None:
        self.key, self.versions, self.since = key, versions, since
        self.given = False


class Oracle:
    """Args: ttl: seconds that a listing is believed; lag: that may be added to it, and pass until a refresh is seen."""

    def __init__(self, keys: Mapping[str, File], root: str, ttl: float, lag: float) -> None:
        self._root, self._ttl, self._lag = root, ttl, lag
        self._history: list[tuple[float, Mapping[str, File], Tree]] = []
        self.refreshed: list[tuple[str, float]] = []
        self.refusals: list[Refusal] = []
        self.change(float("-inf"), keys)

    def change(self, now: float, keys: Mapping[str, File]) -> None:
        """These are the bucket's keys from now on."""
        self._history.append((now, dict(keys), Tree(dict.fromkeys(keys, 1), self._root)))

    def believed(self, now: float, key: str) -> float:
        """The moment from which on what is said of this name (or, with a "/" at its end, this directory) is true."""
        seen = [(prefix, when) for prefix, when in self.refreshed if now - when >= self._lag]
        of_it = [when for prefix, when in seen if (key.rstrip("/") + "/").startswith(prefix)]
        return max([now - self._ttl - self._lag, *of_it])

    def moments(self, since: float) -> list[tuple[float, Mapping[str, File], Tree]]:
        """All that was, from then on."""
        last = max(i for i, (when, *_) in enumerate(self._history) if when <= since or i == 0)
        return self._history[last:]

    def refused(self, now: float, kind: str, *keys: str) -> bool:
        """Whether such a request may be answered 403, or was a short while ago."""
        mine = [r.key for r in self.refusals if r.kind == kind and r.until >= now - REFUSED_S]
        return any(key.startswith(mine_) if kind == "list" else key == mine_ for key in keys for mine_ in mine)

    def what(self, now: float, directory: str, name: str) -> set[Outcome]:
        """What a name in a directory (a key prefix) may be."""
        key = directory + name
        seen: set[Outcome] = set()
        objects: set[Outcome] = set()
        for _, keys, tree in self.moments(self.believed(now, key)):
            shown = tree.listing(directory).get(name)
            seen.add(ENOENT if shown is None else DIRECTORY if shown.endswith("/") else keys[shown])
            objects.add(keys.get(key, ENOENT))
        if self.refused(now, "get", key):
            seen.add(EACCES)
        if self.refused(
            now, "list", directory, key + "/"
        ):  # then by a HEAD, and what is known below (help: "Refusals")
            seen |= objects - {ENOENT}
            if ENOENT in objects or EACCES in seen:
                seen |= {ENOENT, EACCES}
                above_listed = not self.refused(now, "list", directory)
                if not above_listed or self._ever(key + "/"):
                    seen.add(DIRECTORY)
        return seen

    def look_up(self, now: float, path: list[str]) -> set[Outcome]:
        """What a path may be."""
        around, outcomes = {self._root}, set[Outcome]()
        for name in path[:-1]:
            below = set()
            for directory in around:
                for one in self.what(now, directory, name):
                    if one == DIRECTORY:
                        below.add(f"{directory}{name}/")
                    else:
                        outcomes.add(ENOTDIR if isinstance(one, File) else one)
            around = below
        for directory in around:
            outcomes |= self.what(now, directory, path[-1]) if path else {DIRECTORY}
        return outcomes

    def may_fail_to_list(self, now: float, directory: str) -> set[int]:
        """The errnos with which a directory that a path led to may refuse to be listed."""
        gone = not all(tree.is_dir(directory) for *_, tree in self.moments(self.believed(now, directory)))
        refused = self.refused(now, "list", directory)
        return ({ENOENT} if gone else set()) | ({EACCES} if refused else set())

    def names(self, now: float, directory: str) -> set[str]:
        """All names that may be in a directory."""
        return {n for *_, tree in self.moments(self.believed(now, directory)) for n in tree.listing(directory)}

    def replacements(self, now: float, pin: Pin) -> set[File]:
        """The versions that a pin may have moved to: of the same size, and only before anybody saw a byte."""
        later = {keys[pin.key] for _, keys, _ in self.moments(pin.since) if pin.key in keys}
        sizes = {len(version.body) for version in pin.versions}
        return set() if pin.given else {version for version in later if len(version.body) in sizes}

    def may_fail_to_read(self, pin: Pin) -> set[int]:
        """The errnos with which reading an open file may fail."""
        bodies = [keys[pin.key].body if pin.key in keys else None for _, keys, _ in self.moments(pin.since)]
        stale = any(body != version.body for body in bodies for version in pin.versions)
        refused = any(r.kind == "get" and r.key == pin.key and r.until >= pin.since for r in self.refusals)
        return ({ESTALE} if stale else set()) | ({EACCES} if refused else set())

    def _ever(self, prefix: str) -> bool:
        return any(key.startswith(prefix) for _, keys, _ in self._history for key in keys)
