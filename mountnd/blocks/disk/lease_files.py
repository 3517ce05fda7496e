"""The files of leases: made with O_EXCL, each holds the name of the mount that has it, and is known by its version."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from contextlib import suppress

from .place import CacheDirectory

FOLDER = "leases"
NAME = re.compile(r"[0-9a-f]{32}-[0-9]+")
# The names of mounts, as they are written into leases.
OWNER = re.compile(r"[0-9a-f]{16}")
# Leases that are older than any fetch may take were left by a crash.
LEFT_NS = 120 * 10**9

# A file's inode and its time in ns, by which another one of the same name is told from it.
Version = tuple[int, int]
GONE: Version = (0, 0)


class LeaseFiles:
    """Those below `root`, of which this mount, `owner`, makes some. No table and no lock."""

    def __init__(self, root: CacheDirectory, owner: str) -> None:
        self._root, self._owner = root, owner

    def make(self, name: str) -> None:
        """Raises FileExistsError, OSError."""
        root = self._root.with_folder(FOLDER)
        fd = root.create(f"{FOLDER}/{name}")
        try:
            os.write(fd, self._owner.encode())
        except OSError:
            root.remove(f"{FOLDER}/{name}")  # on a full disk
            raise
        finally:
            os.close(fd)

    def read(self, name: str) -> tuple[str, Version]:
        """Who holds a lease ("": not known yet), and the file's version; zeros where it is gone."""
        try:
            fd = self._root.open_file(f"{FOLDER}/{name}")
        except OSError:
            return "", GONE
        try:
            info = os.fstat(fd)
            owner = os.read(fd, 64).decode("ascii", "replace")
            return owner if OWNER.fullmatch(owner) else "", (info.st_ino, info.st_mtime_ns)
        except OSError:
            return "", GONE
        finally:
            os.close(fd)

    def version(self, name: str) -> Version:
        """Of a lease's file; `GONE` where there is none."""
        try:
            info = self._root.held().stat(f"{FOLDER}/{name}")
        except OSError:
            return GONE
        return info.st_ino, info.st_mtime_ns

    def remove(self, names: Sequence[str]) -> None:
        try:
            root = self._root.held()
        except OSError:
            return
        for name in names:
            root.remove(f"{FOLDER}/{name}")

    def remove_version(self, name: str, version: Version) -> None:
        """Remove a lease, unless somebody else has done that, and made another one."""
        with suppress(OSError):
            root = self._root.held()
            if version == GONE or self.version(name) == version:
                root.remove(f"{FOLDER}/{name}")

    def clean(self) -> None:
        """Remove what crashes have left."""
        try:
            folder = self._root.held().below(FOLDER)
            now = self._root.now() * 1e9
            for entry in folder.entries():
                if NAME.fullmatch(entry.name) and abs(now - entry.stat(follow_symlinks=False).st_mtime_ns) > LEFT_NS:
                    folder.remove(entry.name)
        except OSError:
            pass
