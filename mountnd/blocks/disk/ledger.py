"""How much a shared directory takes, as the nodes that write to it tell each other: one small file.

Whoever wants to write takes an allowance and adds it to the sum, so that nobody has to look at a million files for it.
One does so at a time, who holds a lease. The sum is a hint: what an allowance is not used for still counts, until
somebody looks at all files and writes down what they take. A ledger that is missing, damaged or nonsense is as none.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable

from xxhash import xxh3_64_hexdigest

from .exclusive_lease import ExclusiveLease
from .place import CacheDirectory

NAME, LEASE = "ledger", "ledger.lease"
_MOST_BYTES = 4096


class Ledger(ExclusiveLease):
    """Of the directory `root`. Used by one thread at a time. `clock`: monotonic seconds."""

    def __init__(self, root: CacheDirectory, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(root, LEASE, clock)

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
