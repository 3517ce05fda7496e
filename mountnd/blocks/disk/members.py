"""The mounts, on any node, that share a directory: which of them live.

As `neighbours`, for a file system that many nodes have mounted. A mount has one file, `members/OWNER`. While it holds
leases it touches that about once a second; whoever waits for it opens the file as often, and takes a mount whose file
does not change for dead. Names are asked for one by one and the folder is not listed but at the start: of a hundred
nodes that each look at all others, a metadata server would hear ten thousand times a second.

No clock is compared with another: a file's time only has to change. Files are opened to be looked at, since NFS asks
its server then, and else tells what it knew some seconds ago. What crashes leave is removed by its age beside a file
that was just touched.

Whoever may write to the directory can make mounts up that never end to fetch. Each costs a wait; after some that were
in vain nobody is waited for, for a while.

Lock order: `Members._lock` is a leaf; no lock is held across I/O.
"""

from __future__ import annotations

import os
import re
import secrets
import threading
import time
from collections import deque
from collections.abc import Callable, Collection
from contextlib import suppress

from .neighbours import DISTRUST_S, LEFT_NS, Rhythm
from .place import CacheDirectory

FOLDER = "members"
NAME = re.compile(r"[0-9a-f]{16}")

# NFS keeps what it knows of a file for 3 s at least, where it is not opened; a busy node or server may be late.
CLUSTER = Rhythm(beat_s=1.0, silent_s=6.0, poll_s=0.05)
# So many mounts waited for in vain within DISTRUST_S, and no more leases are taken for as long.
VAIN = 4
# Where this mount's file cannot be made, how long until it is tried again.
REFUSED_S = 5.0


class _Member:
    """Another mount: the time of its file, when that was seen to change, and when it was looked at last."""

    __slots__ = ("changed", "looked", "ns")

    def __init__(self, ns: int, now: float) -> None:
        self.ns, self.changed, self.looked = ns, now, now


class Members:
    """The mounts that share `root`, this one among them. Safe to use from many threads; nothing of it raises.

    Attributes:
        owner: this mount's name among them.
    """

    def __init__(
        self, root: CacheDirectory, clock: Callable[[], float] = time.monotonic, rhythm: Rhythm = CLUSTER
    ) -> None:
        self._root, self._clock, self._rhythm = root, clock, rhythm
        self.owner = secrets.token_hex(8)
        self._lock = threading.Lock()
        self._members: dict[str, _Member] = {}
        self._distrusted: dict[str, float] = {}
        self._vain: deque[float] = deque(maxlen=VAIN)
        self._shown = self._refused_until = float("-inf")
        self._is_there = False

    def join(self, sources: Collection[str]) -> None:
        """Show that this mount is there, and remove what crashes have left."""
        self._show()
        try:
            folder = self._root.held().below(FOLDER)
            now = folder.stat(self.owner).st_mtime_ns
            for entry in folder.entries():
                if NAME.fullmatch(entry.name) and abs(now - entry.stat(follow_symlinks=False).st_mtime_ns) > LEFT_NS:
                    folder.remove(entry.name)
        except OSError:
            pass  # then the next one does

    def leave(self) -> None:
        """This mount reads no more."""
        self._refused_until = float("inf")
        try:
            self._root.held().remove(f"{FOLDER}/{self.owner}")
        except OSError:
            pass  # another one removes it

    def fetching(self, source: str) -> bool:
        """This mount is about to fetch: whether leases are of use, since another one may do the same."""
        now = self._clock()
        if len(self._vain) == VAIN and now - self._vain[0] < DISTRUST_S:
            return False
        if not self._is_there or now - self._shown > self._rhythm.beat_s:  # also while another thread is making it
            self._show()
        return self._is_there

    def beat(self, *, holding: bool) -> bool:
        """Show that this mount lives while it is `holding` what others may wait for."""
        if holding:
            self._show()
        return holding

    def lives(self, owner: str, source: str) -> bool:
        """Whether a mount lives, and may be relied on."""
        now = self._clock()
        with self._lock:
            if self._distrusted.get(owner, 0.0) > now:
                return False
            member = self._members.get(owner)
            if member is not None and now - member.looked < self._rhythm.beat_s:
                return now - member.changed <= self._rhythm.silent_s
        return self._look(owner, now)

    def distrust(self, owner: str, source: str) -> None:
        """It was waited for in vain."""
        now = self._clock()
        with self._lock:
            if self._distrusted.get(owner, 0.0) <= now:
                self._vain.append(now)
            if len(self._distrusted) > 1000:
                self._distrusted.clear()
            self._distrusted[owner] = now + DISTRUST_S

    def _show(self) -> None:
        now = self._clock()
        if now < self._refused_until:
            return
        name, self._shown = f"{FOLDER}/{self.owner}", now
        try:
            try:
                root = self._root.held()
                root.touch(name)
            except FileNotFoundError:
                root = self._root.make()
                root.make(FOLDER)
                with suppress(FileExistsError):  # another thread has just made it
                    os.close(root.create(name))
            self._is_there = True
        except OSError:
            self._is_there, self._refused_until = False, now + REFUSED_S

    def _look(self, owner: str, now: float) -> bool:
        """Open another mount's file, and see whether it has changed."""
        try:
            ns = self._root.held().stat(f"{FOLDER}/{owner}").st_mtime_ns if NAME.fullmatch(owner) else None
        except OSError:
            ns = None
        with self._lock:
            if ns is None:
                self._members.pop(owner, None)
                return False
            member = self._members.get(owner)
            if member is None or member.ns != ns:
                if len(self._members) > 1000:
                    self._members.clear()
                member = self._members[owner] = _Member(ns, now)
            member.looked = now
            return now - member.changed <= self._rhythm.silent_s
