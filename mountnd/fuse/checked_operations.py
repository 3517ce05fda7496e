"""The callbacks for a mount that somebody else has made, without `ro` and without `default_permissions`.

There the kernel passes on what would change something, and everybody's look-ups; so what it answers elsewhere by itself
is answered here: EROFS to all that writes, EACCES to whom the modes shut out. All directories have the same mode and
owner, so who may search one may search them all.
"""

from __future__ import annotations

import os
from collections.abc import Callable

from ..errors import Denied, ReadOnly
from ..vfs.inodes import Attributes
from . import binding
from .binding import FileInfo
from .operations import Operations, refuse
from .permissions import Caller, groups_of, may

# Of linux/fs.h (__FMODE_EXEC): the file is opened to be executed.
_FOR_EXECUTION = 0x20


class CheckedOperations(Operations):
    """`Operations` that check who asks."""

    def table(self) -> dict[str, Callable[..., int | None]]:
        return super().table() | {"access": self.access, "setxattr": refuse, "removexattr": refuse}

    def access(self, path: bytes, wanted: int) -> None:
        """access(2) and chdir(2)."""
        attributes = self._attributes(path)
        if wanted & os.W_OK:
            raise ReadOnly("the tree is read-only")
        self._check(wanted, attributes)

    def getattr(self, path: bytes | None, stat: int, info: int | None) -> None:
        if not info and path not in (b"/", b"", None):
            self._check_search()
        super().getattr(path, stat, info)

    def open(self, path: bytes, info: int) -> None:
        flags = FileInfo.from_address(info).flags
        if flags & os.O_ACCMODE == os.O_RDONLY and not flags & os.O_TRUNC:
            self._check(os.X_OK if flags & _FOR_EXECUTION else os.R_OK, self._attributes(path))
            super().open(path, info)
            return
        raise ReadOnly("the tree is read-only")

    def opendir(self, path: bytes, info: int) -> None:
        self._check(os.R_OK, self._attributes(path))
        super().opendir(path, info)

    def _attributes(self, path: bytes) -> Attributes:
        """What stands at `path`, which the caller must be able to reach. Raises Denied, and what look-ups raise."""
        if path.strip(b"/"):
            self._check_search()
        return self._vfs.getattr(self._resolve(path))

    def _check_search(self) -> None:
        self._check(os.X_OK, self._vfs.getattr(self._vfs.root))

    def _check(self, wanted: int, attributes: Attributes) -> None:
        uid, gid, pid = binding.caller()
        if not may(Caller(uid, gid, lambda: groups_of(pid)), wanted, attributes):
            raise Denied("its mode does not allow that")
