"""One shared directory as a mount uses it: where it is, whether it answers, and what a person is told of it."""

from __future__ import annotations

import errno
import logging
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from ..regular_file import UntrustedDirectory
from .directory import SharedDirectory, SharedPath
from .guard import PATIENCE_S, Guard

log = logging.getLogger(__name__)


class Condition(NamedTuple):
    """How the directory is used.

    Attributes:
        state: "used", "read-only", or "left out".
        why: in words, where it is not "used".
    """

    state: str
    why: str = ""


class SharedPlace:
    """A directory that several nodes share. Nothing of it raises; where it cannot be used that is said, once.

    Args:
        patience: seconds that a call into it may take.
        faulty: called at each fault of its file system.
        told: what a person should know is logged as a warning.

    Attributes:
        path: where it is; guard: calls into it; is_missing: there was nothing of its name, when it was looked for.
    """

    def __init__(
        self,
        top: Path,
        file_mode: int,
        *,
        patience: float = PATIENCE_S,
        faulty: Callable[[], object] = lambda: None,
        told: bool = True,
    ) -> None:
        self._say = log.warning if told else log.info
        self.path = SharedPath(top, file_mode=file_mode)
        self.guard = Guard(str(top), self._look, patience=patience, faulty=faulty, say=self._say)
        self._read_only, self.is_missing = "", False
        try:
            self.guard.call(self._look)
        except OSError as e:
            self.guard.leave_out(e.strerror or str(e))

    @property
    def may_write(self) -> bool:
        """Whether anything is written there."""
        return not self._read_only

    def read_only(self, why: str) -> None:
        """Nothing can be written there."""
        if not self._read_only:
            self._read_only = why
            self._say("%s: %s; it is used as it is, and nothing is written there", self.path, why)

    def keep_time(self) -> None:
        """Ask the file system for its time, if that is due. Raises OSError."""
        if self.may_write and self.path.clock.is_due:
            held = self.path.open()
            assert isinstance(held, SharedDirectory)
            self.path.clock.sync(held)

    @property
    def condition(self) -> Condition:
        """How it is used now. Where it was left out for long enough, it is looked at again."""
        if not self.guard.is_on:
            return Condition("left out", self.guard.why_out or "it is closed")
        return Condition("read-only", self._read_only) if self._read_only else Condition("used")

    def close(self) -> None:
        self.guard.close()

    def _look(self) -> None:
        """Raises OSError where it cannot be used."""
        try:
            held, self.is_missing = self.path.open(), False
        except FileNotFoundError:
            self.is_missing = True
            raise OSError(
                errno.ENOENT, "there is no such directory; make it for a group: " + made_by(self.path.top)
            ) from None
        assert isinstance(held, SharedDirectory)
        if not held.is_writable:
            self.read_only("it cannot be written")
            return
        try:
            self.path.clock.sync(held)
        except OSError as e:
            if e.errno not in (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT):
                raise


def made_by(path: Path) -> str:
    """The commands that make a directory for a group."""
    return f"mkdir {path} && chgrp GROUP {path} && chmod 2770 {path}"


def remarks(held: SharedDirectory) -> list[str]:
    """What keeps a group from sharing the directory, in words; empty where nothing does."""
    info, found = held.info, []
    if not info.st_mode & stat.S_IWGRP:
        found.append("its group may not write to it: chmod g+rwx")
    elif not info.st_mode & stat.S_ISGID:
        found.append("what is made in it has its maker's group, and others may not read it: chmod g+s")
    if info.st_mode & stat.S_ISVTX:
        found.append("only owners may remove files in it, so what others keep is never evicted: chmod -t")
    return found


def why_not(path: SharedPath) -> str:
    """Why a directory is not used, "" where it may be. May hang with its file system."""
    try:
        path.open()
    except UntrustedDirectory as e:
        return e.strerror or ""
    except FileNotFoundError:
        return "there is no such directory"
    except OSError as e:
        return e.strerror or os.strerror(e.errno or 0)
    return ""
