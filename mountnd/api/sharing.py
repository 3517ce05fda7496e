"""`SharedMount`: one mount for all processes of a node that want it, until the last of them has left, or died.

Who comes first has a daemon of its own started (`sharing_daemon`), which counts those who hold its mount
(`daemon/holders.py`): no process of a pool depends on another one, and none need end in good order.
"""

from __future__ import annotations

import atexit
import logging
import os
import re
import secrets
import select
import socket
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from ..daemon import mounts
from ..daemon.holders import Holder
from ..daemon.record import started
from ..errors import MountError, UsageError
from . import holding, keywords

log = logging.getLogger(__name__)

# Pauses between attempts to mount anew what has ended although it was held.
_AGAIN_S, _AGAIN_MOST_S = 1.0, 60.0
# Of batch systems: what they call a job. What runs in one is ended with it, so jobs do not share mounts by themselves.
_JOBS = ("SLURM_JOB_ID", "PBS_JOBID", "LSB_JOBID", "JOB_ID", "OAR_JOB_ID")
_ODD = re.compile(r"[^A-Za-z0-9._-]+")

# The mounts that are held in this process.
_held: list[SharedMount] = []
_lock = threading.Lock()  # leaf lock: guards `_held`


class SharedMount(os.PathLike[str]):
    """A mount that processes of one node share. Can be pickled: all copies mean the same mount. Thread-safe.

        shared = mountnd.api.SharedMount("openneuro/ds000001", "/tmp/ds000001")   # in each process
        with shared as root:
            nibabel.load(root / "sub-01/anat/sub-01_T1w.nii.gz")

    Args:
        source: what `mountnd.mount` takes.
        at: an absolute path, or one that begins with ~: a directory of the node's own, which is made where it is
            missing, and stays. Who names the same directory and the same source shares the mount; one that was mounted
            there otherwise is used, and stays, too. Default: a private directory, which copies of this object share.
        options: those of `mountnd mount`, by name.

    Raises UsageError for what is invalid, ConfigError for the config file and variables.
    """

    def __init__(self, source: str | Sequence[str], at: str | os.PathLike[str] | None = None, **options: Any) -> None:
        self._sources = [source] if isinstance(source, str) else list(source)
        if not self._sources or not all(self._sources):
            raise UsageError('say what to mount: "openneuro/ds000001"')
        self._at = os.fspath(at) if at is not None else ""
        if at is not None and not self._at.startswith(("/", "~")):
            raise UsageError(f"at={self._at!r}: processes have working directories of their own; name an absolute path")
        self._options = {name: os.fspath(v) if isinstance(v, os.PathLike) else v for name, v in options.items()}
        keywords.read(self._options, mounts=True)
        self._token = secrets.token_hex(4)
        self._reset()

    def _reset(self) -> None:
        """It is not held in this process."""
        self._changing = threading.Lock()  # held while the mount is made or left
        self._wanted: holding.Wanted | None = None  # while it is held
        self._is_counted, self._device = False, ""
        self._wake = -1

    def __getstate__(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in ("_sources", "_at", "_options", "_token")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._reset()

    @property
    def source(self) -> str:
        """What is mounted, for a person."""
        return ", ".join(self._sources)

    @property
    def path(self) -> Path:
        """Its directory, where this process holds it (a copy of it, too) or `at` was given. Raises MountError."""
        with _lock:
            for one in _held:
                if one._token == self._token and one._wanted is not None:
                    return one._wanted.where
        if self._at:
            return Path(self._at).expanduser()
        raise MountError(
            f"{self.source} is mounted where processes hold it, on each node in a directory of its own: ask for its "
            "path there (on Dask: within a task), or choose the directory (at=...)"
        )

    def hold(self) -> Path:
        """Use the mount from now on; it is made where nobody holds it yet. Its directory. Where it is held that is all.

        Raises UsageError (ConfigError for the config file and variables) for what is invalid, and MountError where the
        machine, the mountpoint or the source does not allow it.
        """
        with self._changing:
            if self._wanted is None:
                holder = Holder(os.getpid(), started(os.getpid()) or 0, secrets.token_hex(4))
                wanted = holding.Wanted(self._sources, self._options, self._place(), not self._at, holder)
                self._is_counted, self._device = holding.hold(wanted)
                self._wanted = wanted
                with _lock:
                    _held.append(self)
                if self._is_counted:
                    woken, self._wake = os.pipe()
                    watch = threading.Thread(target=self._watch, args=(woken,), name="shared-mount", daemon=True)
                    watch.start()
            return self._wanted.where

    def leave(self) -> None:
        """Use it no longer; the last one unmounts, and waits until the mount has ended. Nothing where it is not held.

        Raises MountError where it cannot be unmounted.
        """
        with self._changing:
            wanted, self._wanted = self._wanted, None
            if wanted is None:
                return
            with _lock:
                _held.remove(self)
            if self._is_counted:
                os.write(self._wake, b"x")  # not only closed: a forked process may have its copy
                os.close(self._wake)
                holding.leave(wanted, self._device)

    def forget(self) -> None:
        """In a forked process: it is the parent who holds it."""
        self._reset()

    def __enter__(self) -> Path:
        return self.hold()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.leave()

    def __fspath__(self) -> str:
        return str(self.path)

    def __truediv__(self, below: str | os.PathLike[str]) -> Path:
        return self.path / below

    def __repr__(self) -> str:
        wanted = self._wanted
        at = wanted.where if wanted else self._at or "a private directory"
        return f"<mountnd.SharedMount of {self.source} at {at}{'' if wanted else ': not held here'}>"

    def _place(self) -> Path:
        """Where it is to be mounted, resolved. Raises MountError."""
        if self._at:
            try:
                return mounts.resolve(Path(self._at).expanduser())
            except RuntimeError as e:  # no home directory
                raise MountError(f"at={self._at!r}: {e}") from None
        # TMPDIR may be one directory for all nodes.
        words = ["mountnd", self._sources[0].rstrip("/").rpartition("/")[2][:40], self._token, socket.gethostname()]
        words += [os.environ[job] for job in _JOBS if os.environ.get(job)][:1]
        return mounts.resolve(Path(tempfile.gettempdir()) / _ODD.sub("-", "-".join(words)))

    def _watch(self, woken: int) -> None:
        """Mount anew where the daemon has ended, though this process has not left."""
        pause, wanted = _AGAIN_S, self._wanted
        while wanted is not None and holding.ends(wanted.where, woken):
            with self._changing:
                if self._wanted is not wanted:
                    break
                log.warning("the mount at %s has ended, and is made anew", wanted.where)
                try:
                    _, self._device = holding.hold(wanted)
                    pause = _AGAIN_S
                    continue
                except Exception as e:
                    log.warning("%s: %s", wanted.where, e)
            poll = select.poll()
            poll.register(woken, select.POLLIN)
            if poll.poll(pause * 1000):
                break
            pause = min(pause * 2, _AGAIN_MOST_S)
        os.close(woken)


def _leave_all() -> None:
    """At the interpreter's end."""
    for one in tuple(_held):
        try:
            one.leave()
        except MountError as e:
            log.warning("%s", e)


def _begin_anew() -> None:
    """In a forked process none is held; it may hold mounts of its own."""
    global _lock
    _lock = threading.Lock()
    for one in _held:
        one.forget()
    _held.clear()


atexit.register(_leave_all)
os.register_at_fork(after_in_child=_begin_anew)
