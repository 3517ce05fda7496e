"""One at a time among the nodes that share a directory: whoever has made a file, with O_EXCL.

A lease that has not changed for `STALE_S`, by the looker's monotonic clock, was left by a crash.
"""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Callable

from .place import CacheDirectory

# Whoever holds the lease touches it so often while its work takes long; after how long without it is void.
BEAT_S, STALE_S = 2.0, 30.0


class ExclusiveLease:
    """The lease `lease` of the directory `root`. Used by one thread at a time. `clock`: monotonic seconds."""

    def __init__(self, root: CacheDirectory, lease: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._root, self._lease, self._clock = root, lease, clock
        self._token, self._is_written = secrets.token_hex(8).encode(), False
        self._seen: tuple[tuple[int, int], float] | None = None  # another's lease, and since when it is the same
        self._beaten = 0.0

    def acquire(self) -> bool:
        """Take the lease; False where another has it. Raises OSError."""
        root = self._root.make()
        for again in (True, False):
            try:
                fd = root.create(self._lease)
            except FileExistsError:
                pass
            else:
                try:
                    os.write(fd, self._token)
                    self._is_written = True
                except OSError:  # on a full disk, where room is made all the same
                    self._is_written = False
                finally:
                    os.close(fd)
                self._seen, self._beaten = None, self._clock()
                return True
            if not (again and self._is_stale()):
                return False
            root.remove(self._lease)
        return False

    def _is_stale(self) -> bool:
        try:
            info = self._root.held().stat(self._lease)
        except FileNotFoundError:
            return True
        except PermissionError:  # no file that we may look at
            info = os.stat_result((0,) * 10)
        version, now = (info.st_ino, info.st_mtime_ns), self._clock()
        if self._seen is None or self._seen[0] != version:
            self._seen = (version, now)
            return False
        return now - self._seen[1] > STALE_S

    def beat(self) -> bool:
        """Show now and then that the lease is held; False where it was taken away. Raises OSError."""
        now = self._clock()
        if now - self._beaten < BEAT_S:
            return True
        self._beaten = now
        if not self._is_ours():
            return False
        self._root.held().touch(self._lease)
        return True

    def release(self) -> None:
        """Give the lease up. Never raises."""
        try:
            if self._is_ours():
                self._root.held().remove(self._lease)
        except OSError:
            pass  # it becomes stale

    def _is_ours(self) -> bool:
        """Whether the lease is still the one that we have made."""
        try:
            return self._root.held().read(self._lease, 64) == (self._token if self._is_written else b"")
        except (FileNotFoundError, PermissionError):
            return False
