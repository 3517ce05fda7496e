"""How much a shared directory takes, as the nodes that write to it tell each other: one small file.

Whoever wants to write takes an allowance and adds it to the sum, so that nobody has to look at a million files for it.
One does so at a time: whoever has made `ledger.lease`, with O_EXCL. A lease that has not changed for `STALE_S`, by the
looker's monotonic clock, was left by a crash. The sum is a hint: what an allowance is not used for still counts, until
somebody looks at all files and writes down what they take. A ledger that is missing, damaged or nonsense is as none.
"""

from __future__ import annotations

import json
import os
import secrets
import time
from collections.abc import Callable

from xxhash import xxh3_64_hexdigest

from .place import CacheDirectory

NAME, LEASE = "ledger", "ledger.lease"
# Whoever holds the lease touches it so often while it looks at many files; after how long without it is void.
BEAT_S, STALE_S = 2.0, 30.0
_MOST_BYTES = 4096


class Ledger:
    """Of the directory `root`. Used by one thread at a time. `clock`: monotonic seconds."""

    def __init__(self, root: CacheDirectory, clock: Callable[[], float] = time.monotonic) -> None:
        self._root, self._clock = root, clock
        self._token, self._is_written = secrets.token_hex(8).encode(), False
        self._seen: tuple[tuple[int, int], float] | None = None  # another's lease, and since when it is the same
        self._beaten = 0.0

    def acquire(self) -> bool:
        """Take the lease; False where another has it. Raises OSError."""
        root = self._root.make()
        for again in (True, False):
            try:
                fd = root.create(LEASE)
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
            root.remove(LEASE)
        return False

    def _is_stale(self) -> bool:
        try:
            info = self._root.held().stat(LEASE)
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
        self._root.held().touch(LEASE)
        return True

    def release(self) -> None:
        """Give the lease up. Never raises."""
        try:
            if self._is_ours():
                self._root.held().remove(LEASE)
        except OSError:
            pass  # it becomes stale

    def _is_ours(self) -> bool:
        """Whether the lease is still the one that we have made."""
        try:
            return self._root.held().read(LEASE, 64) == (self._token if self._is_written else b"")
        except (FileNotFoundError, PermissionError):
            return False

    def read(self) -> int | None:
        """Bytes that the directory takes, allowances included; None where that is not known. Raises OSError."""
        try:
            raw = self._root.held().read(NAME, _MOST_BYTES)
        except (FileNotFoundError, PermissionError, IsADirectoryError):
            return None
        body, _, digest = raw.rstrip(b"\n").rpartition(b" ")
        if digest != xxh3_64_hexdigest(body).encode():
            return None
        try:
            taken = json.loads(body)["taken"]
        except (ValueError, TypeError, KeyError, RecursionError):
            return None
        return taken if isinstance(taken, int) and 0 <= taken < 1 << 80 else None

    def write(self, taken: int) -> None:
        """Write it down. Raises OSError."""
        body = json.dumps({"taken": taken}).encode()
        self._root.held().write(NAME, body + b" " + xxh3_64_hexdigest(body).encode() + b"\n")
